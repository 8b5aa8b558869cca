"""What processes that were killed leave behind in a store."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import StoreError
from .layout import JOURNAL
from .locks import Locks

#: Names that only a store gives: what is called otherwise is somebody else's.
GROUP = re.compile(r".+-[0-9a-f]{12}\.zarr")
SET = re.compile(r"[^.].*-[0-9a-f]{8}")
DRAFT = re.compile(r"\..+-[0-9a-f]{8}\.[0-9a-f]{32}")
#: Whether a process of another machine lives cannot be asked: after this long it is taken for dead.
ELSEWHERE_S = 24 * 3600.0


def remove(paths: Iterable[Path]) -> None:
    """Remove files and folders; what is gone already is no trouble."""
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def groups(root: Path) -> list[Path]:
    """The slides' folders of a store.

    Raises
    ------
    StoreError
        If there is no such folder.
    """
    if not root.is_dir():
        raise StoreError(f"There is no store at {root}.", "Check the path.")
    return sorted(p for p in root.iterdir() if GROUP.fullmatch(p.name) and p.is_dir())


def sets(root: Path) -> list[Path]:
    """The folders of the sets of a store, damaged ones included."""
    return [
        path
        for group in groups(root)
        for path in sorted(group.iterdir())
        if SET.fullmatch(path.name) and path.is_dir()
    ]


def find_leftovers(root: Path) -> Iterator[Path]:
    """Drafts of sets, half-written files, batches set aside, and journals of no set.

    Some may still be in use by a living process: `sweep` knows.
    """
    for group in groups(root):
        for path in sorted(group.iterdir()):
            if DRAFT.fullmatch(path.name) or path.suffix == ".partial":
                yield path
            elif SET.fullmatch(path.name) and path.is_dir():
                yield from sorted(path.rglob("*.partial"))
        for journal in sorted(group.glob(f"{JOURNAL}/*")):
            if not (group / journal.name).exists():
                yield journal
            else:
                halves = (p for p in journal.glob("*.partial") if not alive(p))
                yield from sorted([*journal.glob("*.damaged"), *halves])


def sweep(root: Path) -> list[Path]:
    """Remove what `find_leftovers` finds, but what a living process may still be writing.

    Returns
    -------
    list of Path
        What was removed.
    """
    gone = []
    for path in list(find_leftovers(root)):
        inside = path.relative_to(root).parts
        journal = inside[1] == JOURNAL
        locks = Locks(root / inside[0] / inside[2 if journal else 1].lstrip("."))
        # A draft and a journal come and go under the lock of making sets.
        lock = locks.making() if journal or len(inside) == 2 else locks.alone(timeout_s=0)
        with contextlib.suppress(StoreError), lock:
            remove([path])
            gone.append(path)
    return gone


def alive(path: Path) -> bool:
    """Whether the process that writes a file of the journal may still be running.

    Its name begins with the number of the process, and says after ``@`` on which machine.
    """
    number, _, machine = path.stem.partition("@")
    if machine and machine != this_machine():
        with contextlib.suppress(OSError):
            return time.time() - path.stat().st_mtime < ELSEWHERE_S
        return False
    try:
        os.kill(int(number.partition("-")[0]), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def this_machine() -> str:
    """A name for this machine that may stand in a file's."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", socket.gethostname())[:40] or "here"
