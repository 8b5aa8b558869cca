"""The docks on a viewer without a window: what is asked for is done and shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_scalescope.encoders import catalogue
from napari_scalescope.exchange import read_regions
from napari_scalescope.geometry import Box
from napari_scalescope.widgets.explorer import Explorer

from ..embeddings.fake import FakeEncoder
from ..session.test_mil import clam
from ..slides.conftest import smooth_picture
from ..slides.memory import coloured_slide, memory_slide
from .test_panels import button, texts

Settle = Callable[[Any], None]


@pytest.fixture
def explorer(qtbot: Any, hub: Any, viewer: Any) -> Explorer:
    dock = Explorer(viewer)
    qtbot.addWidget(dock)
    dock.resize(340, 900)
    dock.show()
    return dock


def open_slide(hub: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(Box(600, 500, 800, 600))
    settle(hub)


def test_explorer_shows_slide_encoder_status_and_trust(
    explorer: Explorer, hub: Any, settle: Settle
) -> None:
    assert "Drop a slide" in texts(explorer)
    open_slide(hub, settle)
    said = texts(explorer)
    assert "1.30 × 1.00 mm" in said
    assert "0.5 µm/px (memory)" in said
    assert "µm wide at 0.5 µm/px" in said
    assert "Ready" in said
    assert "Attention" not in explorer.error.text()
    assert "random weights" in said
    assert "Tile 64 px = 32 µm" in said


def test_live_button(explorer: Explorer, hub: Any, settle: Settle, encoder: FakeEncoder) -> None:
    open_slide(hub, settle)
    live = button(explorer, "Live")
    assert live.isChecked()
    live.click()
    settle(hub)
    count = encoder.encoded
    hub.viewport.show(Box(1500, 1000, 400, 300))
    settle(hub)
    assert encoder.encoded == count
    live.click()
    settle(hub)
    assert encoder.encoded > count


def test_encode_slide_and_stop(explorer: Explorer, hub: Any, settle: Settle) -> None:
    open_slide(hub, settle)
    before = len(hub.session.embeddings())
    button(explorer, "Encode slide").click()
    settle(hub)
    assert len(hub.session.embeddings()) > before
    button(explorer, "Stop").click()
    settle(hub)
    assert not button(explorer, "Live").isChecked()


def test_choosing_an_overlay(explorer: Explorer, hub: Any, settle: Settle) -> None:
    open_slide(hub, settle)
    explorer.overlay.overlay_chosen.emit("clusters", {"k": 3})
    settle(hub)
    assert hub.layers.map_layer.name == "Clusters"
    explorer.overlay.opacity_changed.emit(0.9)
    assert hub.layers.map_layer.opacity == 0.9


def test_an_error_is_said_and_goes_when_things_work_again(
    explorer: Explorer, hub: Any, settle: Settle
) -> None:
    hub.add_slide(memory_slide(smooth_picture(900, 700), None))
    hub.session.set_live(True)
    settle(hub)
    assert "resolution field" in explorer.error.text()
    explorer.slide_card.mpp_set.emit(0.5)
    settle(hub)
    assert explorer.error.text() == ""
    assert hub.layers.map_layer is not None


def test_scale_keys_step_by_two(explorer: Explorer, hub: Any, settle: Settle) -> None:
    open_slide(hub, settle)
    explorer._step_scale(2.0)
    settle(hub)
    assert hub.session.scale == (1.0,)


def test_scale_keys_stop_where_nothing_is_left_to_see(
    explorer: Explorer, hub: Any, settle: Settle
) -> None:
    explorer._step_scale(2.0)  # without a slide there is nothing to step through
    hub.set_wanted_live(False)
    open_slide(hub, settle)  # 1.3 mm at 0.5 µm/px, tiles of 64 px
    for _ in range(12):
        explorer._step_scale(0.5)
    assert hub.session.scale == (0.25,)
    for _ in range(12):
        explorer._step_scale(2.0)
    assert hub.session.scale == (16.0,)
    hub.session.choose_scale((100.0,))
    explorer._step_scale(0.5)  # the way back is open
    assert hub.session.scale == (50.0,)


def test_what_is_written_is_looked_for_and_letters_are_no_keys(
    explorer: Explorer, hub: Any, encoder: FakeEncoder, monkeypatch: Any, qtbot: Any
) -> None:
    asked: list[str] = []
    hub.session.questions.ask_text = asked.append  # would load an encoder that reads
    explorer.overlay.look_for.asked.disconnect()
    explorer.overlay.look_for.asked.connect(hub.session.questions.ask_text)
    line = explorer.overlay.findChild(QLineEdit)
    assert line.isHidden()
    entry = catalogue()["plip"]
    hub.session._resources.entry = entry
    hub.session.encoder_changed.emit()
    qtbot.waitUntil(lambda: not line.isHidden())
    line.setFocus()
    qtbot.keyClicks(line, "eosinophils [e]")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert asked == ["eosinophils [e]"]
    assert encoder.encoded == 0


def test_drawing_needs_a_slide(explorer: Explorer, hub: Any, viewer: Any) -> None:
    button(explorer, "Draw").click()
    assert "Open a slide first" in texts(explorer)
    assert len(viewer.layers) == 0


def test_regions_are_exported_and_select_tiles(
    explorer: Explorer, hub: Any, settle: Settle, tmp_path: Path
) -> None:
    open_slide(hub, settle)
    explorer.regions.select_requested.emit()
    assert "Draw a region first" in texts(explorer.regions)
    explorer.regions.draw_requested.emit()
    layer = hub.layers.regions_layer()
    assert layer.mode == "add_polygon_lasso"
    layer.mode = "pan_zoom"
    layer.add_polygons(np.array([[520, 620], [520, 900], [800, 900], [800, 620]], float))
    explorer.regions.select_requested.emit()
    assert len(hub.session.selection.found) > 3
    assert f"{len(hub.session.selection.found)} tiles selected" in texts(explorer.regions)
    explorer.regions.export_requested.emit(tmp_path / "a.geojson")
    assert "1 region written to a.geojson" in texts(explorer.regions)
    assert read_regions(tmp_path / "a.geojson")[0].geometry.bounds == (620, 520, 900, 800)
    explorer.regions.export_requested.emit(tmp_path / "nowhere" / "a.geojson")
    assert "cannot be written" in explorer.error.text()


def test_no_text_is_wider_than_the_dock(explorer: Explorer, hub: Any, settle: Settle) -> None:
    open_slide(hub, settle)
    explorer.resize(300, 900)
    body = explorer.widget()
    assert body is not None
    assert body.minimumSizeHint().width() <= 300


def test_a_head_is_run_and_one_that_does_not_fit_is_refused_in_words(
    explorer: Explorer, hub: Any, settle: Settle, tmp_path: Path
) -> None:
    open_slide(hub, settle)
    hub.session.show("mil")
    options = explorer.overlay.options["mil"]
    options.file_chosen.emit(str(clam(tmp_path / "head.pt", 6)))
    settle(hub)
    said = texts(explorer)
    assert "CLAM-SB (head.pt), for 6-d vectors." in said
    assert "of log n" in said
    assert hub.layers.map_layer.name == "MIL attention"
    options.file_chosen.emit(str(clam(tmp_path / "long.pt", 1024)))
    settle(hub)
    said = texts(explorer)
    assert "was trained on 1024-d vectors, those of Fake" in said
    assert "Choose the file of a head" not in said
    assert hub.layers.map_layer is None


def test_tiles_overlap_when_asked_to(explorer: Explorer, hub: Any, settle: Settle) -> None:
    open_slide(hub, settle)
    explorer.encoding.tiles_chosen.emit({"overlap": 0.5})
    settle(hub)
    assert hub.session.embeddings().grid.stride_px == 32
    assert "50% of it shared with each neighbour" in texts(explorer)


def test_colours_that_cannot_be_fitted_are_explained(
    explorer: Explorer, hub: Any, settle: Settle
) -> None:
    open_slide(hub, settle)
    hub.session.show("pca", fitted="before")
    settle(hub)
    assert "No other slide was coloured by this encoder yet." in texts(explorer)
