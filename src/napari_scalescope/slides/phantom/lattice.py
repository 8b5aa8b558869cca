"""Randomness that depends on the place alone: hashed lattices and scattered seeds.

Everything random in the phantom is a hash of integer lattice coordinates and a key. A place
therefore looks the same whatever region it is read in, at whatever level, in whatever order, and
nothing has to be remembered. Lengths and coordinates are in µm from the slide's upper left
corner.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

#: float32 wherever there are many.
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]
#: Value of a lattice at integer coordinates (x, y), which broadcast against each other.
Values = Callable[[Ints, Ints], Floats]


def key(seed: int, *names: object) -> int:
    """A 32-bit key for one use of randomness, the same on every machine."""
    digest = hashlib.blake2b(repr((seed, *names)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")


def hashed(ix: Ints, iy: Ints, k: int) -> Words:
    """Well mixed 32 bits for each lattice point.

    The finaliser is "lowbias32" by C. Wellons ("Prospecting for Hash Functions", 2018).
    """
    x = ix.astype(np.uint32) * np.uint32(0x9E3779B1) + np.uint32(k & 0xFFFFFFFF)
    y = iy.astype(np.uint32) * np.uint32(0x85EBCA77) + np.uint32((k >> 7) & 0xFFFFFFFF)
    return mixed((mixed(x) + y).astype(np.uint32))


def mixed(h: Words) -> Words:
    """The bits of each word, mixed so that neighbours have nothing in common."""
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def uniform(ix: Ints, iy: Ints, k: int) -> Floats:
    """Uniform in [0, 1) for each lattice point."""
    return (hashed(ix, iy, k) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def number(seed: int, *names: object) -> float:
    """One uniform number in [0, 1) for a name."""
    return key(seed, *names) / 2**32


# --- where to evaluate ------------------------------------------------------------------------


class Where(Protocol):
    """Places to evaluate something at: a `Grid` or `Points`."""

    @property
    def detail(self) -> float:
        """Size in µm of what is averaged over; what is finer is not resolved."""

    @property
    def x(self) -> Floats:
        """Horizontal coordinates, which broadcast against `y`."""

    @property
    def y(self) -> Floats:
        """Vertical coordinates."""

    def spline(self, spacing: float, shift: float, values: Values) -> Floats:
        """Cubic B-spline over a lattice with nodes every ``spacing`` µm."""


def _spline_weights(t: Floats) -> Floats:
    """Weights (..., 4) of the four nodes around a place a fraction ``t`` past the second."""
    s = 1 - t
    return np.stack(
        [s**3, 3 * t**3 - 6 * t**2 + 4, 3 * s**3 - 6 * s**2 + 4, t**3], axis=-1
    ) / 6  # fmt: skip


def _taps(at: Floats, spacing: float, shift: float) -> tuple[Ints, Ints, Floats]:
    """Nodes around rising places (n,), the first node of each, and the weights (n, 4) of four."""
    at = at / spacing + shift
    first = np.floor(at).astype(np.int64) - 1
    weights = _spline_weights(at % 1.0).astype(np.float32)
    if first[-1] - first[0] > 4 * len(at):
        # Places far apart: leave out the nodes in between.
        nodes = np.unique(first[:, None] + np.arange(4))
        return nodes, np.searchsorted(nodes, first), weights
    return np.arange(first[0], first[-1] + 4), first - first[0], weights


def _weighted(table: Floats, first: Ints, weights: Floats, axis: int) -> Floats:
    """Sums of four consecutive nodes along an axis of a table."""
    shape = (-1, 1) if axis == 0 else (1, -1)
    out: Floats = np.take(table, first, axis=axis)
    out *= weights[:, 0].reshape(shape)
    for k in range(1, 4):
        term = np.take(table, first + k, axis=axis)
        term *= weights[:, k].reshape(shape)
        out += term
    return out


@dataclass(frozen=True)
class Grid:
    """Regularly spaced places: columns ``x0 + i * step``, rows ``y0 + j * step``.

    Parameters
    ----------
    x0, y0 : float
        The first place in µm.
    step : float
        Distance of neighbours in µm.
    width, height : int
        Number of columns and rows.
    fineness : float, optional
        Size in µm of what is averaged over around each place, by default the step.
    row_step : float, optional
        Distance of the rows, where it is not that of the columns.
    """

    x0: float
    y0: float
    step: float
    width: int
    height: int
    fineness: float | None = None
    row_step: float | None = None

    @property
    def step_y(self) -> float:
        """Distance of the rows in µm."""
        return self.step if self.row_step is None else self.row_step

    @property
    def detail(self) -> float:
        """See `Where`."""
        return self.step if self.fineness is None else self.fineness

    @cached_property
    def x(self) -> Floats:
        """Columns (1, width) in µm."""
        return (self.x0 + np.arange(self.width) * self.step)[None, :]

    @cached_property
    def y(self) -> Floats:
        """Rows (height, 1) in µm."""
        return (self.y0 + np.arange(self.height) * self.step_y)[:, None]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return (self.height, self.width)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """First and last places: x, y, x, y in µm."""
        return (
            self.x0,
            self.y0,
            self.x0 + (self.width - 1) * self.step,
            self.y0 + (self.height - 1) * self.step_y,
        )

    def spline(self, spacing: float, shift: float, values: Values) -> Floats:
        """See `Where`. Separable on a grid: first along the rows, then along the columns.

        Without BLAS, whose threads would get in the way of those that read.
        """
        cols, first_x, wx = _taps(self.x[0], spacing, shift)
        rows, first_y, wy = _taps(self.y[:, 0], spacing, shift)
        table = values(cols[None, :], rows[:, None])
        across = _weighted(table, first_x, wx, 1)
        return _weighted(across, first_y, wy, 0)

    def window(self, x: float, y: float, reach: float) -> tuple[slice, slice] | None:
        """Rows and columns within ``reach`` of a place, None where there are none."""
        i0 = max(0, math.ceil((x - reach - self.x0) / self.step))
        j0 = max(0, math.ceil((y - reach - self.y0) / self.step_y))
        i1 = min(self.width, math.floor((x + reach - self.x0) / self.step) + 1)
        j1 = min(self.height, math.floor((y + reach - self.y0) / self.step_y) + 1)
        return (slice(j0, j1), slice(i0, i1)) if i1 > i0 and j1 > j0 else None

    def part(self, rows: slice, cols: slice) -> Grid:
        """The grid of a window."""
        return Grid(
            self.x0 + cols.start * self.step,
            self.y0 + rows.start * self.step_y,
            self.step,
            cols.stop - cols.start,
            rows.stop - rows.start,
            self.fineness,
            self.row_step,
        )

    def interpolated(self, field: Floats, where: Where) -> Floats:
        """Bilinear interpolation of values on this grid at other places inside it."""
        if isinstance(where, Grid) and (where.step, where.step_y) == (self.step, self.step_y):
            # Often the same places, less a rim.
            right, down = (where.x0 - self.x0) / self.step, (where.y0 - self.y0) / self.step_y
            if abs(right - round(right)) < 1e-6 and abs(down - round(down)) < 1e-6:
                col, row = round(right), round(down)
                part = field[row : row + where.height, col : col + where.width]
                if part.shape == where.shape:
                    return part

        def split(at: Floats, first: float, step: float, n: int) -> tuple[Ints, Floats]:
            t = np.clip((at - first) / step, 0, n - 1)
            i = np.minimum(t.astype(np.int64), n - 2)
            return i, (t - i).astype(np.float32)

        i, fx = split(where.x, self.x0, self.step, self.width)
        j, fy = split(where.y, self.y0, self.step_y, self.height)
        if isinstance(where, Grid):
            rows = field[j[:, 0]]
            rows = rows + (field[j[:, 0] + 1] - rows) * fy
            out: Floats = np.take(rows, i[0], axis=1)
            out += (np.take(rows, i[0] + 1, axis=1) - out) * fx
            return out
        upper = field[j, i] + (field[j, i + 1] - field[j, i]) * fx
        lower = field[j + 1, i] + (field[j + 1, i + 1] - field[j + 1, i]) * fx
        out = upper + (lower - upper) * fy
        return out


@dataclass(frozen=True)
class Points:
    """Scattered places (n,) in µm."""

    x: Floats
    y: Floats
    detail: float = 0.0

    def spline(self, spacing: float, shift: float, values: Values) -> Floats:
        """See `Where`. The same numbers as on a grid; points should lie within a few mm."""
        if not len(self.x):
            return np.zeros(0, np.float32)
        u, v = self.x / spacing + shift, self.y / spacing + shift
        col, row = np.floor(u).astype(np.int64) - 1, np.floor(v).astype(np.int64) - 1
        cols, rows = np.arange(col.min(), col.max() + 4), np.arange(row.min(), row.max() + 4)
        table = values(cols[None, :], rows[:, None]).ravel()
        corner = (row - rows[0]) * len(cols) + (col - cols[0])
        wx = _spline_weights(u % 1.0).astype(np.float32)
        wy = _spline_weights(v % 1.0).astype(np.float32)
        out = np.zeros(len(u), np.float32)
        for k in range(4):
            at = corner + k * len(cols)
            out += wy[:, k] * sum(np.take(table, at + i) * wx[:, i] for i in range(4))
        return out


# --- scattered seeds --------------------------------------------------------------------------


@dataclass(frozen=True)
class Seeds:
    """Scattered places, each the seed of something, with random numbers of its own."""

    ix: Ints
    iy: Ints
    x: Floats
    y: Floats
    key: int

    def __len__(self) -> int:
        return len(self.x)

    @property
    def points(self) -> Points:
        """Where they are."""
        return Points(self.x, self.y)

    def random(self, channel: int, lo: float = 0.0, hi: float = 1.0) -> Floats:
        """Uniform numbers (n,) between ``lo`` and ``hi``, independent between channels."""
        return lo + (hi - lo) * uniform(
            self.ix, self.iy, (self.key + 104729 * channel) & 0xFFFFFFFF
        )

    def where(self, keep: npt.NDArray[np.bool_]) -> Seeds:
        """Those that are kept."""
        return Seeds(self.ix[keep], self.iy[keep], self.x[keep], self.y[keep], self.key)


def seeds(
    bounds: tuple[float, float, float, float],
    spacing: float,
    k: int,
    margin: float = 0.0,
    jitter: float = 0.9,
) -> Seeds:
    """The seeds of a jittered lattice within ``margin`` µm of a rectangle.

    One seed a cell, displaced at random by up to half of ``jitter`` cells; odd rows are shifted
    by half a cell, which hides the rows.
    """
    x0, y0, x1, y1 = bounds
    reach = margin + spacing
    rows = np.arange(math.floor((y0 - reach) / spacing), math.ceil((y1 + reach) / spacing) + 1)
    cols = np.arange(math.floor((x0 - reach) / spacing), math.ceil((x1 + reach) / spacing) + 1)
    iy, ix = (a.ravel() for a in np.meshgrid(rows, cols, indexing="ij"))
    x = (ix + 0.5 * (iy & 1) + jitter * (uniform(ix, iy, k ^ 0x1234567) - 0.5)) * spacing
    y = (iy + jitter * (uniform(ix, iy, k ^ 0x7654321) - 0.5)) * spacing
    found = Seeds(ix, iy, x.astype(np.float64), y.astype(np.float64), k)
    return found.where(
        (x >= x0 - margin) & (x <= x1 + margin) & (y >= y0 - margin) & (y <= y1 + margin)
    )
