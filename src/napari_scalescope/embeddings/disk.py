"""The disk under a store: what was written is there, and what goes wrong is said in words."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from ..errors import StoreError

#: What the system says of a share that is gone. Some of them not every system knows.
GONE = {
    number
    for number, name in errno.errorcode.items()
    if name.startswith(("ENET", "EHOST", "ECONN"))
    or name in ("ENOENT", "ENODEV", "ENXIO", "ESTALE", "ENOTCONN", "ETIMEDOUT", "EREMOTEIO")
}


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk itself and in no cache."""
    folder = path.is_dir()
    if folder and os.name == "nt":  # opens no folders, and keeps a log of their names
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Not every network share knows how to flush a folder.
        if not folder or error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def flush_tree(path: Path, top: Path) -> None:
    """`flush` a file or all of a folder, if it is there, and the folders from it up to ``top``."""
    if path.exists():
        for each in path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # another process' draft, renamed since
                flush(each)
        for each in (path, *takewhile(top.parent.__ne__, path.parents)):
            flush(each)


def files_below(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Path and status of every file below a folder; what others remove meanwhile is left out.

    A set may have tens of thousands.
    """
    pending = [os.fspath(folder)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        yield entry.path, entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # removed while we looked, or never there
            continue


@contextlib.contextmanager
def disk_errors_in_words(root: Path, doing: str = "written") -> Iterator[None]:
    """Say what happened to the disk instead of an error number.

    Parameters
    ----------
    root : Path
        Folder of the store.
    doing : "written" or "read"
        What is being done to it.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk of the store {root} is full. What was encoded so far is kept.",
                "Free some space, or choose another store folder; encoding goes on from there.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreError(
                f"The store {root} may not be {doing}.",
                "Ask for the right to, or choose another store folder.",
            ) from error
        if error.errno in GONE:
            raise gone(root) from error
        raise StoreError(
            f"The store {root} cannot be used ({error}).", "Check the disk or the network share."
        ) from error


def gone(root: Path) -> StoreError:
    """What to say of a store that was there a moment ago."""
    return StoreError(
        f"The store {root} is gone: its folder was moved or its share is not connected. What was "
        "encoded so far is in it.",
        "Bring it back and encode again; it goes on from there.",
    )


def damaged(path: Path, what: str) -> StoreError:
    """What to say of bytes that are not those that were written."""
    return StoreError(
        f"{path.name} is damaged: {what}.",
        f"Run scalescope store verify {path.parent.parent} --repair: it marks what cannot be read "
        "as not yet encoded.",
    )


@contextlib.contextmanager
def damage_in_words(path: Path, name: str) -> Iterator[None]:
    """Say that an array of the set at ``path`` is damaged, whatever its decoder stumbles over."""
    try:
        yield
    except (OSError, StoreError):
        raise
    except Exception as error:
        # Chance bytes make a decoder raise anything: ValueError, RuntimeError, IndexError…
        raise damaged(path, f"its {name} cannot be decoded ({str(error)[:80]})") from error
