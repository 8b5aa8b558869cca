"""From a session's threads to the one that draws."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from psygnal import SignalInstance
from qtpy.QtCore import QObject, Qt, Signal


class MainThread(QObject):
    """Runs handlers of a session's signals in the thread that draws, once per turn.

    A session may emit faster than anything can be drawn. A handler that still waits is not
    queued twice: it runs once, with the newest arguments.
    """

    _posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._waiting: dict[Callable[..., None], tuple[Any, ...]] = {}
        self._connected: list[tuple[SignalInstance, Callable[..., None], object]] = []
        self._closed = False
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def on(
        self, signal: SignalInstance, handler: Callable[..., None], owner: object = None
    ) -> None:
        """Call ``handler`` with the signal's arguments whenever it was emitted.

        Parameters
        ----------
        signal : psygnal SignalInstance
        handler : callable
        owner : object, optional
            Whoever the handler belongs to: see `forget`.
        """

        def post(*args: Any) -> None:
            with self._lock:
                waiting = handler in self._waiting
                self._waiting[handler] = args
                closed = self._closed
            if not waiting and not closed:
                self._posted.emit(handler)

        signal.connect(post)
        self._connected.append((signal, post, owner))

    def _run(self, handler: Callable[..., None]) -> None:
        with self._lock:
            args = self._waiting.pop(handler, None)
            closed = self._closed
        if args is not None and not closed:
            handler(*args)

    def forget(self, owner: object) -> None:
        """Disconnect the handlers of an owner that is going away."""
        self._disconnect([c for c in self._connected if c[2] is owner])

    def close(self) -> None:
        """Disconnect everything. What still waits is dropped."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        self._disconnect(list(self._connected))

    def _disconnect(self, connections: list[Any]) -> None:
        for connection in connections:
            signal, post, _ = connection
            signal.disconnect(post, missing_ok=True)
            self._connected.remove(connection)
