"""A thread that does only the newest of what it is asked."""

from __future__ import annotations

import threading
import time

import pytest

from napari_scalescope import worker
from napari_scalescope.worker import NewestOnly


def test_of_those_that_wait_under_one_name_only_the_newest_runs() -> None:
    made, gate, log = NewestOnly("test"), threading.Event(), []
    made.submit("a", lambda: log.append("first" if gate.wait(5) else "late"))
    while made._waiting:
        time.sleep(0.001)
    for i in range(50):
        made.submit("a", lambda i=i: log.append(i))
        made.submit("b", lambda i=i: log.append(-i))
    gate.set()
    assert made.wait(5)
    assert log == ["first", 49, -49]
    made.close()


def test_a_task_that_fails_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    made, log = NewestOnly("test"), []
    made.submit("bad", lambda: 1 / 0)
    made.submit("good", lambda: log.append("done"))
    assert made.wait(5)
    assert log == ["done"]
    assert "ZeroDivisionError" in caplog.text
    made.close()


def test_closing_does_not_wait_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "CLOSE_S", 0.05)
    made, gate, entered = NewestOnly("test"), threading.Event(), threading.Event()
    made.submit("umap", lambda: entered.set() or gate.wait(5))
    assert entered.wait(5)
    begun = time.monotonic()
    made.close()
    assert time.monotonic() - begun < 1
    gate.set()
    made._thread.join(5)
    assert not made._thread.is_alive()
