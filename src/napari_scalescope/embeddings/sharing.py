"""Which worker is given which shard."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Hashable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

#: A worker joins others on a slide where this many shards would be left to each: opening a slide
#: takes time, and every worker would open every slide else.
ENOUGH = 4


class Sharing(Generic[T]):
    """Shards that wait, slide by slide.

    A worker stays with the slide it has open while there is something to do on it. Then it joins
    the first slide with enough left for one more, so that slides are finished one after the
    other; and where there is none, the one with the most left: nobody is idle while shards wait.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, deque[T]] = {}
        self._at: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, slide: int, shards: Iterable[T]) -> None:
        """There is more to do on a slide."""
        self._waiting.setdefault(slide, deque()).extend(shards)

    def drop(self, slide: int) -> None:
        """There is nothing to do on a slide after all."""
        self._waiting.pop(slide, None)

    def keep(self, workers: Collection[Hashable]) -> None:
        """Only these workers are left."""
        self._at = {worker: slide for worker, slide in self._at.items() if worker in workers}

    def next_for(self, worker: Hashable) -> T | None:
        """A shard for a worker, None where nothing waits."""
        slide = self._at.get(worker)
        if slide is None or not self._waiting.get(slide):
            self._at.pop(worker, None)
            left = {slide: len(shards) for slide, shards in sorted(self._waiting.items()) if shards}
            if not left:
                return None
            there = list(self._at.values())
            roomy = (s for s, n in left.items() if n >= ENOUGH * (there.count(s) + 1))
            slide = next(roomy, max(left, key=lambda s: left[s]))
            self._at[worker] = slide
        return self._waiting[slide].popleft()
