"""Ovals with lobes: what glands, vessels and lymphoid aggregates are made from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .lattice import Floats, Grid, Ints, Seeds

#: Ovals of at most this half-width in steps are stamped in bulk.
_SMALL = 8


@dataclass(frozen=True)
class Blobs:
    """Ovals with lobes, one per seed: what glands, vessels and aggregates are made from.

    Parameters
    ----------
    at : Seeds
    a, b : (n,) float32
        Semi-axes in µm.
    lobes : (n,) int
        How many.
    depth : (n,) float32
        Their depth as a share of the radius.
    """

    at: Seeds
    a: Floats
    b: Floats
    lobes: Ints
    depth: Floats

    def stamp(self, grid: Grid, beyond: float, layers: Sequence[tuple[Floats, Floats]]) -> None:
        """Raise fields to the distance inside the nearest oval.

        Parameters
        ----------
        grid : Grid
        beyond : float
            How far outside of an oval the distance matters, µm.
        layers : sequence of ((h, w) float32, (n,) float32)
            Each field with what is taken off the distance for it.
        """
        reach = self.a * (1 + self.depth) + np.float32(beyond)
        half = np.ceil(reach / min(grid.step, grid.step_y)).astype(int)
        i = np.round((self.at.x - grid.x0) / grid.step).astype(int)
        j = np.round((self.at.y - grid.y0) / grid.step_y).astype(int)
        near = (i + half >= 0) & (i - half < grid.width)
        near &= (j + half >= 0) & (j - half < grid.height)
        for k in np.flatnonzero(near & (half > _SMALL)):
            window = (
                slice(max(0, j[k] - half[k]), j[k] + half[k] + 1),
                slice(max(0, i[k] - half[k]), i[k] + half[k] + 1),
            )
            inside = self._inside(k, grid.x[:, window[1]], grid.y[window[0]])
            for target, inset in layers:
                np.maximum(target[window], inside - inset[k], out=target[window])
        # At coarse steps there are many of a few pixels each: all of a size at once.
        for size in range(1, _SMALL + 1):
            who = np.flatnonzero(near & (half == size))
            if len(who):
                offset = np.arange(-size, size + 1)
                each = (who, None, None)
                cols, rows = i[each] + offset[None, None, :], j[each] + offset[None, :, None]
                x, y = grid.x0 + cols * grid.step, grid.y0 + rows * grid.step_y
                inside = self._inside(each, x, y)
                on = (cols >= 0) & (cols < grid.width) & (rows >= 0) & (rows < grid.height)
                index = (rows * grid.width + cols)[on]
                for target, inset in layers:
                    np.maximum.at(target.ravel(), index, (inside - inset[each])[on])

    def _inside(self, each: Any, x: Floats, y: Floats) -> Floats:
        """Distance inside those that an index selects."""
        angle, phase = self._angles
        dx, dy = (x - self.at.x[each]).astype(np.float32), (y - self.at.y[each]).astype(np.float32)
        c, s, a, b = np.cos(angle[each]), np.sin(angle[each]), self.a[each], self.b[each]
        u, v = (dx * c + dy * s) / a, (dy * c - dx * s) / b
        rim = self.depth[each] * np.cos(self.lobes[each] * np.arctan2(v, u) + phase[each])
        inside: Floats = (1 + rim - np.sqrt(u * u + v * v)) * b
        return inside

    @cached_property
    def _angles(self) -> tuple[Floats, Floats]:
        """Direction of the first axis, and of a lobe."""
        return self.at.random(101, 0, math.pi), self.at.random(102, 0, 2 * math.pi)
