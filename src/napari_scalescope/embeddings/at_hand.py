"""The vectors of a set that are in memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray

Vectors = npt.NDArray[np.float32]


class AtHand:
    """The vectors that were asked for last: of the next that are, only new ones are read.

    They may be gigabytes, so they are kept just as they were handed out and not a second time,
    and nothing is kept before somebody wants vectors.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the grid.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._position: IntArray | None = None  # (rows, cols), -1 where there is no vector
        self._vectors: Vectors = np.empty((0, 0), np.float32)

    def forget(self, tiles: IntArray) -> None:
        """Tiles (n, 2) have other vectors now."""
        if self._position is not None:
            self._position[tiles[:, 0], tiles[:, 1]] = -1

    def of(self, tiles: IntArray, read: Callable[[IntArray], Vectors]) -> Vectors:
        """Vectors (n, D) of tiles (n, 2). What was handed out earlier stays as it is.

        Parameters
        ----------
        tiles : (n, 2) int64
        read : callable
            Gives those of tiles that are not here.
        """
        at, here = np.full(len(tiles), -1), np.arange(len(tiles))
        if self._position is not None:
            at = self._position[tiles[:, 0], tiles[:, 1]]
            if len(at) == len(self._vectors) and (at == here).all():
                return self._vectors
        new = at < 0
        if new.all():
            vectors = read(tiles)
        else:
            vectors = np.take(self._vectors, at, axis=0, mode="clip")  # -1 takes any; read below
            vectors[new] = read(tiles[new])
        self._position = np.full(self._shape, -1)
        self._position[tiles[:, 0], tiles[:, 1]] = here
        self._vectors = vectors
        return vectors
