"""The vectors of a stored set, read piece by piece and without writing anything.

`StoredSet` is for whoever encodes: it makes what is missing, takes up the journal and holds all
vectors. A cohort looks through thousands of sets that others may be writing to, so it reads the
same arrays in bounded pieces, and touches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...errors import StoreError
from ...geometry import IntArray
from ..arrays import Arrays
from ..disk import damage_in_words, damaged
from ..embedding_set import TileState
from ..journal import fill, sound_batches
from ..layout import by_block, journal_of

Half = npt.NDArray[np.float16]


class StoredVectors:
    """The vectors of one set.

    Tiles are named by their position in the grid read row by row, ``row * cols + col``.

    Raises
    ------
    StoreError
        If the set is gone, damaged, or of another layout.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise StoreError(
                f"The embeddings {path.name} in {path.parent} are gone.",
                "Scan the stores again: scalescope cohort scan.",
            )
        self._arrays = Arrays(path)
        if not self._arrays.has("embedding"):  # it would be made
            raise damaged(path, "its embedding is missing")
        # Before the state is read: what is merged meanwhile is in that.
        self._batches = sound_batches(journal_of(path))

    def encoded(self) -> npt.NDArray[np.bool_]:
        """Which tiles (rows, cols) have their vector."""
        there = self._arrays.state() & TileState.ENCODED != 0
        for batch in self._batches:
            there[batch.tiles[:, 0], batch.tiles[:, 1]] |= bool(batch.flags & TileState.ENCODED)
        return np.asarray(there)

    def blocks(self) -> Iterator[tuple[IntArray, Half]]:
        """All vectors, in the order they are stored in: a block, which is one piece, at a time.

        Yields
        ------
        (n,) int64, (n, D) float16
        """
        encoded = self.encoded()
        for corner in self._arrays.corners():
            tiles = np.argwhere(encoded[self._arrays.area(corner)]) + corner
            if len(tiles):
                yield tiles[:, 0] * self._arrays.grid.cols + tiles[:, 1], self._of(tiles)

    def read(self, flat: IntArray) -> Half:
        """Vectors (n, D) of some tiles (n,), NaN where there is none."""
        return self._of(np.stack(np.divmod(flat, self._arrays.grid.cols), 1))

    def _of(self, tiles: IntArray) -> Half:
        out = self._merged(tiles)
        with damage_in_words(self._arrays.path, "journal"):
            merged = fill("embedding", tiles, out, self._batches)
        out[merged] = self._merged(tiles[merged])
        return out

    def _merged(self, tiles: IntArray) -> Half:
        out = np.empty((len(tiles), *self._arrays.shapes["embedding"]), np.float16)
        # A block is decoded as a whole, whatever is wanted of it.
        for corner, which in by_block(tiles, self._arrays.block).items():
            y, x = (tiles[which] - corner).T
            out[which] = self._arrays.content("embedding", corner)[y, x]
        return out
