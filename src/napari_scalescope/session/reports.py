"""What is going on, in one line: from the engine's signals to a `Status`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from psygnal import Signal

from ..embeddings import Progress, StoredSet
from ..embeddings.engine import Engine, Job
from ..errors import ScaleScopeError
from .state import Status, worded


class Reports:
    """Follows an engine's jobs.

    Parameters
    ----------
    engine : Engine
    live : callable
        Whether views are encoded as they come.
    doubts : callable
        What is doubtful about the slide, to be said when a job is finished.
    """

    changed = Signal(object)
    """(Status)"""
    failed = Signal(object)
    """(ScaleScopeError): something could not be done; its text is for the user."""

    def __init__(
        self, engine: Engine, live: Callable[[], bool], doubts: Callable[[], Iterable[str]]
    ) -> None:
        self.status = Status()
        self._engine, self._live, self._doubts = engine, live, doubts
        self._last_error = ""
        self._progress: tuple[Job, Progress] | None = None
        engine.started.connect(self._on_started)
        engine.stepped.connect(self._on_stepped)
        engine.finished.connect(self._on_finished)
        engine.failed.connect(self._on_failed)
        engine.dropped.connect(self.rest)

    def say(self, status: Status) -> None:
        """Say what is going on now."""
        self.status = status
        self.changed.emit(status)

    def wait_for(self, text: str) -> None:
        """Say what is being waited for; nothing when that is over."""
        self.say(Status(text, busy=True)) if text else self.rest()

    def rest(self) -> None:
        """Say that nothing is encoded, unless another job goes on."""
        if not self._engine.wanted:
            self.say(Status("Ready" if self._live() else "Stopped"))

    def forget_errors(self) -> None:
        """An error that was told may be told again."""
        self._last_error = ""

    # --- from the engine's thread ---

    def _on_started(self, job: Job) -> None:
        self.say(Status(f"{job.name}: preparing…", busy=True))

    def _on_stepped(self, job: Job, _stored: StoredSet, _tiles: Any, progress: Progress) -> None:
        self.forget_errors()
        self._progress = (job, progress)
        self.say(Status(worded(job.name, progress), progress, busy=True))

    def _on_finished(self, job: Job) -> None:
        last, self._progress = self._progress, None
        progress = last[1] if last is not None and last[0] is job else None
        self.say(Status(worded("Ready", progress, self._doubts()), progress))

    def _on_failed(self, _job: Job, error: ScaleScopeError) -> None:
        self.say(Status("Not encoded"))
        # A camera that moves asks again and again; saying it once is enough.
        if str(error) != self._last_error:
            self._last_error = str(error)
            self.failed.emit(error)
