"""`StoredSet`: one encoder on one grid of a slide, on disk.

Arrays over the grid, stored in square *blocks* of tiles::

    embedding     (rows, cols, D)           float16, NaN where not encoded
    state         (rows, cols)              uint8, see TileState; one file per 1024 x 1024 tiles
    attention     (rows, cols, heads, g, g) float16, if kept
    patch_tokens  (rows, cols, g, g, d)     float16, if kept

A finished batch first goes to the journal, whole or not at all. When a block is done its batches
are merged into the arrays, vectors before ``state``, and then leave the journal. Only ``state``
and the journal are believed, so a process killed at any instant loses at most the batch in
flight, and merging again what was half merged gives the same bytes. Batches are flushed to the
disk before they count, vectors before ``state``, and ``state`` before the batches go.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..encoders.encoding import Encoding
from ..errors import StoreError
from ..geometry import IntArray
from .arrays import Arrays, Corner, Flags, Number
from .at_hand import AtHand
from .disk import damage_in_words, disk_errors_in_words
from .embedding_set import FLAG, EmbeddingSet, Part, TileState, flags_of
from .half import HalfVectors
from .half_at_hand import HalfAtHand
from .journal import Journal, fill
from .layout import PARTS, by_block, create, journal_of
from .leftovers import remove
from .locks import Locks

#: What is known of a tile without having anything of it.
MARKS = np.uint8(TileState.BACKGROUND | TileState.UNREADABLE)


class StoredSet:
    """One encoder on one grid: what is encoded already, and a place for more.

    Safe to read from one thread while another writes. Several processes may write to the same
    set: batches are files of their own, and merging locks the block that is merged.

    Parameters
    ----------
    path : Path
        Folder of the set, ``<root>/<slide>.zarr/<set>``.
    provenance : dict, optional
        What the set holds; it is made if it is not there. Default: it has to be there.

    Attributes
    ----------
    grid : TileGrid
    provenance : dict
        Encoder, weights, resolution, slide, versions.
    state : (rows, cols) uint8
        A `TileState` per tile, batches in the journal included.

    Raises
    ------
    StoreError
        If it is not there, damaged, of another layout, or of something else.
    """

    def __init__(self, path: Path, provenance: dict[str, Any] | None = None) -> None:
        self.path, self.name = path, path.name
        self._root = path.parent.parent
        self._mutex = threading.RLock()
        with disk_errors_in_words(self._root):
            if provenance is not None and not path.exists():
                self._make(provenance)
            self._arrays = Arrays(path)
            self.provenance = self._arrays.provenance
            self.grid, self.block = self._arrays.grid, self._arrays.block
            key = self.provenance["scalescope"]["key"]
            if provenance is not None and key != provenance["scalescope"]["key"]:
                raise StoreError(
                    f"{self.name} holds embeddings of something else under the same name.",
                    "Choose another store folder.",
                )
            # The journal first: a batch that another process merges meanwhile is in the state then.
            self._journal = Journal(journal_of(path))
            self.state: Flags = self._arrays.state()
            self._swept = False
            self._failed = np.zeros(self.grid.shape, bool)
            self._vectors = AtHand(self.grid.shape)
            self._half = HalfAtHand(self.grid.shape)
            self._snapshot: tuple[Any, ...] | None = None  # vectors, half, tiles, state
            self._take_up_journal()

    # --- opening ---

    def _make(self, provenance: dict[str, Any]) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        with Locks(self.path).making():
            if not self.path.exists():  # else another process was first
                remove(self.path.parent.glob("*.partial"))
                remove(self.path.parent.glob(f".{self.name}.*"))
                tiles = provenance["tiles"]
                create(self.path, provenance, (tiles["rows"], tiles["cols"]))

    def _sweep(self) -> None:
        """Remove what killed processes left half written, if nobody is writing now."""
        if not self._swept:
            with contextlib.suppress(StoreError), self._arrays.locks.alone(timeout_s=0):
                remove(self.path.rglob("*.partial"))
            self._swept = True

    def _take_up_journal(self) -> None:
        """Believe the batches that a process left behind when it died before merging them.

        Those that are merged are not removed here: another process may be about to flush their
        block to the disk, and removes them itself. The next `merge` does it for one that died.
        """
        for batch in self._journal.batches:
            self._note(batch.tiles, batch.flags)

    def be_patient(self, seconds: float) -> None:
        """Wait so long for other processes that write to the set."""
        self._arrays.locks.patience_s = seconds

    def refresh(self, blocks: Iterable[Corner]) -> None:
        """Learn what other processes have done in some blocks since this one opened the set."""
        wanted = set(blocks)
        with disk_errors_in_words(self._root), self._mutex:
            self._arrays.require()
            # The journal first, as at opening.
            new = self._journal.look_again(
                lambda tiles: not wanted.isdisjoint(by_block(tiles, self.block))
            )
            for corner in wanted:
                area = self._arrays.area(corner)
                self.state[area] = known(self.state[area] | self._arrays.state(area))
            for batch in new:
                self._note(batch.tiles, batch.flags)
            self._snapshot = None

    # --- what is there ---

    def missing(self, tiles: npt.ArrayLike, keep: Collection[Part] = ()) -> IntArray:
        """Those of the tiles (n, 2) that still have to be encoded, in the same order.

        Tiles that were unreadable on another day are among them: each is tried once in the life
        of this object, because the file may have been repaired since.
        """
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        at = tiles[:, 0], tiles[:, 1]
        done = _having(keep, self.state[at]) | self._failed[at]
        left: IntArray = tiles[~done]
        return left

    def complete(self, keep: Collection[Part] = ()) -> bool:
        """Whether every tile is known to be background or has its vector, and the parts to keep."""
        done = _having(keep, self.state) | (self.state & TileState.BACKGROUND != 0)
        return bool(done.all())

    def count(self, flag: TileState, tiles: IntArray | None = None) -> int:
        """How many tiles are in a state, of all or of some (n, 2)."""
        state = self.state if tiles is None else self.state[tiles[:, 0], tiles[:, 1]]
        return int(np.count_nonzero(state & flag))

    def embeddings(self) -> EmbeddingSet:
        """Everything encoded so far, as a value that later batches do not change.

        Its vectors are read when they are first asked for, and are the same until something is
        written: every look at a map asks for them.
        """
        with self._mutex:
            if self._snapshot is None:
                tiles = np.argwhere(self.state & TileState.ENCODED).astype(np.int64)
                vectors = functools.cache(functools.partial(self._vectors_of, tiles))
                half = functools.cache(functools.partial(self._half_of, tiles))
                self._snapshot = vectors, half, tiles, self.state.copy()
            vectors, half, tiles, state = self._snapshot
            (dim,) = self._arrays.shapes["embedding"]
            facts = (tiles, self.grid, state, self.provenance, self.read)
            return EmbeddingSet.on_demand(vectors, dim, *facts, half=half)

    def _vectors_of(self, tiles: IntArray) -> npt.NDArray[np.float32]:
        """Vectors (n, D) of encoded tiles, kept in memory from now on."""
        with self._mutex:
            return self._vectors.of(tiles, lambda new: self._read("embedding", new, np.float32))

    def _half_of(self, tiles: IntArray) -> HalfVectors:
        """The same in half precision, likewise kept."""
        with self._mutex:
            return self._half.of(tiles, lambda new: self._read("embedding", new, np.float16))

    def read(
        self, part: Part | Literal["embedding"], tiles: npt.ArrayLike
    ) -> npt.NDArray[np.float16]:
        """Attention, patch tokens or vectors of tiles (n, 2): (n, …) float16, NaN without.

        Raises
        ------
        StoreError
            If the store is gone or damaged.
        """
        with self._mutex:
            return self._read(part, np.asarray(tiles, np.int64).reshape(-1, 2), np.float16)

    def _read(self, name: str, tiles: IntArray, dtype: type[Number]) -> npt.NDArray[Number]:
        with disk_errors_in_words(self._root, "read"):
            self._arrays.require()
            out = self._arrays.read(name, tiles, dtype)
            with damage_in_words(self.path, "journal"):
                merged = fill(name, tiles, out, self._journal.batches)
            if len(merged):
                out[merged] = self._arrays.read(name, tiles[merged], dtype)
            self._arrays.require()  # gone while it was read, it would have been read as empty
            return out

    # --- writing ---

    def write(self, tiles: npt.ArrayLike, encoding: Encoding) -> None:
        """Keep a finished batch. When this returns it is on the disk.

        Raises
        ------
        StoreError
            If the disk is full, the folder may not be written, or is gone.
        """
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        if len(tiles) != len(encoding):
            raise ValueError(f"{len(tiles)} tiles but {len(encoding)} vectors")
        there = ((name, getattr(encoding, name)) for name in PARTS)
        parts = {name: values.astype(np.float16) for name, values in there if values is not None}
        flags = flags_of(parts)
        with disk_errors_in_words(self._root), self._mutex:
            self._journal.append(tiles, int(flags), parts)
            self._vectors.forget(tiles)
            self._half.replace(tiles, parts["embedding"])
            self._note(tiles, flags)

    def mark(self, tiles: npt.ArrayLike, flag: TileState) -> None:
        """Note background or unreadable tiles. Written with the next merge of their block."""
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        with self._mutex:
            self._note(tiles, flag)
            if flag & TileState.UNREADABLE:
                self._failed[tiles[:, 0], tiles[:, 1]] = True

    def _note(self, tiles: IntArray, flags: int) -> None:
        at = tiles[:, 0], tiles[:, 1]
        self.state[at] = known(self.state[at] | np.uint8(flags))
        self._snapshot = None

    def merge(self, blocks: Iterable[Corner] | None = None) -> None:
        """Move batches of the journal into the arrays.

        Parameters
        ----------
        blocks : iterable of (int, int), optional
            First row and column of the blocks to merge. Default: all that have batches.
        """
        with disk_errors_in_words(self._root), self._mutex:
            self._arrays.require()
            self._sweep()
            batches = self._journal.batches
            corners = {b.path: set(by_block(b.tiles, self.block)) for b in batches}
            full = set().union(*corners.values())
            wanted = full if blocks is None else set(blocks)
            for corner in sorted(wanted & full):
                with self._arrays.locks.block(self._arrays.number(corner)):
                    self._merge_state({corner: self._merge_parts(corner)})
            self._merge_state(dict.fromkeys(wanted - full))
            self._journal.forget([b for b in batches if corners[b.path] <= wanted])

    def _merge_parts(self, corner: Corner) -> Flags:
        """Write what the journal has of a block; returns what is there now because of it."""
        flags = np.zeros(self.state[self._arrays.area(corner)].shape, np.uint8)
        for name in PARTS:
            content = None
            for batch in self._journal.batches:
                at = batch.tiles - corner
                inside = ((at >= 0) & (at < flags.shape)).all(1)
                # None as well where another process has merged and removed it meanwhile
                with damage_in_words(self.path, "journal"):
                    part = batch.load(name) if inside.any() else None
                if part is None:
                    continue
                if content is None:
                    content = self._arrays.content(name, corner)
                y, x = at[inside].T
                content[y, x] = part[inside]
                flags[y, x] |= np.uint8(FLAG[name])
            if content is not None:
                self._arrays.put(name, corner, content)
        return flags

    def _merge_state(self, blocks: Mapping[Corner, Flags | None]) -> None:
        """Add to the state on the disk what blocks have got, and what was marked in them.

        What other processes wrote since we read it stays, and becomes known here.
        """

        def change(corner: Corner, flags: Flags) -> Flags:
            area, got = self._arrays.area(corner), blocks[corner]
            new = known(flags | self.state[area] & MARKS | (np.uint8(0) if got is None else got))
            self.state[area] = known(self.state[area] | new)
            return new

        self._arrays.change_state(blocks, change)
        self._snapshot = None

    def close(self) -> None:
        """Merge what is left in the journal."""
        if self._journal.batches:
            self.merge()


def _having(keep: Collection[Part], state: Flags) -> npt.NDArray[np.bool_]:
    """Which tiles have their vector, and the parts to keep."""
    need = flags_of(("embedding", *keep))
    return np.asarray(state & need == need)


def known(state: Flags) -> Flags:
    """Flags from several days brought together: what has its vector was readable after all."""
    readable = np.uint8(0xFF ^ TileState.UNREADABLE)
    return np.where(state & TileState.ENCODED != 0, state & readable, state)
