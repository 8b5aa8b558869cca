"""Upkeep of stores: finding and mending damage, removing, and bringing stores together."""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoders.encoding import Encoding
from ..errors import StoreError
from .arrays import Arrays, Corner, Flags
from .disk import damage_in_words, disk_errors_in_words
from .embedding_set import FLAG, TileState, flags_of
from .inventory import SetFacts
from .layout import JOURNAL, PARTS, PIECE, STATE_SIDE, journal_of
from .leftovers import remove, sets
from .locks import Locks
from .stored_set import StoredSet

#: All that a tile may have.
EVERYTHING = flags_of(PARTS)

# --- verify -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Damage:
    """Something of a set that cannot be read.

    Parameters
    ----------
    where : str
        File or files of the set, relative to the store.
    what : str
        What is wrong, in a few words.
    tiles : int
        Tiles that have to be encoded again because of it.
    mended : bool
        Whether a repair helps. If not, the set can only be removed.
    """

    where: str
    what: str
    tiles: int = 0
    mended: bool = True


def verify(path: Path, *, repair: bool = False) -> Iterator[Damage]:
    """Read all of a set and tell what is damaged, one by one as it is found.

    Parameters
    ----------
    path : Path
        Folder of the set.
    repair : bool
        Mark what cannot be read as not yet encoded, so that the next run encodes it again, and
        keep all that can be read.

    Raises
    ------
    StoreError
        If the set is in use by another process, or the store is gone or may not be written.
    """
    root = path.parent.parent
    with disk_errors_in_words(root):
        try:
            arrays = Arrays(path)
        except StoreError as error:
            # Without its description nobody knows what it holds: only removing it helps.
            yield Damage(str(path.relative_to(root)), error.problem, mended=False)
            return
        yield from _verify_state(arrays, repair)
        try:
            state = arrays.state()
        except StoreError:
            return
        for corner in arrays.corners():
            if (state[arrays.area(corner)] & TileState.ENCODED).any():
                yield from _verify_block(arrays, corner, repair)
        yield from _verify_journal(path, repair)


