"""Boxes, pyramid levels and µm."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Box(NamedTuple):
    """An axis-aligned rectangle ``(x, y, w, h)`` in level-0 pixels (floats)."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def from_corners(cls, x0: float, y0: float, x1: float, y1: float) -> Box:
        """The box between two opposite corners, given in any order."""
        return cls(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))

    @classmethod
    def around(cls, centre: tuple[float, float], w: float, h: float | None = None) -> Box:
        """The box of size ``w`` by ``h`` (default: square) centred on ``(x, y)``."""
        h = w if h is None else h
        return cls(centre[0] - w / 2, centre[1] - h / 2, w, h)

    @property
    def x1(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def y1(self) -> float:
        """Lower edge."""
        return self.y + self.h

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as ``(x, y)``."""
        return (self.x + self.w / 2, self.y + self.h / 2)

    @property
    def area(self) -> float:
        """Area in square level-0 pixels."""
        return self.w * self.h

    def intersection(self, other: Box) -> Box | None:
        """The common part of two boxes, or None where they do not overlap."""
        x0, y0 = max(self.x, other.x), max(self.y, other.y)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        return Box(x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in the box (left and upper edges belong to it)."""
        return self.x <= x < self.x1 and self.y <= y < self.y1

    def grown(self, margin: float) -> Box:
        """The box with ``margin`` level-0 pixels added on every side."""
        return Box(self.x - margin, self.y - margin, self.w + 2 * margin, self.h + 2 * margin)


def level_downsample(size0: tuple[int, int], size: tuple[int, int]) -> float:
    """The true downsample of a pyramid level, given both sizes ``(w, h)`` in pixels.

    Writers make levels by a whole factor and cut or round the last column, so the ratio of the
    sizes is a little off (15374 / 3843 = 4.0005) and would shift the far corner of a slide by a
    whole level pixel. Where a whole factor explains both sizes to within one pixel it is taken,
    a power of two before others; else the mean of both ratios.
    """
    ratio = (size0[0] / size[0] + size0[1] / size[1]) / 2
    whole = [
        f
        for f in range(max(1, math.floor(ratio * 0.9)), math.ceil(ratio * 1.1) + 1)
        if all(abs(s - s0 / f) < 1 for s, s0 in zip(size, size0, strict=True))
    ]
    if whole:
        return float(min(whole, key=lambda f: (f & (f - 1) != 0, abs(f - ratio))))
    return ratio


def to_level(xy: npt.ArrayLike, downsample: float) -> FloatArray:
    """Level-0 pixels to pixels of a level, both corner-based floats of any shape."""
    return np.asarray(xy, np.float64) / downsample


def from_level(xy: npt.ArrayLike, downsample: float) -> FloatArray:
    """Pixels of a level to level-0 pixels, both corner-based floats of any shape."""
    return np.asarray(xy, np.float64) * downsample


def to_um(xy: npt.ArrayLike, mpp: float) -> FloatArray:
    """Level-0 pixels to µm from the slide's upper left corner."""
    return np.asarray(xy, np.float64) * mpp


def from_um(xy: npt.ArrayLike, mpp: float) -> FloatArray:
    """µm from the slide's upper left corner to level-0 pixels."""
    return np.asarray(xy, np.float64) / mpp
