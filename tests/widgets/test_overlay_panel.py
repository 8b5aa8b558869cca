"""The overlay panel: options of each overlay, its legend, the trust line."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QLineEdit,
    QSlider,
    QWidget,
)

from napari_scalescope.analysis import TileMap
from napari_scalescope.analysis.tile_map import MapClass
from napari_scalescope.encoders import catalogue
from napari_scalescope.geometry import Placement
from napari_scalescope.session import Look, Remark
from napari_scalescope.widgets.overlays import OverlayPanel
from napari_scalescope.widgets.parts import Legend, Words

from .reading import texts


def test_blocks_rollout_and_feature_norm_can_be_chosen(shown: Any, qtbot: Any) -> None:
    panel = shown(OverlayPanel())
    panel.show_encoder(catalogue()["builtin"], 6)
    panel.show_look(Look(overlay="attention"))
    source, head = (
        next(b for b in panel.findChildren(QComboBox) if b.accessibleName().startswith(name))
        for name in ("What the attention", "Attention head")
    )
    assert source.currentText() == "usual: 5 of 6"
    assert [source.itemData(i) for i in range(source.count())] == [
        None, -1, -3, -4, -5, -6, "rollout", "feature norm",
    ]  # fmt: skip
    with qtbot.waitSignal(panel.overlay_chosen) as heard:
        source.setCurrentIndex(source.findText("rollout"))
        source.activated.emit(source.currentIndex())
    assert heard.args == ["attention", {"made_of": "rollout"}]
    panel.show_look(Look().showing("attention", made_of="rollout"))
    assert source.isVisible()
    assert not head.isVisible()  # it is the mean of all
    panel.show_look(Look(overlay="pca"))
    assert not source.isVisible()


def test_an_encoder_without_attention_offers_its_feature_norm(shown: Any) -> None:
    panel = shown(OverlayPanel())
    overlay, head = (
        next(b for b in panel.findChildren(QComboBox) if b.accessibleName() == name)
        for name in ("Overlay", "Attention head")
    )
    panel.show_look(Look(overlay="attention"))
    panel.show_encoder(catalogue()["mobilenet-v2"], 1)
    assert overlay.currentText() == "Feature norm"
    assert not head.isVisible()
    panel.show_encoder(catalogue()["kaiko-vits16"], 12)
    assert overlay.currentText() == "Attention"
    assert head.isVisible()


def test_overlay_panel_shows_what_fits_the_overlay(shown: Any, qtbot: Any) -> None:
    panel = shown(OverlayPanel())
    panel.show_encoder(catalogue()["untrained"], 0)
    visible = {
        "attention": "Attention head",
        "similarity": "Resolution of the map",
        "pca": "Resolution of the map",
        "clusters": "Number of clusters",
    }
    for overlay, name in visible.items():
        panel.show_look(Look(overlay=overlay))
        names = {
            w.accessibleName()
            for w in panel.findChildren(QWidget)
            if hasattr(w, "accessibleName") and w.isVisible()
        }
        assert name in names
    head = next(b for b in panel.findChildren(QComboBox) if b.accessibleName() == "Attention head")
    assert [head.itemData(i) for i in range(head.count())] == [None, 0, 1, 2]
    with qtbot.waitSignal(panel.overlay_chosen) as heard:
        head.setCurrentIndex(2)
        head.activated.emit(2)
    assert heard.args == ["attention", {"head": 1}]


def test_what_to_look_for_can_be_written_where_the_encoder_reads(shown: Any, qtbot: Any) -> None:
    panel = shown(OverlayPanel())
    line = panel.findChild(QLineEdit)
    assert line.accessibleName() == "Look for"
    assert "lymphocytes" in line.placeholderText()
    panel.show_encoder(catalogue()["untrained"], 0)
    assert not line.isVisible()
    panel.show_encoder(catalogue()["plip"], 12)
    assert line.isVisible()
    with qtbot.assertNotEmitted(panel.look_for.asked):
        qtbot.keyClicks(line, "  ")
        qtbot.keyClick(line, Qt.Key.Key_Return)
    line.clear()
    qtbot.keyClicks(line, "fat cells")
    with qtbot.waitSignal(panel.look_for.asked) as heard:
        qtbot.keyClick(line, Qt.Key.Key_Return)
    assert heard.args == ["fat cells"]
    panel.look_for.show_words("fat cells")
    assert line.text() == "fat cells"
    panel.look_for.show_words("")
    assert line.text() == ""


def test_opacity_is_a_share(shown: Any, qtbot: Any) -> None:
    panel = shown(OverlayPanel())
    with qtbot.assertNotEmitted(panel.opacity_changed):
        panel.show_opacity(0.45)
    with qtbot.waitSignal(panel.opacity_changed) as heard:
        panel.findChild(QSlider).setValue(80)
    assert heard.args == [0.8]


def test_doubts_come_in_amber_and_before_the_rest(shown: Any) -> None:
    panel = shown(OverlayPanel())
    panel.show_trust([Remark("bf16 on cpu"), Remark("Trained on photographs", True)])
    amber = [w for w in panel.findChildren(Words) if w.styleSheet() and not w.isHidden()]
    assert [w.text() for w in amber] == ["Trained on photographs"]
    assert "bf16 on cpu" in texts(panel)


def test_legends(shown: Any) -> None:
    legend = shown(Legend())
    ones = np.ones((2, 2), np.float32)
    score = TileMap("s", ones, Placement(0, 0, 1), "score", unit="cosine", limits=(0.7, 0.9))
    legend.show_map(score)
    bar = legend.sizeHint().height()
    assert bar > 20
    picture = legend.grab().toImage()
    left, right = (picture.pixelColor(x, Legend.MARGIN + 4) for x in (3, picture.width() - 4))
    assert left != right
    classes = tuple(MapClass(i, f"class {i}", (i * 40, 0, 0)) for i in range(1, 6))
    legend.show_map(
        TileMap("c", np.ones((2, 2), np.uint8), Placement(0, 0, 1), "class", classes=classes)
    )
    assert legend.sizeHint().height() > bar
    legend.show_map(None)
    assert legend.sizeHint().height() == 0


def test_a_map_of_colours_says_what_each_of_them_shows(shown: Any) -> None:
    legend = shown(Legend())
    rgba = np.zeros((2, 2, 4), np.uint8)
    place = Placement(0, 0, 1)
    shares = tuple(MapClass(i, f"{40 // i}% of variance", (255, 0, 0)) for i in (1, 2, 3))
    legend.show_map(TileMap("p", rgba, place, "colour", classes=shares))
    assert legend.sizeHint().height() > 20
    assert legend.grab().toImage().pixelColor(4, 6).red() == 255
    legend.show_map(TileMap("p", rgba, place, "colour"))
    assert legend.sizeHint().height() == 0


def test_what_colours_span_and_are_fitted_on_can_be_chosen(shown: Any, qtbot: Any) -> None:
    panel = shown(OverlayPanel())
    for overlay, name, option, values in (
        ("attention", "What the colours span", "normalise", ["view", "slide", "tile"]),
        ("pca", "What colours are fitted on", "fitted", ["view", "slide", "before"]),
    ):
        panel.show_look(Look(overlay=overlay))
        box = next(b for b in panel.findChildren(QComboBox) if b.accessibleName() == name)
        assert box.isVisible()
        assert [box.itemData(i) for i in range(box.count())] == values
        with qtbot.waitSignal(panel.overlay_chosen) as heard:
            box.setCurrentIndex(1)
            box.activated.emit(1)
        assert heard.args == [overlay, {option: values[1]}]
        panel.show_look(Look().showing(overlay, **{option: values[2]}))
        assert box.currentData() == values[2]


def test_what_is_missing_for_a_map_is_said(shown: Any) -> None:
    panel = shown(OverlayPanel())
    panel.show_map(None, "Click on the tissue.")
    assert "Click on the tissue." in texts(panel)
