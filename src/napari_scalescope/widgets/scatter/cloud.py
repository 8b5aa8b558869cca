"""The points, kept in the order in which they are drawn."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Colours, Floats, Indices, Packed, Positions
from .camera import Bounds, Camera
from .picking import PointGrid, inside_polygon

#: What a point looks like that was given no colour: legible on dark and on light.
DEFAULT_COLOUR = (86, 156, 214)


def pack(colours: Colours) -> Packed:
    """Colours (n, 3) as ``0xFFRRGGBB`` (n,)."""
    packed = np.full(len(colours), 0xFF, np.uint32)
    for channel in range(3):
        packed <<= np.uint32(8)
        packed |= colours[:, channel]
    return packed


def draw_order(n: int) -> Indices:
    """The order in which ``n`` points are drawn: shuffled, so that no class hides another.

    Every index has a fixed place in line (an integer hash of itself). The order is the same in
    every run, and points that are appended leave those already there in the order they had.
    """
    rank = np.arange(n, dtype=np.uint32)
    rank *= np.uint32(0x9E3779B1)
    rank ^= rank >> np.uint32(15)
    rank *= np.uint32(0x85EBCA77)
    rank ^= rank >> np.uint32(13)
    return np.argsort(rank)


class PointCloud:
    """The points in the order they are drawn: behind, those not selected; in front, the selected.

    Drawing walks over contiguous arrays, and that is what makes a frame fast; the order is worked
    out when points or the selection change, which is rarer. Points without finite coordinates
    keep their index and are left out of everything here.

    Parameters
    ----------
    xy : array (n, 2)
        Coordinates. NaN or infinite: not shown.
    colours : uint8 array (n, 3), optional
        One colour each (default: `DEFAULT_COLOUR`).

    Attributes
    ----------
    n : int
        How many points there are, shown or not.
    shown, selected : bool array (n,)
        Which points have finite coordinates, and which are selected.
    colours : uint32 array (n,)
        Packed colours.
    index : int array
        The points shown, in drawing order.
    x, y, colour : array
        Coordinates and packed colours of the points shown, in drawing order.
    n_behind : int
        How many of the points shown are not selected; they come first.
    """

    def __init__(self, xy: npt.NDArray[np.floating], colours: Colours | None = None) -> None:
        self.n = len(xy)
        self._x = np.ascontiguousarray(xy[:, 0], np.float32)
        self._y = np.ascontiguousarray(xy[:, 1], np.float32)
        self.shown: Bools = np.isfinite(self._x) & np.isfinite(self._y)
        order = draw_order(self.n)
        self._order = order if self.shown.all() else order[self.shown[order]]
        self.colours = self._packed(colours)
        self.select(np.zeros(self.n, bool))

    def _packed(self, colours: Colours | None) -> Packed:
        if colours is None:
            return np.repeat(pack(np.array([DEFAULT_COLOUR], np.uint8)), self.n)
        return pack(colours)

    def __len__(self) -> int:
        """How many points are shown."""
        return len(self._order)

    def recolour(self, colours: Colours | None) -> None:
        """Give every point another colour."""
        self.colours = self._packed(colours)
        self.colour = self.colours[self.index]

    def select(self, mask: Bools) -> None:
        """Draw the points in ``mask`` (n,) in front of the others, which fade."""
        self.selected = mask
        if mask.any():
            front = mask[self._order]
            behind = self._order[~front]
            self.index, self.n_behind = np.concatenate([behind, self._order[front]]), len(behind)
        else:
            self.index, self.n_behind = self._order, len(self._order)
        self.x, self.y = self._x[self.index], self._y[self.index]
        self.colour = self.colours[self.index]

    @property
    def n_selected(self) -> int:
        """How many of the points shown are selected."""
        return len(self._order) - self.n_behind

    @cached_property
    def bounds(self) -> Bounds:
        """Left, lower, right and upper end of the points shown."""
        return (
            float(self.x.min()),
            float(self.y.min()),
            float(self.x.max()),
            float(self.y.max()),
        )

    def position(self, point: int) -> tuple[float, float]:
        """Data coordinates of one point."""
        return float(self._x[point]), float(self._y[point])

    def on_screen(self, camera: Camera) -> tuple[Indices, Positions, Positions]:
        """Indices and screen coordinates of the points in view, in drawing order."""
        px, py, kept = camera.project(self.x, self.y)
        return self.index[kept], px, py

    @cached_property
    def _grid(self) -> PointGrid:
        kept = np.flatnonzero(self.shown)
        return PointGrid(self._x[kept], self._y[kept], kept)

    def nearest(self, x: float, y: float, radius: float) -> int:
        """Index of the point nearest to a place in the data within ``radius``, or -1."""
        return self._grid.nearest(x, y, radius)

    def inside(self, vertices: Floats) -> Bools:
        """Which of the n points lie in the polygon (m, 2), whether in view or not."""
        return inside_polygon(self._x, self._y, vertices)

    def count(self, x0: float, y0: float, x1: float, y1: float) -> int:
        """How many of the points shown lie in a rectangle of the data."""
        inside = (self.x >= x0) & (self.x <= x1) & (self.y >= y0) & (self.y <= y1)
        return int(np.count_nonzero(inside))
