"""The thread that encodes while somebody looks.

Two jobs at most: what is in view, and a whole slide behind it. A job is an iterator that does one
batch per step, so a newer view is served after one batch at the latest, whatever runs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from psygnal import Signal

from ..errors import EncoderError, ScaleScopeError
from ..geometry import IntArray
from .progress import Progress
from .stored_set import StoredSet

log = logging.getLogger(__name__)

#: Closing waits this long for the batch in the encoder. Whatever takes longer (an encoder being
#: loaded, a network share that hangs) ends by itself and must not hold up a window meanwhile.
CLOSE_S = 2.0

#: One finished batch: the set it went to, its tiles, and how far the job is.
Step = tuple[StoredSet, IntArray, Progress]


@dataclass(frozen=True)
class Job:
    """Something to encode.

    Parameters
    ----------
    name : str
        What it is called in the status line.
    steps : callable
        Makes the iterator that does one batch per step. Called in the engine's thread, where
        slow preparation (loading an encoder, finding tissue) belongs.
    """

    name: str
    steps: Callable[[], Iterator[Step]]


class Engine:
    """Runs the newest view first, and a whole slide when no view wants anything.

    Signals are emitted from the engine's thread; a listener that draws connects with
    ``thread="main"``. After ``started`` a job steps while somebody wants it, and ends with exactly
    one of ``finished``, ``failed`` and ``dropped``.
    """

    started = Signal(object)
    """(Job): its first step is about to run."""
    stepped = Signal(object, object, object, object)
    """(Job, StoredSet, tiles, Progress): a batch is in the store."""
    finished = Signal(object)
    """(Job): nothing of it is left to do."""
    failed = Signal(object, object)
    """(Job, ScaleScopeError): it was given up."""
    dropped = Signal(object)
    """(Job): nobody wants it any more. What it has done is kept."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._view: Job | None = None
        self._slide: Job | None = None
        self._running: dict[Job, Iterator[Step]] = {}
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="scalescope-engine", daemon=True)
        self._thread.start()

    def view(self, job: Job | None) -> None:
        """Encode this view instead of the one asked for before. None: nothing in view."""
        with self._wake:
            self._view = None if self._closed else job
            self._wake.notify_all()

    def slide(self, job: Job | None) -> None:
        """Encode this slide behind the views, instead of the one asked for before."""
        with self._wake:
            self._slide = None if self._closed else job
            self._wake.notify_all()

    def stop(self) -> None:
        """Drop both jobs. The batch in the encoder is finished and kept."""
        with self._wake:
            self._view = self._slide = None
            self._wake.notify_all()

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted and nothing runs."""
        with self._wake:
            return not self._busy and not self.wanted

    @property
    def wanted(self) -> tuple[Job, ...]:
        """The jobs that are to be done, the first of them first."""
        with self._wake:
            return tuple(job for job in (self._view, self._slide) if job is not None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is nothing to do; False when the time was up first."""
        with self._wake:
            return self._wake.wait_for(lambda: self._closed or self.idle, timeout)

    def close(self) -> None:
        """Stop for good. What is in the encoder has a moment to end."""
        with self._wake:
            self._closed = True
            self._view = self._slide = None
            self._wake.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    # --- in the engine's thread ---

    def _next(self) -> Job | None:
        """The job to go on with, once those nobody wants any more are let go."""
        while True:
            self._drop_unwanted()
            with self._wake:
                if self.wanted:
                    self._busy = True
                    return self.wanted[0]
                if self._running:
                    continue  # stopped this very moment: not at rest before that is told
                self._busy = False
                self._wake.notify_all()
                if self._closed:
                    return None
                self._wake.wait()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._step(job)
            except ScaleScopeError as error:
                self._give_up(job, error)
            except Exception as error:
                # A bug, or a library that failed in a way nobody foresaw. The thread has to
                # outlive it, and the traceback belongs in the log.
                log.exception("%s failed", job.name)
                self._give_up(
                    job,
                    EncoderError(f"{job.name} failed: {error}", "The log has the details."),
                )

    def _step(self, job: Job) -> None:
        if job not in self._running:
            self.started.emit(job)
            self._running[job] = job.steps()
        step = next(self._running[job], None)
        if job not in self.wanted:
            return
        if step is None:
            self._remove(job)
            self.finished.emit(job)
        else:
            self.stepped.emit(job, *step)

    def _give_up(self, job: Job, error: ScaleScopeError) -> None:
        if job in self.wanted:
            self._remove(job)
            self.failed.emit(job, error)

    def _remove(self, job: Job) -> None:
        self._running.pop(job, None)
        with self._wake:
            if self._view is job:
                self._view = None
            if self._slide is job:
                self._slide = None

    def _drop_unwanted(self) -> None:
        """Close iterators of jobs nobody wants any more: their read-ahead is cancelled."""
        wanted = self.wanted
        for job in [j for j in self._running if j not in wanted]:
            steps = self._running.pop(job)
            close = getattr(steps, "close", None)
            if close is not None:
                close()
            self.dropped.emit(job)
