"""`ViewingRecord`: notes what is looked at, if somebody switches it on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from psygnal import Signal

from ...analysis import Visit
from ...slides import Slide
from ..state import View
from .lines import write_viewing

#: A view counts for so long after the last sign that somebody is there: a view, a mouse that moves.
PATIENCE_S = 60.0


class ViewingRecord:
    """Where somebody looked, at which magnification, and for how long.

    Off in every new session. It is kept in memory, and leaves it by `export` alone. A slide of
    unknown resolution is not recorded: its views have no magnification.

    Time is that of views: each is looked at from when it came to rest until the next one does,
    but no longer than ``patience_s`` after the last sign of life. A longer break ends a visit,
    and so does a window that is not the active one (`attend`).

    Parameters
    ----------
    patience_s : float

    Attributes
    ----------
    on : bool
    attended : bool
        Whether time counts now: see `attend`.
    clock, now : callable
        Seconds from a clock that is never set, and since 1970 UTC. A test puts its own here.
    """

    changed = Signal()
    """It was switched, or holds other visits now."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.on = False
        self.attended = True
        self.patience_s = patience_s
        self.clock: Callable[[], float] = time.monotonic
        self.now: Callable[[], float] = time.time
        self._visits: list[Visit] = []
        self._view: Visit | None = None
        self._epoch = self._began = self._last = 0.0
        self._lock = threading.Lock()

    # --- what is done with it ---

    def switch(self, on: bool) -> None:
        """Begin to record, or pause. What was recorded is kept."""
        if on == self.on:
            self.stir()
            return
        with self._lock:
            t = self._end()
            self.on = on
            self._epoch = self.now() - t
        self.changed.emit()

    def forget(self) -> None:
        """Drop all that was recorded."""
        with self._lock:
            self._end()
            self._visits = []
        self.changed.emit()

    def add(self, visits: Iterable[Visit]) -> None:
        """Add visits of another record, as `read_viewing` gives them."""
        with self._lock:
            self._visits = sorted([*self._visits, *visits], key=lambda v: v.start)
        self.changed.emit()

    def export(self, path: str | Path) -> int:
        """Write the visits as JSON lines (`write_viewing`); returns how many.

        Raises
        ------
        ExchangeError
            If the file cannot be written.
        """
        visits = self.visits
        write_viewing(visits, path, self.patience_s)
        return len(visits)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """All that was looked at so far, the view that is looked at now among it."""
        with self._lock:
            running = self._running(self.clock())
            return (*self._visits, *([running] if running is not None else []))

    @property
    def seconds(self) -> float:
        """How long that was."""
        return sum(v.seconds for v in self.visits)

    # --- what it is told ---

    def look(self, slide: Slide | None, view: View | None) -> None:
        """Another view is on the screen from now on."""
        shown = None
        if slide is not None and slide.mpp is not None and view is not None:
            box = view.box.intersection(slide.box)
            if box is not None:
                shown = Visit(0.0, 0.0, box, view.mpp, slide.name, slide.fingerprint)
        with self._lock:
            self._end()
            self._view = shown
        if self.on:
            self.changed.emit()

    def stir(self) -> None:
        """Somebody is there: the mouse moved."""
        with self._lock:
            t = self.clock()
            if t - self._last > self.patience_s:
                self._end()
            self._last = t

    def attend(self, attended: bool) -> None:
        """Whether the window is the active one."""
        with self._lock:
            self._end()
            self.attended = attended
        if self.on:
            self.changed.emit()

    # --- with the lock held ---

    def _running(self, t: float) -> Visit | None:
        """The visit that has not ended yet."""
        if not (self.on and self.attended) or self._view is None:
            return None
        seconds = min(t, self._last + self.patience_s) - self._began
        if not seconds > 0:
            return None
        return replace(self._view, start=self._epoch + self._began, seconds=seconds)

    def _end(self) -> float:
        """End the visit that runs, and begin one that may be."""
        t = self.clock()
        visit = self._running(t)
        if visit is not None:
            self._visits.append(visit)
        self._began = self._last = t
        return t
