"""Locks between processes that write to one store.

Locks are the operating system's: it gives them back when a process dies, so a lock file that a
killed process left behind blocks nobody. A file system without such locks (some network shares)
gets locks that are files; those name their process, and one of a dead process of this machine is
broken by the next that wants it.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError

#: How long to wait for another process.
TIMEOUT_S = 30.0
#: The blocks of a set share this many locks: processes rarely wait for each other's vectors, and
#: the folder of locks stays small.
STRIPES = 8
#: What a file system says that has no locks.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


class Locks:
    """The locks of one set. Whoever takes several takes a block's before the state's.

    Parameters
    ----------
    path : Path
        Folder of the set: ``<root>/<slide>.zarr/<set>``. Locks lie in ``<root>/.locks``.

    Attributes
    ----------
    patience_s : float, optional
        How long to wait for another process. Default: `TIMEOUT_S`.
    """

    def __init__(self, path: Path) -> None:
        self.patience_s: float | None = None
        self._path = path
        self._name = f"{path.parent.name}.{path.name}"
        self._folder = path.parent.parent / ".locks"

    def making(self) -> contextlib.AbstractContextManager[None]:
        """Held to make or remove a set of the slide."""
        return self._lock(self._path.parent.name)

    def state(self) -> contextlib.AbstractContextManager[None]:
        """Held to change the state of tiles, or to add an array."""
        return self._lock(self._name)

    def block(self, number: int) -> contextlib.AbstractContextManager[None]:
        """Held to change the vectors and parts of a block."""
        return self._lock(f"{self._name}.{number % STRIPES}")

    @contextlib.contextmanager
    def alone(self, timeout_s: float | None = None) -> Iterator[None]:
        """Held while nobody else may write anything to the set."""
        with contextlib.ExitStack() as held:
            for number in range(STRIPES):
                held.enter_context(self._lock(f"{self._name}.{number}", timeout_s))
            held.enter_context(self._lock(self._name, timeout_s))
            yield

    @contextlib.contextmanager
    def _lock(self, name: str, timeout_s: float | None = None) -> Iterator[None]:
        from filelock import FileLock, SoftFileLock, Timeout

        if timeout_s is None:
            timeout_s = TIMEOUT_S if self.patience_s is None else self.patience_s
        # Not with its parents: what is gone with a network share must not come up beside it.
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{name}.lock"
        with contextlib.ExitStack() as held:
            try:
                try:
                    held.enter_context(FileLock(path, timeout_s))
                except (NotImplementedError, OSError) as error:
                    if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                        raise
                    held.enter_context(SoftFileLock(f"{path}.soft", timeout_s))
            except Timeout:
                raise StoreError(
                    f"{self._path.name} is being written by another process.",
                    "Wait for it, or choose another store folder.",
                ) from None
            yield
