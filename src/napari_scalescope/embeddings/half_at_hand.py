"""The vectors of a set that are in memory in half precision, as they are stored."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray
from .half import HalfVectors, centre_of, measure

Half = npt.NDArray[np.float16]


class HalfAtHand:
    """Vectors by tile, for products: a row each in the order in which they came.

    Nothing is read before somebody wants them. From then on every tile is read once, and what is
    encoded meanwhile is added: neither rows nor what was measured of them is made again, however
    often a map is painted while a slide is encoded.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._position: IntArray | None = None  # (rows, cols), -1 where there is no vector
        # The first `_count` are in use; there is room for more behind them.
        self._rows: Half = np.empty((0, 0), np.float16)
        self._count = 0
        # Of the first so many rows: what `HalfVectors` has to know of each.
        self._centre: npt.NDArray[np.float32] | None = None
        self._measures = np.empty((2, 0), np.float32)

    def of(self, tiles: IntArray, read: Callable[[IntArray], Half]) -> HalfVectors:
        """Vectors of tiles (n, 2), as they lie: nothing is copied. Later ones do not change it.

        Parameters
        ----------
        tiles : (n, 2) int64
        read : callable
            Gives those (m, D) of tiles that are not here.
        """
        new = tiles[self._at(tiles) < 0]
        if len(new) or not self._count:
            self._put(new, read(new))
        at, rows = self._at(tiles), self._rows[: self._count]
        known = self._measures.shape[1]
        if self._centre is None or known < len(rows) // 2:  # it was that of the first few
            self._centre, known = centre_of(rows), 0
        if known < len(rows):
            more = np.stack(measure(rows[known:], self._centre))
            self._measures = np.concatenate([self._measures[:, :known], more], axis=1)
        lengths, along = self._measures
        in_order = len(at) == len(rows) and bool((at == np.arange(len(at))).all())
        return HalfVectors(rows, lengths, along, self._centre, None if in_order else at)

    def replace(self, tiles: IntArray, vectors: Half) -> None:
        """Tiles (n, 2) have these vectors now. Kept if there are any; else nobody wants them yet.

        What was handed out before still has the old ones, or these.
        """
        if not self._count:
            return
        at = self._at(tiles)
        self._put(tiles, vectors)
        known = at[(at >= 0) & (at < self._measures.shape[1])]
        if len(known) and self._centre is not None:
            self._measures[:, known] = measure(self._rows[known], self._centre)

    def _at(self, tiles: IntArray) -> IntArray:
        if self._position is None:
            self._position = np.full(self._shape, -1, np.int64)
        return self._position[tiles[:, 0], tiles[:, 1]]

    def _put(self, tiles: IntArray, vectors: Half) -> None:
        at = self._at(tiles)
        new = at < 0
        at[new] = np.arange(self._count, self._count + new.sum())
        assert self._position is not None
        self._position[tiles[:, 0], tiles[:, 1]] = at
        self._count += int(new.sum())
        room = len(self._rows)
        if not room and new.all():
            self._rows = vectors  # taken over, not copied: it may be gigabytes
            return
        if self._count > room:
            more = np.empty((max(self._count, 2 * room, 256) - room, vectors.shape[1]), np.float16)
            self._rows = np.concatenate([self._rows, more])
        self._rows[at] = vectors
