"""From a column of the session to colours, legend and colour bar of the scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...analysis.tile_map import MapClass
from ...session.columns import Column

Colours = npt.NDArray[np.uint8]

#: Points of which nothing is known.
UNKNOWN = (128, 128, 128)


@dataclass(frozen=True, eq=False)
class Bar:
    """A colour bar: colours (256, 3) from ``low`` to ``high``, and what they are."""

    colours: Colours
    low: float
    high: float
    label: str


@dataclass(frozen=True, eq=False)
class Paint:
    """How points are coloured, and what that means.

    Parameters
    ----------
    colours : (n, 3) uint8 or None
        None: all the same.
    rows : tuple of (MapClass, int)
        Classes and how many points each has; those with none are left out.
    values : (n,) int
        Class of each point, 0 for none; all 0 where there are no classes.
    bar : Bar or None
    """

    colours: Colours | None
    rows: tuple[tuple[MapClass, int], ...]
    values: npt.NDArray[np.int64]
    bar: Bar | None = None


def paint(column: Column) -> Paint:
    """Colours of the points, with a legend where they are classes and a bar where numbers."""
    n = len(column.values)
    none = np.zeros(n, np.int64)
    if column.kind == "colour":
        return Paint(column.values.astype(np.uint8), (), none)
    if column.kind == "number":
        return _of_numbers(column, none)
    if not column.classes or not column.values.any():
        return Paint(None, (), none)
    last = max(c.value for c in column.classes)
    table = np.full((last + 1, 3), UNKNOWN, np.uint8)
    for c in column.classes:
        table[c.value] = c.colour
    values = np.where((column.values > 0) & (column.values <= last), column.values, 0)
    counts = np.bincount(values, minlength=last + 1)
    rows = [(c, int(counts[c.value])) for c in column.classes if counts[c.value]]
    if counts[0]:
        rows.append((MapClass(0, "none", UNKNOWN), int(counts[0])))
    return Paint(table[values], tuple(rows), values)


def _of_numbers(column: Column, none: npt.NDArray[np.int64]) -> Paint:
    from napari.utils.colormaps import ensure_colormap

    known = np.isfinite(column.values)
    if not known.any():
        return Paint(None, (), none)
    ramp = ensure_colormap(column.colormap).map(np.linspace(0, 1, 256))[:, :3]
    table = np.concatenate([np.rint(ramp * 255), [UNKNOWN]]).astype(np.uint8)
    low, high = column.limits
    share = (column.values - low) / max(high - low, 1e-12)
    at = np.clip(np.nan_to_num(share, nan=0.0) * 255, 0, 255).astype(np.int64)
    at[~known] = 256
    unit = f", {column.unit}" if column.unit and column.unit not in column.name else ""
    return Paint(table[at], (), none, Bar(table[:256], low, high, column.name + unit))
