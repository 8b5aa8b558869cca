"""The controls of the similarity map, and its marks and outlines in layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from qtpy.QtWidgets import QSlider, QToolButton

from napari_scalescope.analysis import Hit, TileMap
from napari_scalescope.geometry import Box, Placement
from napari_scalescope.regions import Region, Regions
from napari_scalescope.session import Area, Question, Spot
from napari_scalescope.session.overlays import SimilarityOverlay
from napari_scalescope.widgets.layers import QUERY, Layers
from napari_scalescope.widgets.overlays.similarity import SimilarityOptions

from ..slides.memory import coloured_slide
from .reading import button, texts

Shown = Callable[[Any], Any]
MADE = TileMap(
    "Similarity",
    np.linspace(0.6, 1, 24, dtype=np.float32).reshape(4, 6),
    Placement(0, 0, 100),
    "score",
    unit="cosine",
    limits=(0.6, 1.0),
    colormap="viridis",
)


@pytest.fixture
def options(shown: Shown) -> SimilarityOptions:
    made: SimilarityOptions = shown(SimilarityOptions())
    return made


def asked(options: SimilarityOptions) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = []
    options.changed.connect(log.append)
    return log


def test_the_threshold_goes_through_the_scores_that_occur(options: SimilarityOptions) -> None:
    log = asked(options)
    slider = options.findChild(QSlider)
    assert not slider.isEnabled()
    options.show_map(MADE)
    assert slider.isEnabled()
    slider.setValue(150)
    assert log == [{"threshold": pytest.approx(0.9)}]
    slider.setValue(0)
    assert log[-1] == {"threshold": None}
    options.show_map(replace(MADE, threshold=0.8, area_mm2=1.234, smooth=True))
    assert slider.value() == 100
    assert "1.23 mm² in view at 0.8 cosine or more" in texts(options)
    assert len(log) == 2  # showing asks for nothing
    assert button(options, "Keep as regions").isEnabled()
    options.show_map(MADE)
    assert slider.value() == 0
    assert "mm²" not in texts(options)
    assert not button(options, "Keep as regions").isEnabled()


def test_another_measure_has_no_threshold_yet(options: SimilarityOptions) -> None:
    log = asked(options)
    options._measure.setCurrentIndex(options._measure.findData("rank"))
    options._measure.activated.emit(2)
    assert log == [{"measure": "rank", "threshold": None}]
    options.show_overlay(SimilarityOverlay(measure="whitened", tokens=False))
    assert options._measure.currentData() == "whitened"
    assert options._tokens.currentData() is False


def test_examples_are_listed_and_removed(options: SimilarityOptions) -> None:
    removed: list[Any] = []
    options.removed.connect(removed.append)
    against = Area(shapely.box(0, 0, 9, 9), "as drawn")
    options.show_question(Question((Spot(1200, 34),), (against,)))
    assert "○  like Place 1,200, 34" in texts(options)
    assert "✕  not like Region as drawn" in texts(options)
    crosses = [b for b in options.findChildren(QToolButton) if b.text() == "×"]
    crosses[1].click()
    assert removed == [against]
    options.show_question(Question())
    assert "like Place" not in texts(options)
    assert not button(options, "Forget").isEnabled()


def test_the_best_answers_are_pictures_to_click(options: SimilarityOptions) -> None:
    chosen: list[Hit] = []
    options.hit_chosen.connect(chosen.append)
    hits = [Hit(Box(100 * i, 50, 64, 64), 0.9 - i / 10, i + 1) for i in range(3)]
    options.show_hits(coloured_slide(600, 400), hits, "by cosine")
    assert options.sheet.isVisible()
    assert [t.box for t in options.sheet.tiles] == [h.box for h in hits]
    options.sheet.activated.emit(1)
    assert chosen == [hits[1]]
    options.show_question(Question())
    assert not options.sheet.isVisible()


def test_buttons_ask(options: SimilarityOptions) -> None:
    log: list[str] = []
    options.show_map(replace(MADE, threshold=0.8, area_mm2=1.0))
    options.show_question(Question((Spot(1, 2),)))
    options.next_requested.connect(lambda: log.append("next"))
    options.top_requested.connect(lambda k: log.append(f"top {k}"))
    options.regions_requested.connect(lambda: log.append("regions"))
    options.drawn_requested.connect(lambda: log.append("drawn"))
    options.forget_requested.connect(lambda: log.append("forget"))
    for title in ("Next", "Best", "Keep as regions", "Drawn", "Forget"):
        button(options, title).click()
    assert log == ["next", "top 24", "regions", "drawn", "forget"]


def test_nothing_is_wider_than_a_dock(options: SimilarityOptions) -> None:
    options.show_map(replace(MADE, threshold=0.8, area_mm2=1.0))
    options.show_question(Question((Spot(123_456, 123_456),)))
    assert options.minimumSizeHint().width() <= 268  # of 300, less margins and a scroll bar


# --- layers ---


@pytest.fixture
def layers(qapp: Any, viewer: Any) -> Layers:
    made = Layers(viewer)
    made.follow(coloured_slide(1000, 700))
    return made


def test_what_is_below_the_threshold_is_nearly_clear(layers: Layers) -> None:
    layers.show_map(MADE)
    layer: Any = layers.map_layer
    assert layer.colormap.name == "viridis"
    layers.show_map(replace(MADE, threshold=0.9))
    below, above = layer.colormap.map(np.array([0.7, 0.8]))  # scores of 0.88 and 0.92
    assert below[3] < 0.2
    assert above[3] == 1
    np.testing.assert_allclose(above[:3], _viridis(0.8), atol=0.02)
    layers.show_map(MADE)
    assert layer.colormap.name == "viridis"


def _viridis(at: float) -> np.ndarray:
    from napari.utils.colormaps import ensure_colormap

    return np.asarray(ensure_colormap("viridis").map(np.array([at]))[0, :3])


def test_marks_differ_by_shape(layers: Layers, viewer: Any) -> None:
    area = Area(shapely.box(100, 200, 300, 400))
    layers.show_examples(Question((Spot(10, 20), area), (Spot(500, 60),)), (700.0, 80.0))
    marks = viewer.layers[QUERY]
    assert [str(s) for s in marks.symbol] == ["disc", "disc", "x", "diamond"]
    np.testing.assert_allclose(marks.data, [[20, 10], [300, 200], [60, 500], [80, 700]])
    layers.show_examples(Question((), (Spot(1, 2),)))
    assert [str(s) for s in marks.symbol] == ["x"]
    layers.show_examples(Question())
    assert not marks.visible


def test_outlines_are_added_with_their_holes(layers: Layers) -> None:
    layer: Any = layers.regions_layer()
    layer.add_polygons(np.array([[1, 1], [1, 50], [50, 50], [50, 1]], float))
    holed = shapely.box(100, 100, 400, 300).difference(
        shapely.union_all([shapely.box(150, 150, 200, 200), shapely.box(300, 200, 350, 250)])
    )
    several = shapely.union_all([shapely.box(500, 0, 600, 50), shapely.box(700, 0, 750, 50)])
    layers.add_regions(Regions([Region(holed, "Alike"), Region(several, "Other")]))
    found = layers.regions()
    assert [r.label for r in found] == ["", "Alike", "Other", "Other"]
    assert found[1].geometry.symmetric_difference(holed).area < 1e-6
    assert len(found[1].geometry.interiors) == 2
    assert found[2].geometry.area + found[3].geometry.area == pytest.approx(several.area)
    layers.add_regions(Regions())
    assert len(layers.regions()) == 4
