"""Weights on their way, one encoder at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from napari_scalescope.encoders import catalogue
from napari_scalescope.errors import EncoderError
from napari_scalescope.session import downloads as module
from napari_scalescope.session.downloads import Download, Downloads

ENTRY = catalogue()["phikon"]


@pytest.fixture
def told() -> list[Download]:
    return []


@pytest.fixture
def downloads(told: list[Download]) -> Downloads:
    made = Downloads()
    made.changed.connect(told.append)
    return made


def test_it_tells_how_far_it_is_and_when_it_is_there(
    downloads: Downloads, told: list[Download], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(_entry: Any, report: Any) -> Path:
        report(4, 10)
        report(10, 10)
        return Path("here")

    monkeypatch.setattr(module, "download", download)
    downloads.start(ENTRY)
    assert downloads.wait(10)
    assert [(d.state, d.done, d.total) for d in told] == [
        ("running", 0, 0),
        ("running", 4, 10),
        ("running", 10, 10),
        ("finished", 0, 0),
    ]
    assert downloads.now == told[-1]


def test_it_can_be_stopped_and_another_begun(
    downloads: Downloads, told: list[Download], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, going_on = threading.Event(), threading.Event()

    def download(_entry: Any, report: Any) -> Path:
        arrived.set()
        going_on.wait(10)
        report(1, 10)
        return Path("here")

    monkeypatch.setattr(module, "download", download)
    downloads.start(ENTRY)
    assert arrived.wait(10)
    downloads.start(catalogue()["uni"])  # one at a time
    downloads.stop()
    going_on.set()
    assert downloads.wait(10)
    assert [(d.entry.id, d.state) for d in told] == [("phikon", "running"), ("phikon", "stopped")]
    downloads.start(catalogue()["uni"])
    assert downloads.wait(10)
    assert (told[-1].entry.id, told[-1].state) == ("uni", "finished")


def test_why_it_failed_is_told(
    downloads: Downloads, told: list[Download], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(_entry: Any, _report: Any) -> Path:
        raise EncoderError("The disk is full.", "Make room.")

    monkeypatch.setattr(module, "download", download)
    downloads.start(ENTRY)
    assert downloads.wait(10)
    assert told[-1].state == "failed"
    assert str(told[-1].error) == "The disk is full. Make room."
