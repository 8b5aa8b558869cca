"""The vectors of a set that are in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray


class AtHand:
    """Vectors by tile, empty at first. Nothing is taken up before somebody wants vectors.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    dim : int
        Length of a vector.
    """

    def __init__(self, shape: tuple[int, int], dim: int) -> None:
        self.dim = dim
        self._shape = shape
        self._position: IntArray | None = None  # (rows, cols), -1 where there is no vector
        # The first `_count` are in use; there is room for more behind them.
        self._vectors, self._count = np.empty((0, dim), np.float16), 0

    def _at(self, tiles: IntArray) -> IntArray:
        if self._position is None:
            self._position = np.full(self._shape, -1, np.int64)
        return self._position[tiles[:, 0], tiles[:, 1]]

    def lacking(self, tiles: IntArray) -> IntArray:
        """Those of the tiles (n, 2) whose vectors are not in memory."""
        return tiles[self._at(tiles) < 0]

    def put(self, tiles: IntArray, vectors: npt.NDArray[np.float16]) -> None:
        """Add vectors (n, D), in place of what is there of the same tiles.

        The first array is taken over, not copied: it may be gigabytes.
        """
        at = self._at(tiles)
        new = at < 0
        at[new] = np.arange(self._count, self._count + new.sum())
        assert self._position is not None
        self._position[tiles[:, 0], tiles[:, 1]] = at
        self._count += int(new.sum())
        room = len(self._vectors)
        if not room and new.all():
            self._vectors = vectors
            return
        if self._count > room:
            more = max(self._count, 2 * room, 256) - room
            self._vectors = np.concatenate([self._vectors, np.empty((more, self.dim), np.float16)])
        self._vectors[at] = vectors

    def replace(self, tiles: IntArray, vectors: npt.NDArray[np.float16]) -> None:
        """Add vectors (n, D) if there are any in memory already; else nobody wants them yet."""
        if self._count:
            self.put(tiles, vectors)

    def of(self, tiles: IntArray) -> npt.NDArray[np.float32]:
        """Vectors (n, D) of tiles that are all in memory."""
        at = self._at(tiles)
        if len(at) and (np.diff(at) == 1).all():  # as they lie: gigabytes are not copied first
            return self._vectors[at[0] : at[-1] + 1].astype(np.float32)
        return self._vectors[at].astype(np.float32)
