"""Ranges of tiles along one axis, decided by comparing the same floats in both directions."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from .boxes import FloatArray, IntArray

Link = Literal["centre", "overlap"]

#: Two footprints that share less than this (level-0 px) only touch.
TOUCH = 1e-6


class Edges(NamedTuple):
    """Lower edges, centres and upper edges of tiles along an axis, increasing."""

    lo: FloatArray
    centre: FloatArray
    hi: FloatArray


def tile_edges(n: int, pitch: float, footprint: float) -> Edges:
    """The edges of the first n tiles along an axis."""
    lo = np.arange(n, dtype=np.float64) * pitch
    return Edges(lo, lo + footprint / 2, lo + footprint)


def tiles_of(intervals: Edges, tiles: Edges, rule: Link) -> IntArray:
    """For each interval (m of them): first and one-past-last tile related to it, (m, 2).

    A tile is related to an interval if its centre lies in it, or if both overlap.
    """
    if rule == "centre":
        start = np.searchsorted(tiles.centre, intervals.lo, "left")
        stop = np.searchsorted(tiles.centre, intervals.hi, "left")
    else:
        start = np.searchsorted(tiles.hi - TOUCH, intervals.lo, "right")
        stop = np.searchsorted(tiles.lo, intervals.hi - TOUCH, "left")
    return np.stack([start, np.maximum(start, stop)], 1).astype(np.int64)


def intervals_of(tiles: Edges, intervals: Edges, rule: Link) -> IntArray:
    """For each tile (n of them): first and one-past-last interval related to it, (n, 2).

    The converse of `tiles_of`: a tile has an interval exactly if the interval has the tile.
    """
    if rule == "centre":
        start = np.searchsorted(intervals.hi, tiles.centre, "right")
        stop = np.searchsorted(intervals.lo, tiles.centre, "right")
    else:
        start = np.searchsorted(intervals.hi - TOUCH, tiles.lo, "right")
        stop = np.searchsorted(intervals.lo, tiles.hi - TOUCH, "left")
    return np.stack([start, np.maximum(start, stop)], 1).astype(np.int64)
