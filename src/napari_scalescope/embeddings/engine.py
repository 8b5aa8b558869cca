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
    ``thread="main"``.
    """

    started = Signal(object)
    """(Job): its first step is about to run."""
    stepped = Signal(object, object, object, object)
    """(Job, StoredSet, tiles, Progress): a batch is in the store."""
    finished = Signal(object)
    """(Job): nothing of it is left to do."""
    failed = Signal(object, object)
    """(Job, ScaleScopeError): it was given up."""

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
            self._view = job
            self._wake.notify_all()

    def slide(self, job: Job | None) -> None:
        """Encode this slide behind the views, instead of the one asked for before."""
        with self._wake:
            self._slide = job
            self._wake.notify_all()

    def stop(self) -> None:
        """Drop both jobs. The batch in the encoder is finished and kept."""
        with self._wake:
            self._view = self._slide = None
            self._wake.notify_all()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        with self._wake:
            return not self._busy and self._view is None and self._slide is None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is nothing to do; False when the time was up first."""
        with self._wake:
            return self._wake.wait_for(
                lambda: self._closed or (not self._busy and not self._view and not self._slide),
                timeout,
            )

    def close(self) -> None:
        """Stop for good."""
        with self._wake:
            self._closed = True
            self._view = self._slide = None
            self._wake.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=60)

    # --- in the engine's thread ---

    def _next(self) -> Job | None:
        with self._wake:
            self._busy = False
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._closed or self._view or self._slide)
            if self._closed:
                return None
            self._busy = True
            return self._view or self._slide

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._drop_stale()
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
        self._drop_stale()

    def _step(self, job: Job) -> None:
        if job not in self._running:
            self.started.emit(job)
            self._running[job] = job.steps()
        step = next(self._running[job], None)
        if step is None:
            self._remove(job)
            self.finished.emit(job)
        else:
            self.stepped.emit(job, *step)

    def _give_up(self, job: Job, error: ScaleScopeError) -> None:
        self._remove(job)
        self.failed.emit(job, error)

    def _remove(self, job: Job) -> None:
        self._running.pop(job, None)
        with self._wake:
            if self._view is job:
                self._view = None
            if self._slide is job:
                self._slide = None

    def _drop_stale(self) -> None:
        """Close iterators of jobs nobody wants any more: their read-ahead is cancelled."""
        with self._wake:
            wanted = {self._view, self._slide}
        for job in [j for j in self._running if j not in wanted]:
            steps = self._running.pop(job)
            close = getattr(steps, "close", None)
            if close is not None:
                close()
