"""`Finding`: a value that is about one slide, encoder and scale."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from psygnal import Signal

T = TypeVar("T")


class Finding(Generic[T]):
    """Something that was found out, None while it was not.

    It may be computed in a thread, which takes longer than the slide is looked at. `forget`
    therefore begins a new generation, and `keep` drops what was begun in an older one.
    """

    changed = Signal()

    def __init__(self) -> None:
        self.found: T | None = None
        self._lock = threading.Lock()
        self._generation = 0

    @property
    def generation(self) -> int:
        """To be read before anything of the scene is, and given to `keep`."""
        return self._generation

    def forget(self) -> None:
        """Something else is looked at now. Called when the scene has changed completely."""
        with self._lock:
            self._generation += 1
            self.found = None
        self.changed.emit()

    def close(self) -> None:
        """Accept nothing any more."""
        with self._lock:
            self._generation += 1

    def keep(
        self, found: T | None, generation: int, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Take what was found, unless the scene is another or it is not ``still`` wanted."""
        with self._lock:
            if generation != self._generation or not still():
                return False
            self.found = found
        self.changed.emit()
        return True
