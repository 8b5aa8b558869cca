"""The vectors of a set that are in memory."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray


class AtHand:
    """Vectors by tile, to which batches are added as they are encoded.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    tiles : (n, 2) int64
        Row and column of each vector.
    vectors : (n, D) float16
    """

    def __init__(
        self, shape: tuple[int, int], tiles: IntArray, vectors: npt.NDArray[np.float16]
    ) -> None:
        # The first `_count` of both are in use; there is room for more behind them.
        self._tiles, self._vectors, self._count = tiles, vectors, len(tiles)
        self._position = np.full(shape, -1, np.int64)
        self._position[tiles[:, 0], tiles[:, 1]] = np.arange(len(tiles))

    def put(self, tiles: IntArray, vectors: npt.NDArray[np.float16]) -> None:
        """Add vectors, in place of what is there of the same tiles."""
        at = self._position[tiles[:, 0], tiles[:, 1]]
        new = at < 0
        at[new] = np.arange(self._count, self._count + new.sum())
        self._position[tiles[:, 0], tiles[:, 1]] = at
        self._count += int(new.sum())
        room = len(self._vectors)
        if self._count > room:
            more = max(self._count, 2 * room, 256) - room
            self._vectors = np.concatenate(
                [self._vectors, np.empty((more, vectors.shape[1]), np.float16)]
            )
            self._tiles = np.concatenate([self._tiles, np.empty((more, 2), np.int64)])
        self._vectors[at] = vectors
        self._tiles[at] = tiles

    def row_by_row(self) -> tuple[npt.NDArray[np.float32], IntArray]:
        """A copy of all vectors (n, D) and their tiles (n, 2), in the order of the grid."""
        tiles = self._tiles[: self._count]
        order = np.lexsort((tiles[:, 1], tiles[:, 0]))
        return self._vectors[: self._count][order].astype(np.float32), tiles[order]
