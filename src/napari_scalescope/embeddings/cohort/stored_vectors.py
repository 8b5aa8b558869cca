"""The vectors of a stored set, read piece by piece and without writing anything.

`StoredSet` is for whoever encodes: it makes what is missing, takes up the journal and holds all
vectors. A cohort looks through thousands of sets that others may be writing to, so it reads the
same arrays in bounded pieces, and touches nothing.
"""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import StoreError
from ...geometry import IntArray
from ..embedding_set import TileState
from ..journal import Batch
from .rows import SetRow

Half = npt.NDArray[np.float16]


def journal_of(path: Path) -> Path:
    """Where batches of a set wait to be merged."""
    return path.parent / ".journal" / path.name


def batches_of(path: Path) -> list[Batch]:
    """Finished batches of a set that are not merged yet; damaged ones are not believed."""
    found = []
    for file in sorted(journal_of(path).glob("*.npz")):
        # Its owner may merge and remove it at any moment.
        gone_or_damaged = (OSError, zipfile.BadZipFile, EOFError, KeyError, ValueError)
        with contextlib.suppress(*gone_or_damaged), np.load(file) as data:
            found.append(Batch(file, data["tiles"], int(data["flags"])))
    return found


def encoded_tiles(path: Path, batches: list[Batch]) -> npt.NDArray[np.bool_]:
    """Which tiles (rows, cols) of a set have their vector."""
    state = np.asarray(_array(path, "state")[:], np.uint8)
    encoded: npt.NDArray[np.bool_] = (state & TileState.ENCODED) != 0
    for batch in batches:
        encoded[batch.tiles[:, 0], batch.tiles[:, 1]] |= bool(batch.flags & TileState.ENCODED)
    return encoded


def _array(path: Path, name: str) -> Any:
    import zarr

    try:
        return zarr.open_array(path / name, mode="r")
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"The embeddings {path.name} in {path.parent} are gone or damaged.",
            "Scan the stores again: scalescope cohort scan.",
        ) from error


class StoredVectors:
    """What one row of a cohort stands for.

    Tiles are named by their position in the grid read row by row, ``row * cols + col``.
    """

    def __init__(self, row: SetRow) -> None:
        self.row = row
        self._vectors = _array(row.path, "embedding")
        self._batches = batches_of(row.path)

    @cached_property
    def _waiting(self) -> dict[int, tuple[Batch, int]]:
        """Where in the journal a tile is, the newest batch of it."""
        cols = self.row.cols
        return {
            r * cols + c: (batch, i)
            for batch in self._batches
            for i, (r, c) in enumerate(batch.tiles.tolist())
        }

    def blocks(self) -> Iterator[tuple[IntArray, Half]]:
        """All vectors, in the order they are stored in: a block, which is one piece, at a time.

        Yields
        ------
        (n,) int64, (n, D) float16
        """
        row, side = self.row, self.row.block
        encoded = encoded_tiles(row.path, self._batches)
        for y in range(0, row.rows, side):
            for x in range(0, row.cols, side):
                area = np.s_[y : min(y + side, row.rows), x : min(x + side, row.cols)]
                if not encoded[area].any():
                    continue
                at = np.argwhere(encoded[area])
                flat = (at[:, 0] + y) * row.cols + at[:, 1] + x
                vectors = np.asarray(self._vectors[area])[at[:, 0], at[:, 1]]
                yield flat, self._with_waiting(flat, vectors)

    def read(self, flat: IntArray) -> Half:
        """Vectors (n, D) of some tiles (n,), NaN where there is none."""
        out = np.full((len(flat), self.row.dim), np.nan, np.float16)
        at = np.stack(np.divmod(flat, self.row.cols), 1)
        side = self.row.block
        # A block is decoded as a whole, whatever is wanted of it.
        corners, which = np.unique(at // side * side, axis=0, return_inverse=True)
        for i, (y, x) in enumerate(corners.tolist()):
            mine = np.flatnonzero(which.reshape(-1) == i)
            piece = np.asarray(self._vectors[y : y + side, x : x + side])
            out[mine] = piece[at[mine, 0] - y, at[mine, 1] - x]
        return self._with_waiting(flat, out)

    def _with_waiting(self, flat: IntArray, vectors: Half) -> Half:
        if self._batches:
            waiting = self._waiting
            for i, tile in enumerate(flat.tolist()):
                if tile in waiting:
                    batch, j = waiting[tile]
                    part = batch.load("embedding")
                    if part is not None:
                        vectors[i] = part[j]
        return vectors
