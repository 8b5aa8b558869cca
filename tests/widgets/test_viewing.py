"""The viewing record in a window: its sign and its controls; looking at a place by a script."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QLabel, QPushButton

from napari_scalescope.session.overlays.viewing import BANDS
from napari_scalescope.widgets.explorer import Explorer
from napari_scalescope.widgets.overlays.viewing import ViewingOptions
from napari_scalescope.widgets.recording_sign import RecordingSign

from ..embeddings.fake import FakeEncoder
from ..slides.memory import coloured_slide
from .reading import texts

Settle = Callable[[Any], None]


@pytest.fixture
def explorer(qtbot: Any, viewer: Any, hub: Any) -> Explorer:
    dock = Explorer(viewer)
    qtbot.addWidget(dock)
    dock.resize(320, 700)
    dock.show()
    return dock


def button(widget: Any, text: str) -> QPushButton:
    return next(b for b in widget.findChildren(QPushButton) if b.text() == text)


def test_a_red_dot_and_words_while_it_records(
    explorer: Explorer, hub: Any, settle: Settle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, sign = hub.session.record, explorer.recording
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    assert not record.on
    assert sign.isHidden()
    assert explorer.viewportMargins().top() == 0
    hub.session.show("viewing")
    settle(hub)
    assert "Press Record" in texts(explorer)
    options = explorer.overlay.options["viewing"]
    assert not button(options, "Export…").isEnabled()
    button(options, "Record").click()
    settle(hub)
    assert record.on
    assert sign.isVisible()
    assert "●" in [label.text() for label in sign.findChildren(QLabel)]
    assert "Recording where you look · 0:0" in texts(sign)
    # It stands above what scrolls.
    assert explorer.viewportMargins().top() == sign.height() > 0
    assert sign.parent() is explorer
    sign.due.emit()
    settle(hub)
    assert hub.layers.map_layer.name == "Viewing time"
    path = tmp_path / "record.jsonl"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    button(options, "Export…").click()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["scalescope"] == "viewing record"
    assert lines[-1]["fingerprint"] == hub.session.slide.fingerprint
    assert f"{len(lines) - 1} view" in texts(options)
    button(sign, "Stop").click()
    settle(hub)
    assert not record.on
    assert sign.isHidden()
    assert explorer.viewportMargins().top() == 0
    assert button(options, "Record").isVisible()


def test_what_cannot_be_written_is_said(
    explorer: Explorer, hub: Any, settle: Settle, tmp_path: Path
) -> None:
    explorer.overlay.options["viewing"].export_requested.emit(tmp_path / "nowhere" / "a.jsonl")
    assert "cannot be written" in explorer.error.text()


def test_a_window_behind_others_counts_no_time(explorer: Explorer, hub: Any) -> None:
    record = hub.session.record
    record.switch(True)
    hub._application.applicationStateChanged.emit(Qt.ApplicationState.ApplicationInactive)
    assert not record.attended
    explorer._show_record()
    assert "Paused" in texts(explorer.recording)
    hub._application.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
    assert record.attended


def test_the_sign_counts_minutes(shown: Any, qtbot: Any) -> None:
    sign = shown(RecordingSign())
    sign.show_record(True, True, 151.9)
    assert "2:31" in texts(sign)
    with qtbot.waitSignal(sign.due, timeout=3000):
        pass
    sign.show_record(False, True, 151.9)
    assert not sign._timer.isActive()


def test_bands_are_options_of_the_overlay(shown: Any, qtbot: Any) -> None:
    options = shown(ViewingOptions())
    assert [options._band.itemData(i) for i in range(options._band.count())] == list(BANDS)
    with qtbot.waitSignal(options.changed) as heard:
        options._band.setCurrentIndex(2)
        options._band.activated.emit(2)
    assert heard.args == [{"band": "20x"}]


def test_no_trust_line_under_what_no_encoder_made(
    explorer: Explorer, hub: Any, settle: Settle
) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    assert any("Tile 64 px" in text for text in texts(explorer).splitlines())
    hub.session.show("viewing")
    settle(hub)
    assert not any("Tile 64 px" in text for text in texts(explorer).splitlines())


def test_the_camera_goes_where_a_script_looks(
    hub: Any, viewer: Any, settle: Settle, encoder: FakeEncoder
) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    seen: list[Any] = []
    hub.viewport.changed.connect(seen.append)
    view = hub.session.look_at(1000, 800, 0.5, size=(400, 300))
    settle(hub)
    shown = hub.viewport.view()
    assert shown.box.centre == pytest.approx((1000, 800))
    assert shown.mpp == pytest.approx(0.5)  # there is room for more around it
    assert hub.session.on_screen == view  # the picture is the script's, not the window's
    assert seen == []
    pixels, box, mpp, _ = hub.session.view()
    assert (pixels.shape, box, mpp) == ((300, 400, 3), view.box, 0.5)
    np.testing.assert_array_equal(pixels, hub.session.slide.read(view.box, mpp=0.5))
    # Wider than the canvas of 800 x 600: all of it is shown, smaller.
    wide = hub.session.look_at(1300, 1000, 0.5, size=(1600, 600))
    settle(hub)
    assert hub.viewport.view().mpp == pytest.approx(1.0)
    assert hub.viewport.view().box.w == pytest.approx(wide.box.w)
    assert hub.session.on_screen == wide
    # The mouse takes over again.
    viewer.scene.camera.center = (0, 300.0, 300.0)
    settle(hub)
    assert len(seen) == 1
    assert hub.session.on_screen.box.centre == pytest.approx((600, 600), abs=250)
    assert hub.session.on_screen == seen[0]


def test_the_mouse_says_where_it_is_and_asks_for_nothing(
    hub: Any, viewer: Any, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer.cursor.position = (5.0, 5.0)
    assert hub.session.cursor is None  # there is no slide
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    asked: list[Any] = []
    monkeypatch.setattr(hub.session._engine, "view", asked.append)
    viewer.cursor.position = (400.0, 500.0)
    assert hub.session.cursor == (1000, 800)
    settle(hub)
    assert asked == []


def test_a_move_of_the_mouse_is_a_sign_of_life(hub: Any, viewer: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    record, clock = hub.session.record, SimpleNamespace(t=0.0)
    record.clock = lambda: clock.t
    record.switch(True)
    for i in range(3):
        clock.t += 50
        viewer.cursor.position = (400.0, 500.0 + i)
    assert record.seconds == 150
