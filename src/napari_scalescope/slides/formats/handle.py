"""A file that several threads read at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class Handle:
    """Reads pieces of a file at given offsets, from any thread.

    It closes when the last reference to it goes. A thread that still reads holds one, so the
    descriptor is never given to another file under its hands.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset``, fewer at the end of the file."""
        if hasattr(os, "pread"):
            return os.pread(self._fd, count, offset)
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, count)

    def __del__(self) -> None:
        fd = getattr(self, "_fd", None)  # there is none where the file could not be opened
        if fd is not None:
            os.close(fd)
