"""`StoredSet`: one encoder on one grid of a slide, on disk.

Arrays over the grid, stored in square *blocks* of tiles::

    embedding     (rows, cols, D)           float16, NaN where not encoded
    state         (rows, cols)              uint8, see TileState
    attention     (rows, cols, heads, g, g) float16, if kept
    patch_tokens  (rows, cols, g, g, d)     float16, if kept

A finished batch first goes to the journal, whole or not at all. When a block is done its batches
are merged into the arrays, vectors before ``state``, and then leave the journal. Only ``state``
and the journal are believed, so a process killed at any instant loses at most the batch in
flight, and merging again what was half merged gives the same bytes. Batches are flushed to the
disk before they count, and blocks before their batches go.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..encoders.encoding import Encoding
from ..errors import StoreError
from ..geometry import IntArray, TileGrid
from .at_hand import AtHand
from .disk import disk_errors_in_words, flush, flush_tree
from .embedding_set import FLAG, EmbeddingSet, Part, TileState
from .journal import Journal

if TYPE_CHECKING:
    import zarr

#: Version of this layout. A store of a newer one is refused, not misread.
LAYOUT = 1
#: Blocks are made small enough that the patch tokens of one fit in this.
BLOCK_BYTES = 64 << 20
#: Arrays are read in pieces of this many tiles by as many.
PIECE = 4
#: How long to wait for another process that merges into the same set.
LOCK_TIMEOUT_S = 30.0


def block_side(token_bytes: int) -> int:
    """Side of a block in tiles, for tiles of that many bytes of patch tokens: 4 to 32."""
    side = 32
    while side > PIECE and side * side * token_bytes > BLOCK_BYTES:
        side //= 2
    return side


class StoredSet:
    """One encoder on one grid: what is encoded already, and a place for more.

    Safe to read from one thread while another writes. Several processes may write to the same
    set: batches are files of their own, and merging takes a lock.

    Attributes
    ----------
    grid : TileGrid
    provenance : dict
        Encoder, weights, resolution, slide, versions.
    state : (rows, cols) uint8
        A `TileState` per tile, batches in the journal included.
    """

    def __init__(
        self, root: Path, group: str, name: str, grid: TileGrid, provenance: dict[str, Any]
    ) -> None:
        self.grid = grid
        self.name = name
        self.path = root / group / name
        self._root = root
        self._mutex = threading.RLock()
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._group = self._open(provenance)
        self.provenance: dict[str, Any] = dict(self._group.attrs)
        layout = self.provenance["scalescope"]
        self.block: int = layout["block"]
        self._shapes = {k: tuple(v) for k, v in layout["shapes"].items()}
        self.state: npt.NDArray[np.uint8] = np.asarray(self._array("state")[:])
        self._journal = Journal(root / group / ".journal" / name)
        self._swept = False
        self._failed = np.zeros(grid.shape, bool)
        self._vectors: AtHand | None = None  # read when first asked for
        self._snapshot: tuple[Any, ...] | None = None  # vectors, tiles, state
        self._take_up_journal()

    # --- opening ---

    def _open(self, provenance: dict[str, Any]) -> zarr.Group:
        import zarr

        if (self.path / "zarr.json").exists():
            group = zarr.open_group(self.path, mode="r+")
            found = dict(group.attrs).get("scalescope")
            if not isinstance(found, dict):
                raise StoreError(
                    f"{self.path.name} in {self._root} was not made by ScaleScope.",
                    "Choose another store folder.",
                )
            if found.get("layout", 0) > LAYOUT:
                raise StoreError(
                    f"{self.path.name} was written by a newer ScaleScope.",
                    "Update napari-scalescope, or choose another store folder.",
                )
            if found.get("key") != provenance["scalescope"]["key"]:
                raise StoreError(
                    f"{self.path.name} holds embeddings of something else under the same name.",
                    "Choose another store folder.",
                )
            return group
        with self._lock(self.path.parent.name):
            if (self.path / "zarr.json").exists():  # another process was first
                return self._open(provenance)
            self._sweep(self.path.parent.glob("*.partial"))
            self._sweep(self.path.parent.glob(f".{self.path.name}.*"))
            zarr.open_group(self.path.parent, mode="a", zarr_format=3)
            # The folder gets its final name when it is complete: nobody sees half a set.
            draft = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
            group = zarr.create_group(draft, zarr_format=3, attributes=provenance)
            layout = provenance["scalescope"]
            side = layout["block"]
            group.create_array(
                "state", shape=self.grid.shape, chunks=(side, side), dtype="uint8", fill_value=0
            )
            self._create(group, "embedding", tuple(layout["shapes"]["embedding"]), side)
            flush_tree(draft, self.path.parent)
            draft.rename(self.path)
            flush(self.path.parent)
        return zarr.open_group(self.path, mode="r+")

    def _create(self, group: zarr.Group, name: str, shape: tuple[int, ...], side: int) -> None:
        """An array over the grid; one file per block, read in pieces of `PIECE`."""
        group.create_array(
            name,
            shape=(*self.grid.shape, *shape),
            shards=(side, side, *shape),
            chunks=(PIECE, PIECE, *shape),
            dtype="float16",
            fill_value=float("nan"),
        )

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            if name not in self._group:
                self._create(self._group, name, self._shapes[name], self.block)
            self._arrays[name] = self._group[name]  # type: ignore[assignment]
        return self._arrays[name]

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Keep other processes out. The system gives the lock back when a process dies."""
        from filelock import FileLock, Timeout

        folder = self._root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / f"{name}.lock", LOCK_TIMEOUT_S):
                yield
        except Timeout:
            raise StoreError(
                f"{self.name} is being written by another process.",
                "Wait for it, or choose another store folder.",
            ) from None

    def _sweep(self, leftovers: Iterable[Path]) -> None:
        """Remove what a killed process left half written. Called with the lock held."""
        for path in list(leftovers):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _take_up_journal(self) -> None:
        """Believe the batches that a process left behind when it died before merging them."""
        merged = []
        for batch in self._journal.batches:
            rows, cols = batch.tiles[:, 0], batch.tiles[:, 1]
            if (self.state[rows, cols] & batch.flags == batch.flags).all():
                merged.append(batch)  # killed between merging it and removing it
        self._journal.forget(merged)
        for batch in self._journal.batches:
            self._note(batch.tiles, batch.flags)

    # --- what is there ---

    def missing(self, tiles: npt.ArrayLike, keep: Collection[Part] = ()) -> IntArray:
        """Those of the tiles (n, 2) that still have to be encoded, in the same order.

        Tiles that were unreadable on another day are among them: each is tried once in the life
        of this object, because the file may have been repaired since.
        """
        need = TileState.ENCODED
        for part in keep:
            need |= FLAG[part]
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        state = self.state[tiles[:, 0], tiles[:, 1]]
        done = (state & need == need) | self._failed[tiles[:, 0], tiles[:, 1]]
        left: IntArray = tiles[~done]
        return left

    def complete(self, keep: Collection[Part] = ()) -> bool:
        """Whether every tile is known to be background or has its vector, and the parts to keep."""
        need = TileState.ENCODED
        for part in keep:
            need |= FLAG[part]
        done = (self.state & need == need) | (self.state & TileState.BACKGROUND != 0)
        return bool(done.all())

    def count(self, flag: TileState) -> int:
        """How many tiles are in a state."""
        return int(np.count_nonzero(self.state & flag))

    def embeddings(self) -> EmbeddingSet:
        """Everything encoded so far, as a value that later batches do not change.

        Its arrays are the same until something is written: every look at a map asks for them.
        """
        with self._mutex:
            if self._vectors is None:
                tiles = np.argwhere(self.state & TileState.ENCODED).astype(np.int64)
                self._vectors = AtHand(self.grid.shape, tiles, self._read("embedding", tiles))
            if self._snapshot is None:
                self._snapshot = (*self._vectors.row_by_row(), self.state.copy())
            vectors, tiles, state = self._snapshot
            return EmbeddingSet(vectors, tiles, self.grid, state, self.provenance, self.read)

    def read(self, part: Part, tiles: npt.ArrayLike) -> npt.NDArray[np.float16]:
        """Attention or patch tokens of tiles (n, 2): (n, …) float16, NaN where there are none."""
        with self._mutex:
            return self._read(part, np.asarray(tiles, np.int64).reshape(-1, 2))

    def _read(self, name: str, tiles: IntArray) -> npt.NDArray[np.float16]:
        out = np.full((len(tiles), *self._shapes[name]), np.nan, np.float16)
        if name == "embedding" or name in self._group:
            array = self._array(name)
            for (y0, x0), rows in _by_block(tiles, PIECE).items():
                y1, x1 = min(y0 + PIECE, self.grid.rows), min(x0 + PIECE, self.grid.cols)
                piece = np.asarray(array[y0:y1, x0:x1])
                out[rows] = piece[tiles[rows, 0] - y0, tiles[rows, 1] - x0]
        self._journal.fill(name, tiles, out)
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
        parts = {"embedding": encoding.embedding.astype(np.float16)}
        flags = TileState.ENCODED
        if encoding.attention is not None:
            parts["attention"] = encoding.attention.astype(np.float16)
            flags |= TileState.ATTENTION
        if encoding.patch_tokens is not None:
            parts["patch_tokens"] = encoding.patch_tokens.astype(np.float16)
            flags |= TileState.TOKENS
        with disk_errors_in_words(self._root), self._mutex:
            self._journal.append(tiles, int(flags), parts)
            if self._vectors is not None:
                self._vectors.put(tiles, parts["embedding"])
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
        self.state[at] = _known(self.state[at] | np.uint8(flags))
        self._snapshot = None

    def merge(self, blocks: Iterable[tuple[int, int]] | None = None) -> None:
        """Move batches of the journal into the arrays.

        Parameters
        ----------
        blocks : iterable of (int, int), optional
            First row and column of the blocks to merge. Default: all that have batches.
        """
        lock = self._lock(f"{self.path.parent.name}.{self.name}")
        with disk_errors_in_words(self._root), lock, self._mutex:
            if not self._swept:
                self._sweep(self.path.rglob("*.partial"))
                self._swept = True
            batches = self._journal.batches
            if blocks is None:
                wanted = {corner for b in batches for corner in _by_block(b.tiles, self.block)}
            else:
                wanted = set(blocks)
            for corner in sorted(wanted):
                self._merge_block(corner)
                self._flush_block(corner)
            self._journal.forget(
                [b for b in batches if set(_by_block(b.tiles, self.block)) <= wanted]
            )

    def _merge_block(self, corner: tuple[int, int]) -> None:
        (y0, x0), side = corner, self.block
        y1, x1 = min(y0 + side, self.grid.rows), min(x0 + side, self.grid.cols)
        area = np.s_[y0:y1, x0:x1]
        # Another process may have merged into this block since we read its state.
        self.state[area] = _known(self.state[area] | np.asarray(self._array("state")[area]))
        self._snapshot = None
        for name in ("embedding", "attention", "patch_tokens"):
            content = None
            for batch in self._journal.batches:
                inside = np.flatnonzero(
                    (batch.tiles[:, 0] >= y0)
                    & (batch.tiles[:, 0] < y1)
                    & (batch.tiles[:, 1] >= x0)
                    & (batch.tiles[:, 1] < x1)
                )
                if not len(inside):
                    continue
                part = batch.load(name)
                if part is None:
                    continue
                if content is None:
                    content = np.asarray(self._array(name)[area])
                at = batch.tiles[inside] - (y0, x0)
                content[at[:, 0], at[:, 1]] = part[inside]
            if content is not None:
                self._array(name)[area] = content
        self._array("state")[area] = self.state[area]

    def _flush_block(self, corner: tuple[int, int]) -> None:
        """Have a block on the disk before its batches leave the journal."""
        row, col = (str(n // self.block) for n in corner)
        for name in ("state", *self._shapes):
            flush_tree(self.path / name / "zarr.json", self.path)
            flush_tree(self.path / name / "c" / row / col, self.path)

    def close(self) -> None:
        """Merge what is left in the journal."""
        if self._journal.batches:
            self.merge()


def _known(state: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Flags from several days brought together: what has its vector was readable after all."""
    readable = np.uint8(0xFF ^ TileState.UNREADABLE)
    return np.where(state & TileState.ENCODED != 0, state & readable, state)


def _by_block(tiles: IntArray, side: int) -> dict[tuple[int, int], IntArray]:
    """Positions of tiles by the first row and column of the block they are in."""
    corners = tiles // side * side
    unique, inverse = np.unique(corners, axis=0, return_inverse=True)
    return {
        (int(r), int(c)): np.flatnonzero(inverse.reshape(-1) == i).astype(np.int64)
        for i, (r, c) in enumerate(unique)
    }
