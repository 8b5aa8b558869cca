"""One session per viewer, wired to its layers, camera and mouse."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_scalescope.widgets.coordinator import Coordinator
from napari_scalescope.widgets.layers import QUERY, SELECTION, slide_of

from ..embeddings.fake import FakeEncoder
from ..slides.conftest import smooth_picture
from ..slides.memory import coloured_slide, memory_slide
from .conftest import duplicated

Settle = Callable[[Any], None]


def test_one_per_viewer_whoever_asks(hub: Any, viewer: Any) -> None:
    from napari.utils._proxies import PublicOnlyProxy

    assert Coordinator.of(viewer) is hub
    assert Coordinator.of(PublicOnlyProxy(viewer)) is hub


def test_a_slide_that_appears_is_encoded_where_the_camera_is(
    hub: Any, viewer: Any, settle: Settle, encoder: FakeEncoder
) -> None:
    slide = coloured_slide(2600, 2000)
    hub.add_slide(slide)
    assert hub.session.slide is slide
    hub.viewport.show(type(slide.box)(600, 500, 800, 600))
    settle(hub)
    assert encoder.encoded > 0
    assert hub.layers.map_layer is not None
    view = hub.session.on_screen
    assert view.box.centre == pytest.approx((1000, 800))
    assert view.box.w == pytest.approx(800)
    assert view.mpp == pytest.approx(0.5)


def test_the_camera_is_followed_when_it_rests(hub: Any, viewer: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    viewer.scene.camera.zoom = 4.0
    settle(hub)
    seen: list[Any] = []
    hub.viewport.changed.connect(seen.append)
    for i in range(30):
        viewer.scene.camera.center = (0, 400 + i, 500)
    settle(hub)
    assert len(seen) == 1
    assert seen[0].box.centre[0] == pytest.approx(1000)


def press(hub: Any, viewer: Any, x: float, y: float, *, drag: bool = False, **changes: Any) -> None:
    """A press of the mouse at level-0 pixels, as napari tells of it."""
    unit = hub.session.slide.mpp or 1.0
    event = SimpleNamespace(
        type="mouse_press", button=1, modifiers=(), position=(y * unit, x * unit)
    )
    for key, value in changes.items():
        setattr(event, key, value)
    steps = hub._on_press(viewer, event)
    next(steps)
    if drag:
        event.type = "mouse_move"
        next(steps)
    event.type = "mouse_release"
    with pytest.raises(StopIteration):
        next(steps)


def test_a_click_asks(hub: Any, viewer: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(type(hub.session.slide.box)(600, 500, 800, 600))
    settle(hub)
    press(hub, viewer, 900, 800)
    settle(hub)
    assert hub.session.questions.asked.place == pytest.approx((900, 800))
    assert hub.layers.map_layer.name == "Similarity"
    assert viewer.layers[QUERY].visible


def test_modifiers_say_for_and_against(hub: Any, viewer: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(type(hub.session.slide.box)(600, 500, 800, 600))
    settle(hub)
    press(hub, viewer, 900, 800)
    press(hub, viewer, 700, 800, modifiers=("Shift",))
    press(hub, viewer, 1390, 700, modifiers=("Alt",))
    settle(hub)
    asked = hub.session.questions.asked
    assert [(e.x, e.y) for e in asked.positives] == [(900, 800), (700, 800)]
    assert [(e.x, e.y) for e in asked.negatives] == [(1390, 700)]
    marks = viewer.layers[QUERY]
    assert [str(s) for s in marks.symbol] == ["disc", "disc", "x"]
    np.testing.assert_allclose(marks.data, [[800, 900], [800, 700], [700, 1390]])
    press(hub, viewer, 1300, 700)
    settle(hub)
    assert len(hub.session.questions.asked.examples) == 1
    hub.session.questions.forget()
    settle(hub)
    assert not marks.visible


def test_the_next_answer_is_looked_at_and_kept_as_regions(
    hub: Any, viewer: Any, settle: Settle
) -> None:
    told: list[str] = []
    hub.said.connect(told.append)
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(type(hub.session.slide.box)(600, 500, 800, 600))
    settle(hub)
    press(hub, viewer, 900, 800)
    settle(hub)
    hub.session.questions.next()
    settle(hub)
    hit = hub.session.questions.hits[0]
    assert hub.session.on_screen.box.contains(*hit.box.centre)
    assert [str(s) for s in viewer.layers[QUERY].symbol] == ["disc", "diamond"]
    lo, hi = hub.session.map.found.limits
    hub.session.show("similarity", threshold=(lo + hi) / 2)
    settle(hub)
    area = hub.session.map.found.area_mm2
    hub.session.questions.outline()
    settle(hub)
    found = hub.layers.regions()
    assert len(found) > 0
    assert set(found.labels) == {"Like Place 900, 800"}
    kept = sum(r.area_mm2(0.5) for r in found)
    assert 0.5 * area < kept <= area * (1 + 1e-6)  # but for pieces of three tokens and less
    assert "added to Regions" in told[-1]


@pytest.mark.parametrize("how", [{"drag": True}, {"button": 2}, {"modifiers": ("Control",)}])
def test_a_drag_and_other_presses_do_not(
    hub: Any, viewer: Any, settle: Settle, how: dict[str, Any]
) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    press(hub, viewer, 900, 800, **how)
    assert hub.session.questions.asked.place is None


def test_a_click_while_drawing_is_no_question(hub: Any, viewer: Any) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    layer = hub.layers.regions_layer()
    viewer.layers.selection.active = layer
    layer.mode = "add_polygon"
    press(hub, viewer, 900, 800)
    assert hub.session.questions.asked.place is None


def test_selected_tiles_stand_out(hub: Any, viewer: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(type(hub.session.slide.box)(600, 500, 800, 600))
    settle(hub)
    hub.session.selection.choose(hub.session.embeddings().tiles[:3], hub.session.mpp)
    settle(hub)
    assert (viewer.layers[SELECTION].data[..., 3] == 0).sum() == 3


def test_removing_the_slide_ends_its_threads(hub: Any, viewer: Any, settle: Settle) -> None:
    before = threading.active_count()
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    assert threading.active_count() > before
    viewer.layers.clear()
    settle(hub)
    assert hub.session.slide is None
    assert threading.active_count() == before


def test_removing_it_while_it_loads(hub: Any, viewer: Any, settle: Settle) -> None:
    hub.add_slide(memory_slide(smooth_picture(3000, 3000), delay_s=0.02))
    viewer.layers.clear()
    settle(hub)
    assert hub.session.slide is None


def test_a_second_slide_takes_over_and_the_first_comes_back(
    hub: Any, viewer: Any, settle: Settle
) -> None:
    first, second = coloured_slide(2600, 2000), coloured_slide(1500, 1200)
    hub.add_slide(first)
    settle(hub)
    hub.add_slide(second)
    settle(hub)
    assert hub.session.slide is second
    viewer.layers.remove(next(x for x in viewer.layers if slide_of(x) is second))
    assert hub.session.slide is first


def test_a_duplicate_of_the_slide_disturbs_nothing(
    hub: Any, viewer: Any, settle: Settle, encoder: FakeEncoder
) -> None:
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(type(hub.session.slide.box)(600, 500, 800, 600))
    settle(hub)
    slide, found = hub.session.slide, len(hub.session.embeddings())
    original = viewer.layers[0]
    copy = duplicated(viewer, original)
    assert slide_of(copy) is slide
    viewer.layers.remove(original)
    settle(hub)
    assert hub.session.slide is slide
    assert len(hub.session.embeddings()) == found
    assert hub.layers.map_layer is not None


def test_live_is_left_as_the_user_left_it(hub: Any, settle: Settle) -> None:
    hub.add_slide(coloured_slide(1500, 1200))
    assert hub.session.live
    hub.set_wanted_live(False)
    hub.add_slide(coloured_slide(1400, 1200))
    assert not hub.session.live


def test_errors_reach_the_docks_as_text(hub: Any, settle: Settle, qtbot: Any) -> None:
    told: list[str] = []
    hub.failed.connect(told.append)
    hub.add_slide(memory_slide(smooth_picture(900, 700), None))
    hub.session.set_view(hub.viewport.view())
    hub.session.encode_view()
    settle(hub)
    assert "resolution field" in told[0]


def test_setting_the_resolution_places_everything_anew(
    hub: Any, viewer: Any, settle: Settle, encoder: FakeEncoder
) -> None:
    slide = coloured_slide(2600, 2000)
    slide.resolution = memory_slide(np.zeros((9, 9, 3), np.uint8), None).resolution
    hub.add_slide(slide)
    settle(hub)
    assert encoder.encoded == 0
    hub.set_slide_mpp(0.5)
    settle(hub)
    assert encoder.encoded > 0
    assert viewer.layers[0].scale.tolist() == [0.5, 0.5]
    assert hub.session.on_screen.mpp == pytest.approx(2000 * 0.5 / 600 / 0.95, rel=0.01)


def test_with_the_last_dock_the_session_ends(qtbot: Any, viewer: Any, encoder: FakeEncoder) -> None:
    from qtpy.QtWidgets import QWidget

    before = threading.active_count()
    hub = Coordinator.of(viewer)
    docks = [QWidget(), QWidget()]
    for dock in docks:
        hub.join(dock)
    docks[0].deleteLater()
    qtbot.wait(20)
    assert Coordinator.of(viewer) is hub
    docks[1].deleteLater()
    qtbot.waitUntil(lambda: threading.active_count() == before, timeout=5000)
    assert not viewer.mouse_drag_callbacks or hub._on_press not in viewer.mouse_drag_callbacks
    other = Coordinator.of(viewer)
    assert other is not hub
    other.close()
    gc.collect()
