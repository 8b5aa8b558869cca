"""A thread that does only the newest of what it is asked."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

#: Closing waits this long for what runs. UMAP may take a minute, and a window that closes must
#: not stand still for it: it ends by itself.
CLOSE_S = 0.5


def yield_to_others() -> None:
    """Lower the priority of the thread that calls this, where the system lets a thread have one."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


class NewestOnly:
    """Runs tasks one after the other; of those that wait under one name, only the newest.

    This is what keeps a map up to date while tiles arrive faster than it can be drawn: however
    often it is asked for, at most one computation runs and one waits.

    Parameters
    ----------
    name : str
        Of the thread.
    gentle : bool
        Whether it goes on only as far as others leave it processor time; see `yield_to_others`.
    """

    def __init__(self, name: str, *, gentle: bool = False) -> None:
        self._gentle = gentle
        self._wake = threading.Condition()
        self._waiting: dict[str, Callable[[], None]] = {}
        self._busy = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, name: str, task: Callable[[], None]) -> None:
        """Run a task soon, instead of one that waits under the same name."""
        with self._wake:
            # Taken out and put in again: a task that is asked for again goes to the end.
            self._waiting.pop(name, None)
            self._waiting[name] = task
            self._wake.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing runs or waits; False when the time was up first."""
        with self._wake:
            return self._wake.wait_for(
                lambda: self._closed or not (self._busy or self._waiting), timeout
            )

    @property
    def idle(self) -> bool:
        """Whether nothing runs or waits."""
        with self._wake:
            return not (self._busy or self._waiting)

    def close(self) -> None:
        """Forget what waits and stop after what runs, which has a moment to end."""
        with self._wake:
            self._closed = True
            self._waiting.clear()
            self._wake.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        if self._gentle:
            yield_to_others()
        while True:
            with self._wake:
                self._busy = False
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                name = next(iter(self._waiting))
                task = self._waiting.pop(name)
                self._busy = True
            try:
                task()
            except Exception:
                # Tasks report what they foresee themselves. The thread outlives the rest.
                log.exception("%s failed", name)
