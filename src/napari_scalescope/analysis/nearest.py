"""The nearest of many points in a few dozen dimensions."""

from __future__ import annotations

import numpy as np

from ..geometry import IntArray
from .similarity import Vectors

#: Up to so many points are all looked at.
EXACT = 20_000
#: Above it they are divided into cells of about this many, and those of the nearest cells are
#: looked at.
CELL = 125
CELLS = 8


class Nearest:
    """Finds the nearest of some points: exactly, or in the nearest cells where they are many.

    The cells are the inverted lists of Jégou et al. 2011 (*Product quantization for nearest
    neighbor search*), without the quantization.

    Parameters
    ----------
    points : (m, d) float32
    seed : int
        The same points and seed give the same answers.
    """

    def __init__(self, points: Vectors, seed: int = 0) -> None:
        self._points = points
        self._cells: list[IntArray] = []
        self._seed = seed

    def of(self, queries: Vectors, k: int) -> tuple[IntArray, Vectors]:
        """Which points (n, k) are nearest to queries (n, d), the nearest first, and how far.

        k is at most the number of points.
        """
        n, m = len(queries), len(self._points)
        # What all queries cost against all points, and what the cells cost.
        if m <= CELL * CELLS * 2 or n * m <= EXACT * EXACT:
            return _all_of(self._points, queries, k)
        self._divide()
        home = self._nearest_cells(queries, 1)[:, 0]
        around = self._nearest_cells(self._centres, CELLS)
        index = np.empty((n, k), np.int64)
        distance = np.empty((n, k), np.float32)
        order = np.argsort(home, kind="stable")
        bounds = np.searchsorted(home[order], np.arange(len(self._cells) + 1))
        for cell, near in enumerate(around):
            mine = order[bounds[cell] : bounds[cell + 1]]
            if not len(mine):
                continue
            candidates = np.sort(np.concatenate([self._cells[c] for c in near]))
            if len(candidates) < k:
                candidates = np.arange(m)
            found, distance[mine] = _all_of(self._points[candidates], queries[mine], k)
            index[mine] = candidates[found]
        return index, distance

    def _divide(self) -> None:
        if self._cells:
            return
        from sklearn.cluster import MiniBatchKMeans

        cells = max(2, len(self._points) // CELL)
        rng = np.random.default_rng(self._seed)
        some = self._points[np.sort(rng.permutation(len(self._points))[:EXACT])]
        model = MiniBatchKMeans(
            cells, init="random", n_init=1, max_iter=20, batch_size=4096, random_state=self._seed
        )
        self._centres = model.fit(some).cluster_centers_.astype(np.float32)
        self._bias = (self._centres**2).sum(1)
        home = self._nearest_cells(self._points, 1)[:, 0]
        order = np.argsort(home, kind="stable")
        bounds = np.searchsorted(home[order], np.arange(1, cells))
        self._cells = np.split(order, bounds)

    def _nearest_cells(self, queries: Vectors, k: int) -> IntArray:
        return _all_of(self._centres, queries, min(k, len(self._centres)))[0]


def _all_of(points: Vectors, queries: Vectors, k: int) -> tuple[IntArray, Vectors]:
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
    distance, index = model.kneighbors(queries)
    return index, distance.astype(np.float32)


def some_of(n: int, most: int, seed: int = 0) -> IntArray:
    """Positions of at most ``most`` of n points, in order: landmarks for the others."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def neighbours(points: Vectors, k: int, seed: int = 0) -> tuple[IntArray, Vectors]:
    """The k nearest other points of each (n, k), and how far they are."""
    k = min(k, len(points) - 1)
    index, distance = Nearest(points, seed).of(points, k + 1)
    # A point is its own nearest, unless others are equal to it.
    own = index == np.arange(len(points))[:, None]
    own[~own.any(1), -1] = True
    return index[~own].reshape(-1, k), distance[~own].reshape(-1, k)
