"""Finished batches that are not merged into the arrays yet, one small file each."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray
from .disk import flush
from .leftovers import alive, this_machine

log = logging.getLogger(__name__)

#: How often a folder is made again that other processes remove, each when it has emptied it.
TRIES = 10
#: What reading a damaged file may raise, on top of `OSError`.
DAMAGE = (zipfile.BadZipFile, EOFError, KeyError, RuntimeError, ValueError)

Parts = Mapping[str, npt.NDArray[np.float16]]


@dataclass(frozen=True)
class Batch:
    """One file of the journal.

    Parameters
    ----------
    path : Path
    tiles : (n, 2) int64
        Row and column of each tile in it.
    flags : int
        The `TileState` its tiles have because of it.
    """

    path: Path
    tiles: IntArray
    flags: int

    def load(self, name: str) -> npt.NDArray[np.float16] | None:
        """One part (n, …) of the batch.

        None where it has no such part, and where another process has merged and removed it.
        """
        with contextlib.suppress(FileNotFoundError), np.load(self.path) as data:
            if name in data:
                part: npt.NDArray[np.float16] = data[name]
                return part
        return None


class Journal:
    """The batches of one set that wait to be merged.

    A batch's file appears whole, by renaming, or not at all. It may be written while another
    process writes to the same journal: every file has a name of its own.

    Attributes
    ----------
    batches : list of Batch
        Those this process knows, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.batches: list[Batch] = []
        for path in sorted(_files(folder), key=_age):
            self._take_up(path)

    def look_again(self, concerns: Callable[[IntArray], bool]) -> list[Batch]:
        """Know what other processes have added since, and forget what they have merged.

        Parameters
        ----------
        concerns : callable
            Whether a batch of these tiles (n, 2) is of interest. The others are not read: there
            may be gigabytes of them, of other workers.

        Returns
        -------
        list of Batch
            The new ones.
        """
        there = set(_files(self._folder))
        self.batches = [b for b in self.batches if b.path in there]
        new = there - {b.path for b in self.batches}
        before = len(self.batches)
        for path in sorted(new, key=_age):
            if path.suffix == ".npz" and _concerned(path, concerns):
                self._take_up(path)
        return self.batches[before:]

    def _take_up(self, path: Path) -> None:
        """Know a file that a process left behind."""
        if path.suffix == ".partial":
            if not alive(path):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            return
        if path.suffix != ".npz":
            return
        try:
            self.batches.append(_whole(path))
        except OSError:
            pass  # its owner removed it, once its tiles were merged; nothing is missed
        except DAMAGE as error:
            # A disk that lost power may bring back anything. The tiles are encoded again.
            log.warning("%s is damaged (%s) and set aside", path, error)
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".damaged"))

    def append(self, tiles: IntArray, flags: int, parts: Parts) -> None:
        """Keep a batch. When this returns it is on the disk.

        Flushing costs about a millisecond a batch; encoding one takes a hundred.
        """
        name = f"{os.getpid()}-{uuid.uuid4().hex}@{this_machine()}"
        draft, final = self._folder / f"{name}.partial", self._folder / f"{name}.npz"
        arrays: dict[str, Any] = {"tiles": tiles, "flags": np.uint8(flags), **parts}
        try:
            with self._new(draft) as file:
                np.savez(file, **arrays)
            flush(draft)
            draft.replace(final)
            # Another process may have merged it already, and removed the folder with it.
            with contextlib.suppress(FileNotFoundError):
                flush(self._folder)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
        self.batches.append(Batch(final, tiles, flags))

    def _new(self, path: Path) -> BinaryIO:
        """A new file of the journal.

        Its folder is made, but never the slide's: if that is gone, its share is not connected.
        """
        for attempt in range(TRIES):
            self._folder.parent.mkdir(exist_ok=True)
            try:
                self._folder.mkdir(exist_ok=True)
                return path.open("wb")
            except FileNotFoundError:  # another process forgot its last batch this very moment
                if attempt == TRIES - 1:
                    raise
        raise AssertionError

    def forget(self, batches: list[Batch]) -> None:
        """Remove batches whose tiles are in the arrays now."""
        for batch in batches:
            with contextlib.suppress(OSError):  # it may only be read: merged again, it is the same
                batch.path.unlink(missing_ok=True)
        gone = {b.path for b in batches}
        self.batches = [b for b in self.batches if b.path not in gone]
        with contextlib.suppress(OSError):  # another process' batches are in it
            self._folder.rmdir()
            self._folder.parent.rmdir()


def sound_batches(folder: Path) -> list[Batch]:
    """The batches in a journal of which every byte is sound, oldest first. Changes nothing."""
    found = []
    for path in sorted(_files(folder), key=_age):
        if path.suffix == ".npz":
            # Its owner may merge and remove it at any moment.
            with contextlib.suppress(OSError, *DAMAGE):
                found.append(_whole(path))
    return found


def fill(name: str, tiles: IntArray, out: npt.NDArray[Any], batches: Sequence[Batch]) -> IntArray:
    """Put what batches, the newest last, have of ``tiles`` (n, 2) into ``out`` (n, …).

    Returns
    -------
    (m,) int64
        Which of the tiles have nothing because another process has just merged their batch: they
        are in the arrays now.
    """
    merged = np.zeros(len(tiles), bool)
    if not batches or not len(tiles):
        return np.flatnonzero(merged)
    keys = _keys(tiles)
    order = np.argsort(keys)
    for batch in batches:
        wanted = _keys(batch.tiles)
        at = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
        hits = np.flatnonzero(keys[at] == wanted)
        part = batch.load(name) if len(hits) else None
        if part is not None:
            out[at[hits]] = part[hits]
        elif len(hits) and not batch.path.exists():
            merged[at[hits]] = True
    return np.flatnonzero(merged & np.isnan(out.reshape(len(out), -1)[:, 0]))


def _keys(tiles: IntArray) -> IntArray:
    """One number for each tile (n, 2)."""
    keys: IntArray = tiles[:, 0] << 32 | tiles[:, 1]
    return keys


def _files(folder: Path) -> Iterator[Path]:
    """What is in a folder that another process may remove at any moment."""
    with contextlib.suppress(FileNotFoundError):
        yield from folder.iterdir()


def _concerned(path: Path, concerns: Callable[[IntArray], bool]) -> bool:
    """Whether a file has tiles of interest; one that cannot be read has, so that it is said."""
    try:
        with np.load(path) as data:
            return concerns(data["tiles"])
    except FileNotFoundError:
        return False
    except (OSError, *DAMAGE):
        return True


def _age(path: Path) -> tuple[int, str]:
    """Sorts files by when they were written; one that was just removed comes first."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime_ns, path.name
    return 0, path.name


def _whole(path: Path) -> Batch:
    """The batch in a file of which every byte is sound: from then on it is believed."""
    with path.open("rb") as file:
        with zipfile.ZipFile(file) as parts:
            if (damaged := parts.testzip()) is not None:
                raise zipfile.BadZipFile(f"bad checksum of {damaged}")
        file.seek(0)
        with np.load(file) as data:
            return Batch(path, data["tiles"], int(data["flags"]))
