"""The thread that encodes while somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import engine as engine_module
from napari_scalescope.embeddings.engine import Engine, Job
from napari_scalescope.embeddings.progress import Meter, Progress
from napari_scalescope.errors import EncoderError, ScaleScopeError


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


def steps(name: str, n: int, log: list[str], pause_s: float = 0.0) -> Job:
    def run() -> Any:
        try:
            for i in range(n):
                time.sleep(pause_s)
                log.append(f"{name}{i}")
                yield None, np.empty((0, 2), np.int64), Progress(i + 1, n)
        finally:
            log.append(f"{name} closed")

    return Job(name, run)


def test_a_job_runs_to_its_end(engine: Engine) -> None:
    log: list[str] = []
    signals: list[str] = []
    engine.started.connect(lambda job: signals.append(f"started {job.name}"))
    engine.finished.connect(lambda job: signals.append(f"finished {job.name}"))
    engine.view(steps("a", 3, log))
    assert engine.wait(5)
    assert log == ["a0", "a1", "a2", "a closed"]
    assert signals == ["started a", "finished a"]
    assert engine.idle


def test_a_view_goes_before_a_slide_which_then_goes_on(engine: Engine) -> None:
    log: list[str] = []
    engine.slide(steps("s", 30, log, 0.01))
    time.sleep(0.05)
    engine.view(steps("v", 3, log))
    assert engine.wait(10)
    first_view = log.index("v0")
    assert log[first_view : first_view + 3] == ["v0", "v1", "v2"]
    assert [x for x in log if x.startswith("s")][:30] == [f"s{i}" for i in range(30)]


def test_a_newer_view_replaces_the_older_after_one_step(engine: Engine) -> None:
    log: list[str] = []
    engine.view(steps("old", 100, log, 0.02))
    time.sleep(0.07)
    engine.view(steps("new", 2, log))
    assert engine.wait(10)
    assert sum(x.startswith("old") for x in log) < 8
    assert "old closed" in log
    assert log.index("old closed") < log.index("new0")


def test_a_storm_of_views_leaves_no_backlog(engine: Engine) -> None:
    log: list[str] = []
    for i in range(500):
        engine.view(steps(f"v{i}-", 5, log, 0.002))
    assert engine.wait(5)
    assert log[-2:] == ["v499-4", "v499- closed"]
    assert len(log) < 300


def test_stop_is_after_one_step_at_most(engine: Engine) -> None:
    log: list[str] = []
    engine.slide(steps("s", 1000, log, 0.01))
    time.sleep(0.05)
    engine.stop()
    assert engine.wait(5)
    done = len(log)
    time.sleep(0.1)
    assert len(log) <= done + 1
    assert done < 20


@pytest.fixture
def told(engine: Engine) -> list[str]:
    """What the engine says of its jobs, in order."""
    log: list[str] = []
    engine.started.connect(lambda job: log.append(f"{job.name} started"))
    engine.stepped.connect(lambda job, *_: log.append(f"{job.name} stepped"))
    engine.finished.connect(lambda job: log.append(f"{job.name} finished"))
    engine.failed.connect(lambda job, _: log.append(f"{job.name} failed"))
    engine.dropped.connect(lambda job: log.append(f"{job.name} dropped"))
    return log


def gated(name: str, then: Exception | None = None) -> tuple[Job, threading.Event, threading.Event]:
    """A job that waits inside its first step until it may go on."""
    entered, gate = threading.Event(), threading.Event()

    def run() -> Any:
        entered.set()
        gate.wait(5)
        if then is not None:
            raise then
        yield None, np.empty((0, 2), np.int64), Progress(1, 1)

    return Job(name, run), entered, gate


@pytest.mark.parametrize("then", [None, EncoderError("The slide was closed.")])
def test_a_job_that_is_dropped_says_nothing_but_that(
    engine: Engine, told: list[str], then: Exception | None
) -> None:
    job, entered, gate = gated("a", then)
    engine.view(job)
    assert entered.wait(5)
    engine.stop()
    gate.set()
    assert engine.wait(5)
    assert told == ["a started", "a dropped"]


def test_every_job_that_was_started_ends_once(engine: Engine, told: list[str]) -> None:
    engine.slide(steps("s", 50, [], 0.002))
    for i in range(20):
        engine.view(steps(f"v{i}", 4, [], 0.002))
        time.sleep(0.005)
        if i % 7 == 6:
            engine.stop()
    assert engine.wait(10)
    started = [t.split()[0] for t in told if t.endswith("started")]
    ended = [t.split()[0] for t in told if not t.endswith(("started", "stepped"))]
    assert sorted(started) == sorted(ended)
    assert not told[-1].endswith("stepped")


def test_closing_does_not_wait_for_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "CLOSE_S", 0.05)
    engine = Engine()
    job, entered, gate = gated("a")
    engine.view(job)
    assert entered.wait(5)
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 1
    gate.set()
    engine._thread.join(5)
    assert not engine._thread.is_alive()


def test_errors_are_told_and_the_thread_lives(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[ScaleScopeError] = []
    engine.failed.connect(lambda job, error: told.append(error))

    def foreseen() -> Any:
        raise EncoderError("The weights are missing.", "Get them.")
        yield

    def unforeseen() -> Any:
        yield 1 / 0

    engine.view(Job("a", foreseen))
    assert engine.wait(5)
    engine.view(Job("b", unforeseen))
    assert engine.wait(5)
    assert str(told[0]) == "The weights are missing. Get them."
    assert "b failed" in str(told[1])
    assert "ZeroDivisionError" in caplog.text  # the traceback goes to the log
    log: list[str] = []
    engine.view(steps("c", 1, log))
    assert engine.wait(5)
    assert log == ["c0", "c closed"]


def test_torchs_errors_are_not_swallowed(engine: Engine) -> None:
    told: list[ScaleScopeError] = []
    engine.failed.connect(lambda job, error: told.append(error))

    def run() -> Any:
        yield None, np.empty((0, 2)), Progress(1, 2)
        raise RuntimeError("CUDA error: out of memory")

    engine.view(Job("View", run))
    assert engine.wait(5)
    assert "out of memory" in str(told[0])


def test_closing_ends_the_thread() -> None:
    before = threading.active_count()
    engine = Engine()
    engine.slide(steps("s", 1000, [], 0.005))
    engine.close()
    assert threading.active_count() == before


def test_rate_and_time_left() -> None:
    meter = Meter(total=100, reused=7)
    assert meter.now() == Progress(0, 100, 7)
    assert meter.now().eta_s is None
    time.sleep(0.02)
    progress = meter.add(20, read_s=1.0, encode_s=3.0)
    assert progress.done == 20
    assert progress.rate > 0
    assert progress.eta_s == pytest.approx(80 / progress.rate)
    assert (progress.reading, progress.encoding) == (0.25, 0.75)
