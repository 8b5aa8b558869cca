"""Slides stay sharp while they are layers, and are closed after the last one."""

from __future__ import annotations

import gc
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_scalescope.slides.pyramid import CHUNK
from napari_scalescope.widgets.coordinator import Coordinator
from napari_scalescope.widgets.layers import (
    SlideKeeper,
    pyramid_of,
    slide_layer,
    slide_layers,
    slide_of,
)

from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide
from .conftest import duplicated


class Counted:
    """A slide that counts how often it was closed."""

    def __init__(self, **options: Any) -> None:
        self.closed = 0
        self.slide = memory_slide(smooth_picture(CHUNK * 6, CHUNK * 5), **options)
        self.slide.reader.close = self._close

    def _close(self) -> None:
        self.closed += 1


def shown(viewer: Any, slide: Any) -> Any:
    data, options, _ = slide_layer(slide)
    return viewer.add_image(data, **options)


def look_closely(viewer: Any, layer: Any) -> None:
    """Have the layer read its finest level, as a drawn canvas would."""
    layer._update_draw(1.0, np.array([[0, 0], [250, 350]]), (500, 700))  # µm
    assert layer.data_level == 0


def is_sharp(layer: Any) -> bool:
    """Whether the pixels the layer holds are the slide's own."""
    (y0, x0), (y1, x1) = layer.corner_pixels[:, :2]
    held = np.asarray(layer._slice.image.raw)[: y1 - y0, : x1 - x0]
    expected = slide_of(layer).read_level(0, x0, y0, held.shape[1], held.shape[0])
    return bool((held == expected).all())


@pytest.fixture
def keeper(qapp: Any, viewer: Any) -> Any:
    yield SlideKeeper.of(viewer)
    viewer.layers.clear()


def test_one_per_viewer(keeper: Any, viewer: Any) -> None:
    assert SlideKeeper.of(viewer) is keeper


def test_a_layer_is_read_again_until_it_is_sharp(keeper: Any, viewer: Any, qtbot: Any) -> None:
    layer = shown(viewer, memory_slide(smooth_picture(CHUNK * 6, CHUNK * 5), delay_s=0.05))
    qtbot.waitUntil(lambda: keeper.sharp, timeout=10_000)
    look_closely(viewer, layer)
    assert not keeper.sharp
    assert not is_sharp(layer)
    qtbot.waitUntil(lambda: is_sharp(layer), timeout=10_000)
    # and then it comes to rest
    qtbot.waitUntil(lambda: not keeper._sharpeners[layer]._timer.isActive(), timeout=1000)


def test_what_arrives_before_anybody_looks_is_drawn_too(
    keeper: Any, viewer: Any, qtbot: Any
) -> None:
    layer = shown(viewer, memory_slide(smooth_picture(CHUNK * 6, CHUNK * 5)))
    qtbot.waitUntil(lambda: not keeper._sharpeners[layer]._timer.isActive(), timeout=5000)
    look_closely(viewer, layer)
    assert pyramid_of(layer).wait(10)  # all of it is there before Qt has its next turn
    qtbot.waitUntil(lambda: is_sharp(layer), timeout=5000)


def test_what_cannot_be_read_is_said_once(
    keeper: Any, viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(slide_layers, "show_warning", said.append)
    broken = (100, 100, CHUNK, 10)  # over two tiles
    slide = memory_slide(smooth_picture(CHUNK * 6, CHUNK * 5), broken=broken)
    layer = shown(viewer, slide)
    qtbot.waitUntil(lambda: keeper.sharp)
    look_closely(viewer, layer)
    qtbot.waitUntil(lambda: bool(said))
    qtbot.waitUntil(lambda: keeper.sharp)
    qtbot.wait(150)
    assert said == ["memory is damaged. Make it again. What cannot be read is hatched."]


def test_slides_outlive_the_session(hub: Any, viewer: Any, qtbot: Any) -> None:
    """Closing the docks used to leave a reading thread calling an object that was gone."""
    before = threading.active_count()
    counted = Counted(delay_s=0.02)
    hub.set_wanted_live(False)
    hub.add_slide(counted.slide)
    hub.close()
    del hub
    gc.collect()
    layer = viewer.layers[0]
    look_closely(viewer, layer)
    qtbot.waitUntil(lambda: is_sharp(layer), timeout=10_000)
    assert counted.closed == 0
    viewer.layers.clear()
    assert counted.closed == 1
    assert threading.active_count() <= before


def test_a_later_session_finds_the_slide(hub: Any, viewer: Any) -> None:
    hub.set_wanted_live(False)
    hub.add_slide(Counted().slide)
    hub.close()
    again = Coordinator.of(viewer)
    assert again.session.slide is slide_of(viewer.layers[0])
    again.close()


def test_a_duplicate_keeps_the_slide_open(keeper: Any, viewer: Any, qtbot: Any) -> None:
    counted = Counted()
    layer = shown(viewer, counted.slide)
    copy = duplicated(viewer, layer)
    assert pyramid_of(copy) is pyramid_of(layer)
    viewer.layers.remove(layer)
    assert counted.closed == 0
    look_closely(viewer, copy)
    qtbot.waitUntil(lambda: is_sharp(copy), timeout=10_000)
    viewer.layers.remove(copy)
    assert counted.closed == 1


def test_a_slide_shown_twice_or_in_two_viewers_is_closed_with_the_last(
    keeper: Any, viewer: Any
) -> None:
    from napari.components import ViewerModel

    counted, elsewhere = Counted(), ViewerModel()
    SlideKeeper.of(elsewhere)
    first = shown(viewer, counted.slide)
    second = shown(viewer, counted.slide)
    elsewhere.add_layer(first)
    viewer.layers.remove(second)
    viewer.layers.remove(first)
    assert counted.closed == 0
    assert not pyramid_of(first)._closed
    assert pyramid_of(second)._closed
    elsewhere.layers.clear()
    assert counted.closed == 1


def test_a_slide_is_sliced_at_once_even_where_napari_slices_in_a_thread(
    keeper: Any, viewer: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what the camera comes to is black until the thread is done."""
    settings = SimpleNamespace(experimental=SimpleNamespace(async_=True))
    monkeypatch.setattr("napari.layers.base.base.get_settings", lambda: settings)
    monkeypatch.setattr(viewer._layer_slicer, "_force_sync", False)
    layer = shown(viewer, memory_slide(smooth_picture(CHUNK * 6, CHUNK * 5), delay_s=0.05))
    viewer._layer_slicer.wait_until_idle(5)
    asked = []
    layer.events.reload.connect(lambda: asked.append(1))
    look_closely(viewer, layer)
    assert layer._slice.image.raw.shape[0] >= 250  # there at once, if blurred
    assert not asked
    qtbot.waitUntil(lambda: keeper.sharp, timeout=10_000)
    assert is_sharp(layer)