def _verify_state(arrays: Arrays, repair: bool) -> Iterator[Damage]:
    """The state of tiles. What is lost of it is told anew from the vectors.

    That can be believed: a block's file is replaced as a whole, when what it holds is complete.
    """
    grid, array = arrays.grid, arrays.array("state")
    for y in range(0, grid.rows, STATE_SIDE):
        for x in range(0, grid.cols, STATE_SIDE):
            region = np.s_[y : y + STATE_SIDE, x : x + STATE_SIDE]
            file = arrays.path / "state" / "c" / str(y // STATE_SIDE) / str(x // STATE_SIDE)
            what = "its state is missing, though it has vectors"
            if file.exists() or not _lost(arrays, (y, x)):
                try:
                    with damage_in_words(arrays.path, "state"):
                        array[region]
                    continue
                except StoreError as error:
                    what = _what(error)
            if repair:
                with arrays.locks.alone():
                    told = _told_by_vectors(arrays)
                    file.unlink(missing_ok=True)
                    array[region] = told[region]
            yield Damage(_name(arrays, file), what)


def _lost(arrays: Arrays, region: Corner) -> bool:
    """Whether a part of the state that is not there once was: some block of it is merged.

    Who was killed between the first vectors and their state has them in the journal still.
    """
    if any(journal_of(arrays.path).glob("*.npz")):
        return False
    return any(
        arrays.file("embedding", corner).exists()
        for corner in arrays.corners()
        if (corner[0] // STATE_SIDE * STATE_SIDE, corner[1] // STATE_SIDE * STATE_SIDE) == region
    )


def _told_by_vectors(arrays: Arrays) -> Flags:
    """The state (rows, cols) that the arrays speak for."""
    state: Flags = np.zeros(arrays.grid.shape, np.uint8)
    for corner in arrays.corners():
        flags = state[arrays.area(corner)]
        for name in PARTS:
            if arrays.file(name, corner).exists():
                content, _ = _rescued(arrays, name, corner)
                flags[_sound(content)] |= np.uint8(FLAG[name])
        flags[flags & TileState.ENCODED == 0] = 0
    return state


def _verify_block(arrays: Arrays, corner: Corner, repair: bool) -> list[Damage]:
    """Vectors and parts of a block, against what its state says."""
    found = []
    # Who only looks needs no lock: what the state says now was written before. And he may look at
    # what he may not write.
    lock = arrays.locks.block(arrays.number(corner)) if repair else contextlib.nullcontext()
    with lock:
        state = np.asarray(arrays.array("state")[arrays.area(corner)])
        for name in PARTS:
            flag = FLAG[name]
            claimed = state & flag != 0
            if not claimed.any():
                continue
            content, what = _rescued(arrays, name, corner)
            bad = claimed & ~_sound(content)
            if not what and not bad.any():
                continue
            file = arrays.file(name, corner)
            what = what or f"{name} is not there, or not finite, of tiles that are said to have it"
            found.append(Damage(_name(arrays, file), what, int(bad.sum())))
            if repair:
                # A tile without its vector has nothing.
                lost = EVERYTHING if flag == TileState.ENCODED else flag
                state = np.where(bad, state & ~np.uint8(lost), state)
                # First the state says no more than can be read; then the file is mended.
                arrays.change_state([corner], functools.partial(_less, state))
                if file.exists():
                    remove([file])  # zarr would read it before it writes into it
                arrays.put(name, corner, content)
    return found


def _less(sound: Flags, _corner: Corner, now: Flags) -> Flags:
    """The state as it is now, without what is not sound."""
    return now & (sound | ~np.uint8(EVERYTHING))


def _rescued(arrays: Arrays, name: str, corner: Corner) -> tuple[npt.NDArray[np.float16], str]:
    """What can be read of a block, NaN elsewhere, and what was wrong with it, "" if nothing."""
    try:
        return arrays.content(name, corner), ""
    except StoreError as error:
        what = _what(error)
    rows, cols = arrays.area(corner)
    shape = rows.stop - rows.start, cols.stop - cols.start
    content = np.full((*shape, *arrays.shapes[name]), np.nan, np.float16)
    if name == "embedding":  # one piece
        return content, what
    for y in range(0, shape[0], PIECE):
        for x in range(0, shape[1], PIECE):
            to = np.s_[y : min(y + PIECE, shape[0]), x : min(x + PIECE, shape[1])]
            source = tuple(slice(s.start + o, s.stop + o) for s, o in zip(to, corner, strict=True))
            with contextlib.suppress(StoreError), damage_in_words(arrays.path, name):
                content[to] = np.asarray(arrays.array(name)[source])
    return content, what


def _sound(content: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
    """Which tiles (rows, cols) have nothing but finite numbers."""
    return np.asarray(np.isfinite(content).all(tuple(range(2, content.ndim))))


def _verify_journal(path: Path, repair: bool) -> Iterator[Damage]:
    """Batches that are not merged. Opening a set checks every byte of them."""
    StoredSet(path)
    for file in sorted(journal_of(path).glob("*.damaged")):
        what = "a batch that is damaged; its tiles count as not yet encoded"
        yield Damage(str(file.relative_to(path.parent.parent)), what)
        if repair:
            file.unlink(missing_ok=True)


def _what(error: StoreError) -> str:
    """What is damaged, without the name of the set."""
    return error.problem.partition(": ")[2].rstrip(".")


def _name(arrays: Arrays, file: Path) -> str:
    return str(file.relative_to(arrays.path.parent.parent))


# --- prune ------------------------------------------------------------------------------------


def remove_set(path: Path) -> None:
    """Remove a set and its journal. It is gone as a whole before its files go.

    Raises
    ------
    StoreError
        If another process is writing to it, or it may not be removed.
    """
    root, locks = path.parent.parent, Locks(path)
    with disk_errors_in_words(root), locks.making(), locks.alone():
        doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        path.rename(doomed)
        remove([journal_of(path), doomed])
        rest = [p for p in path.parent.iterdir() if p.name not in ("zarr.json", JOURNAL)]
        if not rest and not list(path.parent.glob(f"{JOURNAL}/*")):
            remove([path.parent])


# --- merge ------------------------------------------------------------------------------------


def merge_journals(root: Path) -> Iterator[tuple[Path, int]]:
    """Merge what waits in the journals of a store; yields each set that had any, and how many."""
    for path in sets(root):
        waiting = len(list(journal_of(path).glob("*.npz")))
        if waiting:
            StoredSet(path).close()
            yield path, waiting


@dataclass(frozen=True)
class Brought:
    """What came from one set into another.

    Parameters
    ----------
    path : Path
        The set it went to.
    tiles : int
        Tiles that had no vector there.
    parts : int
        Tiles that had one, but not all of the parts.
    kept : int
        Tiles that both had: those that were there already stayed.
    """

    path: Path
    tiles: int
    parts: int
    kept: int

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**vars(self), "path": str(self.path)}


def bring_in(facts: Iterable[SetFacts], root: Path) -> Iterator[Brought]:
    """Bring sets of other stores, as made on other machines, into the one at ``root``.

    Tiles of one fill the gaps of the other. It is safe to stop and to start again: tiles come in
    block by block, as they do when they are encoded.

    Raises
    ------
    StoreError
        If a set cannot be read, or the store cannot be written.
    """
    for each in facts:
        if each.path.parent.parent.resolve() == root.resolve():
            raise StoreError(f"{root} cannot be merged into itself.", "Name another folder.")
        source = StoredSet(each.path)
        target = StoredSet(root / each.path.parent.name / each.path.name, source.provenance)
        yield _bring(source, target)


def _bring(source: StoredSet, target: StoredSet) -> Brought:
    before = target.state.copy()
    lacking = source.state & ~before & np.uint8(EVERYTHING)
    lacking[source.state & TileState.ENCODED == 0] = 0
    marks = source.state & ~before
    for flag in (TileState.BACKGROUND, TileState.UNREADABLE):
        target.mark(np.argwhere(marks & flag), flag)
    corners = {(y, x) for y, x in (np.argwhere(marks) // target.block * target.block).tolist()}
    for corner in sorted(corners):
        block = np.s_[corner[0] : corner[0] + target.block, corner[1] : corner[1] + target.block]
        for needed in np.unique(lacking[block]).tolist():
            if not needed:
                continue
            tiles = np.argwhere(lacking[block] == needed) + corner
            # Where there is a vector already, that one stays.
            owner = source if needed & TileState.ENCODED else target
            vectors = owner.read("embedding", tiles).astype(np.float32)
            tokens = attention = None
            if needed & TileState.TOKENS:
                tokens = source.read("patch_tokens", tiles).astype(np.float32)
            if needed & TileState.ATTENTION:
                attention = source.read("attention", tiles).astype(np.float32)
            target.write(tiles, Encoding(vectors, tokens, attention))
        target.merge([corner])
    encoded = lacking & TileState.ENCODED != 0
    both = source.state & before & TileState.ENCODED != 0
    return Brought(
        target.path,
        int(encoded.sum()),
        int((~encoded & (lacking != 0)).sum()),
        int(both.sum()),
    )
