"""The parts of the Explorer: they show what they are given and say what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QMessageBox,
    QToolButton,
)

from napari_scalescope.embeddings import Progress
from napari_scalescope.encoders import catalogue
from napari_scalescope.encoders.remembered import licence_accepted
from napari_scalescope.errors import EncoderError
from napari_scalescope.session import FOLLOW, Status
from napari_scalescope.session.downloads import Download
from napari_scalescope.widgets.encoder_chooser import EncoderChooser
from napari_scalescope.widgets.encoding_panel import EncodingPanel
from napari_scalescope.widgets.own_encoder_form import OwnEncoderForm
from napari_scalescope.widgets.regions_panel import RegionsPanel
from napari_scalescope.widgets.slide_card import SlideCard

from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide
from .reading import button, texts

# --- slide card ---


def test_slide_card(shown: Any) -> None:
    card = shown(SlideCard())
    assert "Drop a slide" in texts(card)
    slide = memory_slide([smooth_picture(800, 600), smooth_picture(400, 300)], 0.25, name="a.svs")
    card.show_slide(slide)
    said = texts(card)
    assert "a.svs" in said
    assert "0.20 × 0.15 mm · 800 × 600 px · 2 levels" in said
    assert "0.25 µm/px (memory)" in said


def test_slide_card_asks_for_a_missing_resolution(shown: Any, qtbot: Any) -> None:
    card = shown(SlideCard())
    card.show_slide(memory_slide(smooth_picture(80, 60), None))
    assert "Resolution unknown" in texts(card)
    field = card.findChild(QDoubleSpinBox)
    assert field.isVisible()
    field.setValue(0.2738)
    with qtbot.waitSignal(card.mpp_set) as heard:
        button(card, "Set").click()
    assert heard.args == [pytest.approx(0.2738)]


def test_slide_card_goes_back_to_what_the_file_says(shown: Any, qtbot: Any) -> None:
    card = shown(SlideCard())
    slide = memory_slide(smooth_picture(80, 60), 0.5)
    card.show_slide(slide)
    card.findChild(QToolButton).click()
    assert not button(card, "As in the file").isVisible()
    slide.set_mpp(0.25)
    card.show_slide(slide)
    card.findChild(QToolButton).click()
    with qtbot.waitSignal(card.mpp_set) as heard:
        button(card, "As in the file").click()
    assert heard.args == [None]


def test_slide_card_repeats_doubts(shown: Any) -> None:
    from napari_scalescope.slides.resolution import Statement, resolve

    slide = memory_slide(smooth_picture(80, 60), 0.5)
    slide.resolution = resolve([Statement("A", 0.25, 0.25), Statement("B", 0.5, 0.5)])
    card = shown(SlideCard())
    card.show_slide(slide)
    assert "A says 0.25 µm/px but B says 0.5" in texts(card)


# --- encoder chooser ---


def test_encoders_are_grouped_by_what_they_need(shown: Any, tmp_path: Path, qtbot: Any) -> None:
    (tmp_path / "uni.safetensors").touch()
    chooser = shown(EncoderChooser(tmp_path))
    box = chooser.findChild(QComboBox)
    titles = [box.itemText(i) for i in range(box.count())]
    assert titles.index("Built in") < titles.index("Untrained ViT-Tiny")
    assert titles.index("On this machine") < titles.index("UNI") < titles.index("UNI2-h")
    assert not box.model().item(titles.index("Built in")).isEnabled()
    index = titles.index("Virchow2")
    with qtbot.waitSignal(chooser.chosen) as heard:
        box.activated.emit(index)
    assert heard.args == ["virchow2", None]


def test_what_is_said_of_an_encoder(shown: Any, tmp_path: Path) -> None:
    chooser = shown(EncoderChooser(tmp_path))
    chooser.show_entry(catalogue()["uni2-h"], loaded=False)
    said = texts(chooser)
    assert "681 M parameters · trained at 0.5 µm/px · CC-BY-NC-ND-4.0" in said
    assert "not for commercial use" in said
    assert "accepted licence" in said
    chooser.show_entry(catalogue()["untrained"], loaded=True)
    assert "random weights" in texts(chooser)


def test_local_weights(
    shown: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooser = shown(EncoderChooser(tmp_path))
    chooser.show_entry(catalogue()["uni"], loaded=False)
    chosen = str(tmp_path / "my.pth")
    answer = QMessageBox.StandardButton.No
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (chosen, ""))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answer)
    with qtbot.assertNotEmitted(chooser.chosen):
        button(chooser, "Local weights…").click()
    answer = QMessageBox.StandardButton.Yes
    with qtbot.waitSignal(chooser.chosen) as heard:
        button(chooser, "Local weights…").click()
    assert heard.args == ["uni", Path(chosen)]
    assert licence_accepted(catalogue()["uni"], tmp_path)
    answer = QMessageBox.StandardButton.No
    with qtbot.waitSignal(chooser.chosen):  # asked once
        button(chooser, "Local weights…").click()


def test_a_licence_that_is_not_accepted_changes_nothing(
    shown: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uni.safetensors").touch()
    chooser = shown(EncoderChooser(tmp_path))
    chooser.show_entry(catalogue()["builtin"], loaded=True)
    box = chooser.findChild(QComboBox)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    box.setCurrentIndex(box.findText("UNI"))
    with qtbot.assertNotEmitted(chooser.chosen):
        box.activated.emit(box.findText("UNI"))
    assert box.currentText() == "ScaleScope built-in"


def test_one_of_ones_own_is_described_in_a_form(
    shown: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = OwnEncoderForm(tmp_path)
    qtbot.addWidget(form)
    ok = form.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    for fill, words in (
        (lambda: None, "Give it a name"),
        (lambda: form.name.setText("Ours"), "Choose its weights"),
        (lambda: form.weights.setText(str(tmp_path / "w.pth")), "Choose its weights"),
        (lambda: form.tile.setText("large"), "are numbers"),
        (lambda: form.tile.setText("225"), "no multiple"),
    ):
        fill()
        if words == "are numbers":
            (tmp_path / "w.pth").touch()
        ok.click()
        assert words in form.error.text()
    form.tile.setText("256")
    form.like.setCurrentIndex(form.like.findData("kaiko-vits16"))
    form.mpp.setText("0.5, 2")
    form.normalisation.setCurrentText("CLIP")
    form.embedding.setCurrentText("CLS and mean")
    ok.click()
    entry = form.entry
    assert entry is not None
    assert (entry.id, entry.input_px, entry.native_mpp, entry.dim) == ("ours", 256, (0.5, 2.0), 768)
    assert entry.mean[0] == pytest.approx(0.481, abs=1e-3)

    chooser = shown(EncoderChooser(tmp_path))
    box = chooser.findChild(QComboBox)
    titles = [box.itemText(i) for i in range(box.count())]
    assert titles.index("Your own") < titles.index("Ours")
    assert titles[-1] == "Add one of your own…"
    monkeypatch.setattr(OwnEncoderForm, "exec", lambda _: False)
    chooser.show_entry(catalogue()["builtin"], loaded=True)
    with qtbot.assertNotEmitted(chooser.chosen):
        box.activated.emit(box.count() - 1)
    assert box.currentText() == "ScaleScope built-in"


def test_tile_sizes_to_choose_from(shown: Any, qtbot: Any) -> None:
    panel = shown(EncodingPanel())
    panel.show_tile(catalogue()["midnight-12k"], 224)
    box = next(b for b in panel.findChildren(QComboBox) if "Tile size" in b.accessibleName())
    assert box.currentText() == "224 px"
    assert "392 px" in [box.itemText(i) for i in range(box.count())]
    with qtbot.waitSignal(panel.tiles_chosen) as heard:
        box.setCurrentIndex(box.findText("392 px"))
        box.activated.emit(box.currentIndex())
    assert heard.args == [{"tile_px": 392}]
    overlap = next(b for b in panel.findChildren(QComboBox) if "Overlap" in b.accessibleName())
    assert overlap.currentText() == "no overlap"
    with qtbot.waitSignal(panel.tiles_chosen) as heard:
        overlap.setCurrentIndex(1)
        overlap.activated.emit(1)
    assert heard.args == [{"overlap": 0.5}]
    panel.show_tile(catalogue()["midnight-12k"], 224, 0.5)
    assert overlap.currentText() == "overlap ½"


def test_a_download_is_asked_for_after_the_licence_was_seen(
    shown: Any, tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chooser = shown(EncoderChooser(tmp_path))
    answer, asked = QMessageBox.StandardButton.No, []

    def question(_parent: Any, _title: str, text: str) -> Any:
        asked.append(text)
        return answer

    monkeypatch.setattr(QMessageBox, "question", question)
    chooser.show_entry(catalogue()["uni2-h"], loaded=False)
    with qtbot.assertNotEmitted(chooser.download_requested):
        button(chooser, "Download…").click()
    assert "CC-BY-NC-ND-4.0. It is not for commercial use." in asked[0]
    answer = QMessageBox.StandardButton.Yes
    with qtbot.waitSignal(chooser.download_requested) as heard:
        button(chooser, "Download…").click()
    assert heard.args == [catalogue()["uni2-h"]]
    chooser.show_entry(catalogue()["quiltnet-b-16"], loaded=False)
    with qtbot.waitSignal(chooser.download_requested):
        button(chooser, "Download…").click()
    assert len(asked) == 2  # everybody may use it: nothing is asked
    assert licence_accepted(catalogue()["uni2-h"], tmp_path)
    chooser.show_entry(catalogue()["dinov3-s"], loaded=False)
    button(chooser, "Download…").click()
    assert "must be read" in asked[2]  # nobody said that it is not for commercial use
    for name, loaded in (("builtin", True), ("ctranspath", False), ("uni2-h", True)):
        chooser.show_entry(catalogue()[name], loaded=loaded)
        assert not button(chooser, "Download…").isVisible()


def test_a_download_can_be_watched_stopped_and_fail(shown: Any, tmp_path: Path, qtbot: Any) -> None:
    chooser = shown(EncoderChooser(tmp_path))
    entry = catalogue()["quiltnet-b-16"]
    chooser.show_entry(entry, loaded=False)
    chooser.show_download(Download(entry, done=30_000_000, total=120_000_000))
    assert "25% of 120 MB" in texts(chooser)
    with qtbot.waitSignal(chooser.stop_requested):
        button(chooser, "Stop the download").click()
    error = EncoderError("The disk is full.", "Make room.")
    chooser.show_download(Download(entry, "failed", error=error))
    assert "The disk is full. Make room." in texts(chooser)
    assert button(chooser, "Download…").isVisible()
    with qtbot.waitSignal(chooser.chosen) as heard:
        chooser.show_download(Download(entry, "finished"))
    assert heard.args == ["quiltnet-b-16", None]


# --- encoding ---


@pytest.mark.parametrize(
    ("typed", "scale"),
    [("0.5", (0.5,)), ("2, 0.5, 1", (0.5, 1.0, 2.0)), ("0,5; 1", (0.5, 1.0)),
     ("0.5 µm/px", (0.5,))],
)  # fmt: skip
def test_scales_can_be_typed(shown: Any, qtbot: Any, typed: str, scale: Any) -> None:
    panel = shown(EncodingPanel())
    line = panel.findChild(QComboBox).lineEdit()
    line.clear()
    qtbot.keyClicks(line, typed)
    with qtbot.waitSignal(panel.scale_chosen) as heard:
        qtbot.keyClick(line, Qt.Key.Key_Return)
    assert heard.args == [scale]


def test_nonsense_for_a_scale_is_put_back(shown: Any, qtbot: Any) -> None:
    panel = shown(EncodingPanel())
    line = panel.findChild(QComboBox).lineEdit()
    for nonsense in ("blue", "-1", "0", ""):
        line.setText(nonsense)
        with qtbot.assertNotEmitted(panel.scale_chosen):
            qtbot.keyClick(line, Qt.Key.Key_Return)
        assert line.text() == "Follow the zoom"


def test_what_is_going_on(shown: Any) -> None:
    panel = shown(EncodingPanel())
    panel.show_scale(FOLLOW, 0.5, 224)
    assert "112 µm wide at 0.5 µm/px" in texts(panel)
    progress = Progress(30, 100, reused=12, rate=10.0, reading=0.3, encoding=0.7)
    panel.show_status(Status("Slide", progress, busy=True), "cpu, bf16")
    said = texts(panel)
    for part in ("30 of 100 tiles", "12 read from disk", "10 tiles/s", "7 s left",
                 "reading 30%, encoding 70%", "cpu, bf16"):  # fmt: skip
        assert part in said
    panel.show_status(Status("Ready", Progress(0, 0, 40)), "")
    assert "all tiles known" in texts(panel)


def test_buttons(shown: Any, qtbot: Any) -> None:
    panel = shown(EncodingPanel())
    with qtbot.waitSignal(panel.live_toggled) as heard:
        button(panel, "Live").click()
    assert heard.args == [True]
    with qtbot.assertNotEmitted(panel.live_toggled):
        panel.show_live(False)
    assert not button(panel, "Live").isChecked()
    with qtbot.waitSignals([panel.slide_requested, panel.stop_requested]):
        button(panel, "Encode slide").click()
        button(panel, "Stop").click()


# --- regions ---


def test_regions_panel(
    shown: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = shown(RegionsPanel())
    panel.suggest(tmp_path, "a.geojson")
    asked: list[str] = []

    def dialog(*args: Any) -> tuple[str, str]:
        asked.append(args[2])
        return str(tmp_path / "b.geojson"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    with qtbot.waitSignal(panel.export_requested) as heard:
        button(panel, "Export…").click()
    assert asked == [str(tmp_path / "a.geojson")]
    assert heard.args == [tmp_path / "b.geojson"]
    with qtbot.waitSignals([panel.draw_requested, panel.select_requested]):
        button(panel, "Draw").click()
        button(panel, "Select tiles").click()
