"""Handing out the work of `embed_distributed`, and taking in what workers say."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ..errors import ClusterError, ScaleScopeError
from . import shards
from .clusters import no_workers
from .progress import Meter, Report
from .report import row
from .shards import Block, Done, Job, Planned
from .sharing import Sharing

if TYPE_CHECKING:
    from distributed import Client, Future

#: A shard has about this many tiles: seconds of work, so that handing it out costs little.
SHARD_TILES = 256
#: How often to look which workers there are.
LOOK_S = 1.0


@dataclass(eq=False)
class _Set:
    """One set that is being filled."""

    slide: int
    planned: Planned
    meter: Meter
    began: float
    waiting: int


@dataclass(eq=False)
class _Task:
    """Something a worker was asked for."""

    slide: int
    worker: str  # "" where any will do
    submit: Callable[[dict[str, Any]], Future]
    then: Callable[[Any], None]
    priority: int = 0
    future: Any = field(default=None, repr=False)


class Crew:
    """Hands out work to the workers there are, one encoder after the other.

    Two tasks a thread are with a worker, one to do and one to go on with; the others wait here.
    So a worker that comes later gets its share, and one that goes takes little with it.

    Parameters
    ----------
    client : Client
    report : callable
        Given the progress of all after each shard.
    over : callable
        Given the number of a slide when one of its sets is finished, and when nothing more will
        be done of it.
    retries, wait_s
        As for `embed_distributed`.

    Attributes
    ----------
    rows : dict
        By slide, encoder and resolution, what the report says of finished sets.
    doubts : dict
        By slide, what is doubtful about it: the keys of a dict.
    failed : dict
        Slides that were given up, and why.
    skipped : set
        Slides that were passed over.
    """

    def __init__(
        self,
        client: Client,
        report: Report,
        over: Callable[[int], None],
        retries: int,
        wait_s: float,
    ) -> None:
        self.rows: dict[tuple[int, str, float], dict[str, Any]] = {}
        self.doubts: dict[int, dict[str, None]] = defaultdict(dict)
        self.failed: dict[int, ScaleScopeError] = {}
        self.skipped: set[int] = set()
        self._client, self._report, self._over = client, report, over
        self._retries, self._wait_s = retries, wait_s
        self._meter = Meter(0)
        self._ended: SimpleQueue[Future] = SimpleQueue()
        self._tasks: dict[str, _Task] = {}
        self._unplanned: list[tuple[int, Job]] = []
        self._shards: Sharing[tuple[_Set, tuple[Block, ...], int]] = Sharing()
        self._name = ""
        self._stranded: set[str] = set()
        self._threads: dict[str, int] = {}
        self._looked = self._alive = time.monotonic()
        self._look()

    def wait_for(self, function: Callable[..., Any], *args: Any) -> Any:
        """Have something done by any worker, before anything else is."""
        answer: list[Any] = []
        ask = lambda options: self._client.submit(function, *args, **options)  # noqa: E731
        self._submit(_Task(-1, "", ask, answer.append))
        self._work()
        return answer[0]

    def pass_over(self, jobs: Sequence[Sequence[Job]]) -> None:
        """Skip slides of which nothing is left to do; ``jobs`` of all slides for each encoder."""
        complete = set(range(len(jobs[0]))) if jobs else set()
        for each in jobs:
            asked, complete = complete - self.failed.keys(), set()
            for slide in sorted(asked):
                self._submit(self._look_up(slide, each[slide], complete))
            self._work()
        self.skipped |= complete
        for slide in sorted(complete):
            self._over(slide)

    def _look_up(self, slide: int, job: Job, complete: set[int]) -> _Task:
        """Put the slide among ``complete`` if it is."""
        return _Task(
            slide,
            "",
            lambda options: self._client.submit(shards.is_complete, job, **options),
            lambda answer: complete.add(slide) if answer else None,
        )

    def encode(self, name: str, jobs: Sequence[Job]) -> None:
        """Encode all slides with one encoder, but those that failed or were passed over."""
        self._name = name
        done_with = self.failed.keys() | self.skipped
        self._unplanned = [(i, job) for i, job in enumerate(jobs) if i not in done_with]
        self._work()

    def leave(self) -> None:
        """Take back what was asked for. Workers finish the shard they are at, and keep it."""
        futures = [task.future for task in self._tasks.values()]
        if self._client.status != "running":  # the scheduler is gone, and that is said already
            return
        with suppress(Exception):  # or it goes now
            self._client.cancel(futures, force=True)
            self._client.run(shards.forget)

    # --- handing out --------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            self._hand_out()
            if not self._tasks and not self._unplanned and not self._shards:
                return
            if time.monotonic() - self._looked > LOOK_S:
                self._look()
            with suppress(Empty):
                self._take(self._ended.get(timeout=LOOK_S))

    def _hand_out(self) -> None:
        busy: dict[str, int] = defaultdict(int)
        for task in self._tasks.values():
            busy[task.worker] += 1
        room = {worker: n + 1 - busy[worker] for worker, n in self._threads.items()}
        slots = sum(n + 1 for n in self._threads.values())
        # Slides are planned a little ahead of the shards.
        while self._unplanned and len(self._shards) < slots and busy[""] < len(self._threads):
            busy[""] += 1
            self._hand_out_plan(*self._unplanned.pop(0))
        while any(n > 0 for n in room.values()):
            for worker in [w for w, n in room.items() if n > 0]:
                room[worker] -= 1
                found = self._shards.next_for(worker)
                if found is None:
                    return
                self._hand_out_shard(worker, *found)

    def _hand_out_plan(self, slide: int, job: Job) -> None:
        began = time.monotonic()
        self._submit(
            _Task(
                slide,
                "",
                lambda options: self._client.submit(shards.plan_slide, job, **options),
                lambda answer: self._planned(slide, began, *answer),
                10,
            )
        )

    def _hand_out_shard(self, worker: str, of: _Set, blocks: tuple[Block, ...], tiles: int) -> None:
        target = of.planned.target
        self._submit(
            _Task(
                of.slide,
                worker,
                lambda o: self._client.submit(shards.encode_shard, target, blocks, **o),
                lambda done: self._shard_done(of, tiles, done),
            )
        )

    def _submit(self, task: _Task) -> None:
        key = f"scalescope-{uuid.uuid4().hex}"
        options = {"key": key, "retries": self._retries, "priority": task.priority, "pure": False}
        if task.worker:  # a hint: whoever is free may take it, should this one be late or lost
            options |= {"workers": [task.worker], "allow_other_workers": True}
        task.future = task.submit(options)
        self._tasks[key] = task
        task.future.add_done_callback(self._ended.put)

    # --- taking in ----------------------------------------------------------------------------

    def _take(self, future: Future) -> None:
        task = self._tasks.pop(future.key, None)
        if task is None:  # of a slide that was given up
            return
        if future.status == "finished":
            task.then(future.result())
            return
        if future.status != "error":
            raise self._lost()
        raised = future.exception()
        error = _in_words(raised)
        if isinstance(error, ScaleScopeError) and task.slide >= 0:
            self._give_up(task.slide, error)
            return
        raise error from raised

    def _planned(
        self, slide: int, began: float, planned: list[Planned], doubts: tuple[str, ...]
    ) -> None:
        self.doubts[slide].update(dict.fromkeys(doubts))
        for each in planned:
            cut = list(_cut(each))
            meter = Meter(each.left, each.reused, part_of=self._meter)
            of = _Set(slide, each, meter, began, len(cut))
            self._shards.add(slide, [(of, *shard) for shard in cut])
            if not cut:
                self._finish(of)
        self._report(self._meter.now())

    def _shard_done(self, of: _Set, tiles: int, done: Done) -> None:
        self.doubts[of.slide].update(dict.fromkeys(done.doubts))
        of.waiting -= 1
        of.meter.add(tiles, done.read_s, done.encode_s, done.write_s, done.unreadable)
        self._report(self._meter.now())
        if of.waiting == 0:
            self._finish(of)

    def _finish(self, of: _Set) -> None:
        target = of.planned.target
        self._submit(
            _Task(
                of.slide,
                "",
                lambda options: self._client.submit(shards.finish_set, target, **options),
                lambda background: self._finished(of, background),
                5,
            )
        )

    def _finished(self, of: _Set, background: int) -> None:
        planned, target = of.planned, of.planned.target
        self.rows[of.slide, self._name, target.grid.mpp] = row(
            planned.slide,
            self._name,
            target.grid.mpp,
            of.meter.now(),
            background,
            time.monotonic() - of.began,
            target.path,
        )
        self._over(of.slide)

    def _give_up(self, slide: int, error: ScaleScopeError) -> None:
        """Report a slide, and have nothing more done of it."""
        self.failed[slide] = error
        self._shards.drop(slide)
        theirs = {key: task for key, task in self._tasks.items() if task.slide == slide}
        for key in theirs:
            del self._tasks[key]
        self._client.cancel([task.future for task in theirs.values()])
        self._over(slide)

    # --- who is there -------------------------------------------------------------------------

    def _look(self) -> None:
        """See which workers there are."""
        if self._client.status != "running":
            raise self._lost()
        try:
            self._threads = dict(self._client.nthreads())
            self._rescue()
        except (OSError, TimeoutError) as error:
            raise self._lost() from error
        self._shards.keep(self._threads)
        self._looked = time.monotonic()
        if self._threads:
            self._alive = self._looked
        elif self._looked - self._alive > self._wait_s:
            raise no_workers(self._client.scheduler_info()["address"], self._wait_s)

    def _rescue(self) -> None:
        """Submit again what nobody works on.

        Where all workers go at once, `distributed` keeps tasks that one of them was hinted at for
        that very worker, though others might have them, and it never comes back.
        """
        theirs = {
            key for key, t in self._tasks.items() if t.worker and t.worker not in self._threads
        }
        if theirs and self._threads:
            theirs -= {key for keys in self._client.processing().values() for key in keys}
        for key in theirs & self._stranded if self._threads else ():
            task = self._tasks[key]
            if task.future.status == "pending":
                del self._tasks[key]
                self._client.cancel([task.future])
                task.worker = ""
                self._submit(task)
        self._stranded = theirs

    def _lost(self) -> ClusterError:
        return ClusterError(
            "The scheduler was lost. What is encoded so far is kept.",
            "Start it again, and the same command: it goes on from there.",
        )


def _cut(planned: Planned) -> Iterator[tuple[tuple[Block, ...], int]]:
    """Neighbouring blocks with about as many tiles to encode as a shard has, and how many."""
    part: list[Block] = []
    tiles = 0
    for block, lacking in zip(planned.blocks, planned.lacking, strict=True):
        part.append(block)
        tiles += lacking
        if tiles >= SHARD_TILES:
            yield tuple(part), tiles
            part, tiles = [], 0
    if part:
        yield tuple(part), tiles


def _in_words(error: BaseException) -> BaseException:
    """What happened to a worker, where it is something that happens to workers."""
    from distributed.scheduler import KilledWorker

    if isinstance(error, KilledWorker):
        return ClusterError(
            f"{error.allowed_failures + 1} workers died one after the other over the same tiles, "
            f"the last was {error.last_worker.address}. What is encoded so far is kept.",
            "Look at the logs of the workers; most often memory is short: start fewer on a "
            "machine, or give each more.",
        )
    return error
