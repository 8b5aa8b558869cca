"""Which points are at a place: the nearest to it, or all those in a polygon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import kernels
from .arrays import Bools, Floats, Indices, Positions

#: Pairs of a point and an edge looked at at once: bounds the memory that a polygon needs.
CHUNK = 2_000_000


class PointGrid:
    """Points sorted into 256 x 256 buckets, so that pointing at one looks at a few only.

    256 x 256 is what fits into 16 bits, for which sorting takes one linear pass: a million points
    are ready within the first movement of the mouse.
    """

    SIDE = 256

    def __init__(self, x: Positions, y: Positions, index: Indices) -> None:
        self._origin, self._per_unit = np.zeros(2), np.zeros(2)
        if len(x):
            self._origin[:] = x.min(), y.min()
            extent = np.array([x.max(), y.max()]) - self._origin
            np.divide(self.SIDE, extent, out=self._per_unit, where=extent > 0)
        bucket = self._column(y, 1).astype(np.uint16)
        bucket *= np.uint16(self.SIDE)
        bucket += self._column(x, 0).astype(np.uint16)
        count = np.bincount(bucket, minlength=self.SIDE**2)
        self._start = np.concatenate([[0], np.cumsum(count)])
        order = np.argsort(bucket, kind="stable")
        self._x, self._y, self._index = x[order], y[order], index[order]

    def _column(self, value: npt.NDArray[np.floating], axis: int) -> Floats:
        place: Floats = (value - self._origin[axis]) * self._per_unit[axis]
        return place.clip(0, self.SIDE - 1)

    def nearest(self, x: float, y: float, radius: float) -> int:
        """Index of the nearest point within ``radius``, the lowest among equals; -1 if none."""
        reach = radius * (1 + 1e-6)
        columns = self._column(np.array([x - reach, x + reach]), 0).astype(int)
        rows = self._column(np.array([y - reach, y + reach]), 1).astype(int)
        best, point = radius * radius, -1
        for row in range(rows[0], rows[1] + 1):  # a row of buckets lies in one piece
            start = self._start[row * self.SIDE + columns[0]]
            stop = self._start[row * self.SIDE + columns[1] + 1]
            if start == stop:
                continue
            distance = (self._x[start:stop].astype(np.float64) - x) ** 2
            distance += (self._y[start:stop].astype(np.float64) - y) ** 2
            smallest = float(distance.min())
            if smallest > best:
                continue
            found = int(self._index[start:stop][distance == smallest].min())
            if smallest < best or point < 0 or found < point:
                best, point = smallest, found
        return point


def inside_polygon(x: Positions, y: Positions, vertices: Floats, resolution: int = 1024) -> Bools:
    """Which points lie in a polygon, exactly, in milliseconds for a million of them.

    The polygon is painted into a raster of its bounding box and every point looks up its cell.
    Only points in a cell that an edge runs through, a few in a thousand, are worked out one by
    one. Crossing its own line does not make a hole (non-zero winding), because nobody who draws a
    lasso by hand means that.

    Parameters
    ----------
    x, y : float32 array (n,)
        Points; those with a NaN are outside.
    vertices : array (m, 2)
        Corners of the polygon, which closes itself.
    resolution : int
        Cells along its longer side. It decides how long this takes, not what comes out.

    Returns
    -------
    bool array (n,)
    """
    inside = np.zeros(len(x), bool)
    start = np.ascontiguousarray(vertices, np.float64).reshape(-1, 2)
    low, high = (start.min(0), start.max(0)) if len(start) else (np.zeros(2), np.zeros(2))
    if len(start) < 3 or not np.isfinite(start).all() or not (high > low).all():
        return inside
    scale = float(resolution / (high - low).max())
    corners = (start - low) * scale + 1  # one empty cell all around
    shape = (int(corners[:, 1].max()) + 3, int(corners[:, 0].max()) + 3)
    filled, border = _painted(corners, shape)
    if kernels.fit(len(x)):
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        kernels.inside(x, y, start, scale, filled, border, inside)
        return inside
    near = np.flatnonzero((x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1]))
    points = np.stack([x[near], y[near]]).astype(np.float64)
    column, row = ((points - low[:, None]) * scale + 1).astype(np.intp)
    found = filled[row, column]
    unsure = np.flatnonzero(border[row, column])
    found[unsure] = _winding(points[0, unsure], points[1, unsure], start) != 0
    inside[near[found]] = True
    return inside


def _painted(corners: Floats, shape: tuple[int, int]) -> tuple[Bools, Bools]:
    """Cells whose centre is in the polygon, and cells that an edge runs through or close by."""
    a, b = corners, np.roll(corners, -1, axis=0)
    low, high = np.minimum(a, b), np.maximum(a, b)
    rise = b[:, 1] - a[:, 1]
    slope = np.divide(b[:, 0] - a[:, 0], rise, out=np.zeros(len(a)), where=rise != 0)
    # Winding number at the centres: each edge that a row crosses changes it from there to the right
    edge, row = _rows(np.ceil(low[:, 1] - 0.5), np.ceil(high[:, 1] - 0.5))
    crossing = a[edge, 0] + (row + 0.5 - a[edge, 1]) * slope[edge]
    change = np.zeros(shape, np.int16)
    np.add.at(
        change, (row, np.ceil(crossing - 0.5).astype(np.intp)), np.sign(rise[edge]).astype(np.int16)
    )
    filled = np.cumsum(change, axis=1, dtype=np.int16) != 0
    # Cells touched, row by row: from where the edge enters the row to where it leaves it.
    slack = 1e-6
    edge, row = _rows(np.floor(low[:, 1] - slack), np.floor(high[:, 1] + slack) + 1)
    enter = np.clip(row, low[edge, 1], high[edge, 1])
    leave = np.clip(row + 1, low[edge, 1], high[edge, 1])
    level = rise[edge] == 0
    ends = [
        np.where(level, end, a[edge, 0] + (at - a[edge, 1]) * slope[edge])
        for end, at in ((low[edge, 0], enter), (high[edge, 0], leave))
    ]
    change[...] = 0
    first = np.floor(np.minimum(*ends) - slack).astype(np.intp)
    last = np.floor(np.maximum(*ends) + slack).astype(np.intp)
    np.add.at(change, (row, first), np.int16(1))
    np.add.at(change, (row, last + 1), np.int16(-1))
    return filled, np.cumsum(change, axis=1, dtype=np.int16) > 0


def _rows(first: Floats, stop: Floats) -> tuple[Indices, Indices]:
    """Every row from ``first`` up to ``stop`` of every edge, as pairs (edge, row)."""
    count = np.maximum(stop - first, 0).astype(np.intp)
    edge = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return edge, np.arange(len(edge)) - before[edge] + first[edge].astype(np.intp)


def _winding(x: Floats, y: Floats, vertices: Floats) -> npt.NDArray[np.intp]:
    """How often the polygon goes around each point."""
    ax, ay = vertices.T
    bx, by = np.roll(vertices, -1, axis=0).T
    turns = np.zeros(len(x), np.intp)
    step = max(CHUNK // len(vertices), 1)
    for i in range(0, len(x), step):
        px, py = x[i : i + step, None], y[i : i + step, None]
        left = (bx - ax) * (py - ay) - (px - ax) * (by - ay)
        up = (ay <= py) & (py < by) & (left > 0)
        down = (by <= py) & (py < ay) & (left < 0)
        turns[i : i + step] = up.sum(1) - down.sum(1)
    return turns
