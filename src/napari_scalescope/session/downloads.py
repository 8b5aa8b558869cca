"""Weights that are on their way from the hub."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Literal

from psygnal import Signal

from ..encoders import Entry
from ..encoders.hub import download
from ..errors import EncoderError


@dataclass(frozen=True)
class Download:
    """How far the weights of one encoder have come.

    Parameters
    ----------
    entry : Entry
    state : "running", "finished", "stopped" or "failed"
    done, total : int
        Bytes; ``total`` is 0 until the hub has said it.
    error : EncoderError or None
        Why it failed.
    """

    entry: Entry
    state: Literal["running", "finished", "stopped", "failed"] = "running"
    done: int = 0
    total: int = 0
    error: EncoderError | None = None


class _Stopped(Exception):
    """Raised into the hub's client to have it stop."""


class Downloads:
    """Gets weights one encoder at a time, in a thread of its own.

    Attributes
    ----------
    changed : Signal of Download
        Emitted in that thread.
    """

    changed = Signal(Download)

    def __init__(self) -> None:
        self.now: Download | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Whether something is on its way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, entry: Entry) -> None:
        """Get the weights of an encoder, unless others are on their way."""
        if self.running:
            return
        self._stop.clear()
        self._tell(Download(entry))
        self._thread = threading.Thread(
            target=self._run, args=(entry,), name="scalescope-download", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Give up what is on its way. What has come of it is not kept."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is on its way; False when the time was up first."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.running

    def _run(self, entry: Entry) -> None:
        now = Download(entry)

        def report(done: int, total: int) -> None:
            if self._stop.is_set():
                raise _Stopped
            self._tell(replace(now, done=done, total=total))

        try:
            download(entry, report)
        except _Stopped:
            self._tell(replace(now, state="stopped"))
        except EncoderError as error:
            self._tell(replace(now, state="failed", error=error))
        else:
            self._tell(replace(now, state="finished"))

    def _tell(self, now: Download) -> None:
        self.now = now
        self.changed.emit(now)
