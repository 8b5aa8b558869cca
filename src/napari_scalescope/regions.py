"""Regions of tissue with a class: what people draw, what clusters become, what is exported."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .geometry import Placement

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Colour = tuple[int, int, int]

#: Eight colours that people with any colour vision can tell apart (Okabe and Ito 2008, without
#: black), in an order that keeps neighbours distinct.
PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (86, 180, 233),
    (240, 228, 66),
    (120, 94, 240),
)


def palette(n: int) -> list[Colour]:
    """``n`` distinct colours: `PALETTE` first, then darker and lighter turns of it."""
    colours: list[Colour] = []
    for i in range(n):
        base = PALETTE[i % len(PALETTE)]
        turn = i // len(PALETTE)
        if turn == 0:
            colours.append(base)
            continue
        towards = 0 if turn % 2 else 255
        share = min(0.75, 0.4 * ((turn + 1) // 2))
        r, g, b = (round(c + (towards - c) * share) for c in base)
        colours.append((r, g, b))
    return colours


@dataclass(frozen=True)
class Region:
    """One piece of tissue.

    Parameters
    ----------
    geometry : shapely geometry
        Polygon or MultiPolygon (points and lines are kept too) in level-0 pixels, x right,
        y down, origin at the corner of the first pixel.
    label : str
        Name of its class, "" for none.
    name : str
        Its own name, "" for none.
    colour : (int, int, int) or None
        Colour of the class, 0 to 255 each.
    measurements : mapping of str to float
        Numbers that belong to it.
    id : str
        A UUID; kept through export and import.
    properties : mapping
        Anything else a file said about it, kept through export and import.
    """

    geometry: BaseGeometry
    label: str = ""
    name: str = ""
    colour: Colour | None = None
    measurements: Mapping[str, float] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    properties: Mapping[str, Any] = field(default_factory=dict)

    def area_mm2(self, mpp: float) -> float:
        """Area in mm² on a slide of ``mpp`` µm per level-0 pixel."""
        return float(self.geometry.area) * (mpp / 1000.0) ** 2

    def labelled(self, label: str, colour: Colour | None = None) -> Region:
        """The same region with another class."""
        return replace(self, label=label, colour=colour)


class Regions(Sequence[Region]):
    """An ordered collection of regions of one slide."""

    def __init__(self, regions: Iterable[Region] = ()) -> None:
        self._regions = tuple(regions)

    def __len__(self) -> int:
        return len(self._regions)

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Regions(self._regions[index])
        return self._regions[index]

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {label or 'unclassified'}" for label, n in self.counts().items())
        return f"Regions({counts or 'none'})"

    @property
    def labels(self) -> list[str]:
        """The class names in order of first appearance, unclassified regions left out."""
        return list(dict.fromkeys(r.label for r in self if r.label))

    def counts(self) -> dict[str, int]:
        """How many regions each class has."""
        out: dict[str, int] = {}
        for region in self:
            out[region.label] = out.get(region.label, 0) + 1
        return out

    def of(self, label: str) -> Regions:
        """The regions of one class."""
        return Regions(r for r in self if r.label == label)


def outline(
    raster: npt.NDArray[np.integer],
    placement: Placement,
    names: Mapping[int, str],
    colours: Mapping[int, Colour],
) -> Regions:
    """The exact outlines of the classes of a raster, one region per connected piece.

    Cells that meet at a corner only are separate pieces; holes are kept.

    Parameters
    ----------
    raster : (rows, cols) int
        Class of each cell; classes that ``names`` does not have are left out.
    placement : Placement
        Where the raster lies on the slide.
    names, colours : mapping of int
        Name and colour of each class.
    """
    import shapely

    found: list[Region] = []
    for value, name in names.items():
        # One box per run of cells in a row: far fewer than one per cell.
        padded = np.pad((raster == value).astype(np.int8), ((0, 0), (1, 1)))
        steps = np.diff(padded, axis=1)
        rows, starts = np.nonzero(steps == 1)
        _, stops = np.nonzero(steps == -1)
        if not len(rows):
            continue
        x0, x1 = (placement.x + v * placement.cell for v in (starts, stops))
        y0, y1 = (placement.y + v * placement.cell for v in (rows, rows + 1))
        merged = shapely.union_all(shapely.box(x0, y0, x1, y1))
        found += [
            Region(piece, label=name, colour=colours.get(value))
            for piece in shapely.get_parts(shapely.simplify(merged, 0))
        ]
    return Regions(found)
