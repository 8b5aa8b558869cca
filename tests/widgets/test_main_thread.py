"""From a session's threads to the one that draws."""

from __future__ import annotations

import threading
from typing import Any

from psygnal import Signal

from napari_scalescope.widgets.main_thread import MainThread


class Source:
    changed = Signal(int)
    happened = Signal()


def test_handlers_run_in_the_main_thread_once_per_turn(qtbot: Any) -> None:
    source, main = Source(), MainThread()
    seen: list[tuple[int, bool]] = []
    is_main = threading.main_thread()
    main.on(source.changed, lambda n: seen.append((n, threading.current_thread() is is_main)))

    def emit() -> None:
        for i in range(100):
            source.changed.emit(i)

    thread = threading.Thread(target=emit)
    thread.start()
    thread.join()
    assert seen == []
    qtbot.waitUntil(lambda: bool(seen))
    qtbot.wait(20)
    assert seen == [(99, True)]  # the newest, once
    source.changed.emit(5)
    qtbot.waitUntil(lambda: len(seen) == 2)


def test_after_closing_nothing_runs(qtbot: Any) -> None:
    source, main = Source(), MainThread()
    seen: list[int] = []
    main.on(source.happened, lambda: seen.append(1))
    source.happened.emit()
    main.close()
    source.happened.emit()
    qtbot.wait(20)
    assert seen == []
