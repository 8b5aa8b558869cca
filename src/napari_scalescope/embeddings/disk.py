"""The disk under a store: what was written is there, and what goes wrong is said in words."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from ..errors import StoreError


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
        for each in (*path.rglob("*"), path, *takewhile(top.parent.__ne__, path.parents)):
            flush(each)


@contextlib.contextmanager
def disk_errors_in_words(root: Path) -> Iterator[None]:
    """Say what happened to the disk instead of an error number."""
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
                f"The store {root} may not be written.", "Choose another store folder."
            ) from error
        raise StoreError(
            f"The store {root} cannot be used ({error}).", "Check the disk or the network share."
        ) from error
