"""Writes finished batches while the next are encoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: Finished batches that may wait for the disk: a process that is killed loses no more than that
#: beside the one in its encoder.
WAITING = 1


class Writer(Generic[Item]):
    """One thread that writes in order. A context manager: leaving it waits for what is under way.

    Whoever hands something over gets it back from `written` when it is on the disk.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="scalescope-writer")
        self._pending: deque[tuple[Item, Future[None]]] = deque()

    def __enter__(self) -> Writer[Item]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)

    def write(self, item: Item, act: Callable[[], None]) -> None:
        """Have something written; ``act`` does it."""
        self._pending.append((item, self._pool.submit(act)))

    def written(self, wait_for_all: bool = False) -> Iterator[Item]:
        """What is on the disk by now, in order; waits where too much would be left to write.

        Raises
        ------
        StoreError
            What writing raised.
        """
        while self._pending:
            item, future = self._pending[0]
            if not (wait_for_all or future.done() or len(self._pending) > WAITING):
                return
            future.result()
            self._pending.popleft()
            yield item
