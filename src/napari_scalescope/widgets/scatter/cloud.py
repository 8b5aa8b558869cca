"""The points, kept in the order in which they are drawn."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from . import kernels
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


@lru_cache(maxsize=1)  # the same points are shown elsewhere far more often than others are
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
    and hidden ones keep their index and are left out of everything here.

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
    hidden : bool array (n,)
        Which points are not to be shown.
    shown, selected : bool array (n,)
        Which points have finite coordinates and are not hidden, and which are selected.
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
        self._somewhere: Bools = np.isfinite(self._x) & np.isfinite(self._y)
        self._given = colours
        self.selected: Bools = np.zeros(self.n, bool)
        self.hide(np.zeros(self.n, bool))

    def hide(self, mask: Bools) -> None:
        """Leave the points in ``mask`` (n,) out of everything, and only those."""
        self.hidden = mask
        self.shown: Bools = self._somewhere & ~mask
        order = draw_order(self.n)
        self._order = order if self.shown.all() else order[self.shown[order]]
        # In the order in which they are drawn while nothing is selected.
        self._ordered_x, self._ordered_y = self._x[self._order], self._y[self._order]
        for told in ("bounds", "_grid"):
            self.__dict__.pop(told, None)
        self.recolour(self._given)

    def __len__(self) -> int:
        """How many points are shown."""
        return len(self._order)

    def recolour(self, colours: Colours | None) -> None:
        """Give every point another colour."""
        self._given = colours
        self._ordered_colour = self._packed(self._order)
        self.select(self.selected)

    def _packed(self, index: Indices) -> Packed:
        """Colours of some points."""
        if self._given is None:
            return np.repeat(pack(np.array([DEFAULT_COLOUR], np.uint8)), len(index))
        if not kernels.fit(len(index)):
            return pack(self._given)[index]
        packed = np.empty(len(index), np.uint32)
        kernels.colours(self._given, index, packed)
        return packed

    def colour_of(self, point: int) -> int:
        """Packed colour of one point."""
        return int(self._packed(np.array([point]))[0])

    def select(self, mask: Bools) -> None:
        """Draw the points in ``mask`` (n,) in front of the others, which fade."""
        self.selected = mask
        ordered = self._order, self._ordered_x, self._ordered_y, self._ordered_colour
        if not mask.any():
            self.n_behind = len(self._order)
            self.index, self.x, self.y, self.colour = ordered
        elif kernels.fit(len(self._order)):
            self.index, self.colour = np.empty_like(ordered[0]), np.empty_like(ordered[3])
            self.x, self.y = np.empty_like(ordered[1]), np.empty_like(ordered[2])
            parted = self.index, self.x, self.y, self.colour
            self.n_behind = kernels.part(mask, self._order, *ordered, *parted)
        else:
            front = mask[self._order]
            at = np.concatenate([np.flatnonzero(~front), np.flatnonzero(front)])
            self.n_behind = len(front) - int(np.count_nonzero(front))
            self.index, self.colour = self._order[at], self._ordered_colour[at]
            self.x, self.y = self._ordered_x[at], self._ordered_y[at]

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
        """Which of the points shown lie in the polygon (m, 2), in view or not: bool (n,)."""
        return inside_polygon(self._x, self._y, vertices) & self.shown

    def count(self, x0: float, y0: float, x1: float, y1: float) -> int:
        """How many of the points shown lie in a rectangle of the data."""
        inside = (self.x >= x0) & (self.x <= x1) & (self.y >= y0) & (self.y <= y1)
        return int(np.count_nonzero(inside))
