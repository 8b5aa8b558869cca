"""`TileMap`: something to lay over the slide."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..geometry import Box, Placement
from ..regions import Colour

Kind = Literal["score", "class", "colour"]


@dataclass(frozen=True)
class MapClass:
    """One class of a map of classes."""

    value: int
    name: str
    colour: Colour


@dataclass(frozen=True, eq=False)
class TileMap:
    """A small raster over the slide, and how to draw and explain it.

    Parameters
    ----------
    name : str
        What it shows, as the layer is called.
    values : array
        score: (rows, cols) float32, NaN where nothing is known.
        class: (rows, cols) uint8 or int32, 0 where nothing is known.
        colour: (rows, cols, 4) uint8 RGBA, transparent where nothing is known.
    placement : Placement
        Where the raster lies.
    kind : "score", "class" or "colour"
    unit : str
        What a score is counted in, as it stands at the colour bar.
    limits : (float, float)
        Scores at both ends of the colour bar.
    colormap : str
        Name of a colour map napari knows.
    classes : tuple of MapClass
        Names and colours of the classes; of a map of colours what red, green and blue show.
    legend : str
        What was done to the numbers, in a sentence, and where the picture does not show them all.
    mpp : float
        Resolution of the tiles behind it, µm per pixel.
    smooth : bool
        Whether cells are samples of something continuous (a lattice of patch tokens), which may
        be drawn interpolated, rather than areas with one value each (tiles).
    threshold : float or None
        Scores below it are drawn dimmed.
    area_mm2 : float or None
        Area of the cells that reach the threshold.
    """

    name: str
    values: npt.NDArray[Any]
    placement: Placement
    kind: Kind
    unit: str = ""
    limits: tuple[float, float] = (0.0, 1.0)
    colormap: str = "inferno"
    classes: tuple[MapClass, ...] = field(default=())
    legend: str = ""
    mpp: float = 0.0
    smooth: bool = False
    threshold: float | None = None
    area_mm2: float | None = None

    def at(self, x: float, y: float) -> Any:
        """The value at a level-0 point, None outside the raster or where nothing is known."""
        row, col = self.placement.index((x, y))
        if not (0 <= row < self.values.shape[0] and 0 <= col < self.values.shape[1]):
            return None
        value = self.values[row, col]
        if self.kind == "score":
            return None if np.isnan(value) else float(value)
        if self.kind == "class":
            return int(value) or None
        return tuple(int(v) for v in value) if value[3] else None

    def highest(self) -> tuple[float, float]:
        """The level-0 point in the middle of the cell with the highest score.

        Raises
        ------
        ValueError
            If the map is not one of scores, or knows none.
        """
        if self.kind != "score" or not np.isfinite(self.values).any():
            raise ValueError(f"{self.name} has no highest score")
        row, col = np.unravel_index(np.nanargmax(self.values), self.values.shape)
        place = self.placement
        return place.x + (int(col) + 0.5) * place.cell, place.y + (int(row) + 0.5) * place.cell

    def cropped(self, box: Box) -> TileMap | None:
        """The cells that a box (level-0 pixels) touches, None where it touches none."""
        place = self.placement
        inside = place.box(self.values.shape).intersection(box)
        if inside is None:
            return None
        row0, col0 = (max(0, int(i)) for i in place.index((inside.x, inside.y)))
        row1, col1 = (
            math.ceil((end - origin) / place.cell)
            for end, origin in ((inside.y1, place.y), (inside.x1, place.x))
        )
        corner = (place.x + col0 * place.cell, place.y + row0 * place.cell)
        return replace(
            self,
            values=self.values[row0:row1, col0:col1],
            placement=replace(place, x=corner[0], y=corner[1]),
        )


def spread(values: npt.NDArray[Any], low: float = 1.0, high: float = 99.0) -> tuple[float, float]:
    """Limits that most of the values lie in (percentiles), never equal.

    Encoders without registers put enormous attention on a few patches (Darcet et al. 2024), and
    cosines crowd near 1: limits at the extremes would leave a map of one colour.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return (0.0, 1.0)
    lo, hi = (float(v) for v in np.percentile(known, [low, high]))
    return (lo, hi) if hi > lo else (lo, lo + 1e-6)
