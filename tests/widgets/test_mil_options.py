"""Controls of slide-level heads: which file, which branch, what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtWidgets import QComboBox, QFileDialog

from napari_scalescope.analysis import Entropy
from napari_scalescope.session.overlays import MilOverlay
from napari_scalescope.widgets.overlays.mil import CHOOSE, MilOptions

from .reading import button, texts


class Head:
    name, dim, branches = "CLAM-MB (a.pt)", 1024, ("class 0", "class 1")


class Found:
    entropy = Entropy(5.21, 0.873)
    emb = range(391)


class State:
    """What the panel reads of `Mil`."""

    def __init__(self, head: Any = None, found: Any = None, refused: str = "") -> None:
        self.head, self.found, self.refused = head, found, refused


def boxes(options: MilOptions) -> dict[str, QComboBox]:
    return {b.accessibleName(): b for b in options.findChildren(QComboBox)}


def test_without_a_head_only_the_button_is_there(
    shown: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = shown(MilOptions())
    options.show_head(State(), MilOverlay())
    assert texts(options) == ""
    assert not any(b.isVisible() for b in boxes(options).values())
    chosen = str(tmp_path / "head.pt")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (chosen, ""))
    with qtbot.waitSignal(options.file_chosen) as heard:
        button(options, CHOOSE).click()
    assert heard.args == [chosen]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    with qtbot.assertNotEmitted(options.file_chosen):
        button(options, CHOOSE).click()


def test_branches_and_entropy(shown: Any, qtbot: Any) -> None:
    options = shown(MilOptions())
    options.show_head(State(Head, Found), MilOverlay(branch=1, normalise="rank"))
    said = texts(options)
    assert "CLAM-MB (a.pt), for 1024-d vectors" in said
    assert "Entropy 5.21 nats, 87% of log n (n = 391 tiles)" in said
    branch, numbers = (boxes(options)[n] for n in ("Branch of the head", "Numbers of the map"))
    assert branch.isVisible()
    assert branch.currentText() == "class 1"
    assert numbers.currentText() == "percentile"
    with qtbot.waitSignal(options.changed) as heard:
        branch.setCurrentIndex(0)
        branch.activated.emit(0)
    assert heard.args == [{"branch": 0}]
    one = type("One", (Head,), {"branches": ("attention",)})
    options.show_head(State(one, Found), MilOverlay())
    assert not branch.isVisible()


def test_what_went_wrong_is_said_in_amber(shown: Any) -> None:
    options = shown(MilOptions())
    words = "a.pt was trained on 1024-d vectors, those of Fake have 6."
    options.show_head(State(Head, None, words), MilOverlay())
    assert words in texts(options)
    assert "Entropy" not in texts(options)
