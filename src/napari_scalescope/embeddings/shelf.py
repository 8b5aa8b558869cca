"""What a process keeps open because it will soon be wanted again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """The last few things that were opened, each made once, whichever threads ask for it.

    Parameters
    ----------
    room : int
        How many are kept. More are there only while more are in use.
    close : callable
        What to do with one that goes.
    """

    def __init__(self, room: int, close: Callable[[T], None] = lambda _: None) -> None:
        self._room, self._close = room, close
        self._things: dict[Hashable, T] = {}  # the one used last comes last
        self._users: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(self, key: Hashable, make: Callable[[], T]) -> Iterator[T]:
        """Have one, made if it is not there. Until it is given back nobody closes it."""
        with self._lock:
            if key in self._things:
                thing = self._things.pop(key)
            else:
                self._shrink(self._room - 1)  # first: two encoders may not fit side by side
                thing = make()
            self._things[key] = thing
            self._users[key] = self._users.get(key, 0) + 1
        try:
            yield thing
        finally:
            with self._lock:
                self._users[key] -= 1
                self._shrink(self._room)

    def clear(self) -> None:
        """Let all go that are not in use."""
        with self._lock:
            self._shrink(0)

    def _shrink(self, room: int) -> None:
        idle = [key for key in self._things if not self._users[key]]
        for key in idle[: max(0, len(self._things) - room)]:
            del self._users[key]
            self._close(self._things.pop(key))
