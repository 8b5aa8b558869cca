"""The plugin in a real napari window (on a virtual screen)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_scalescope.analysis import TileMap
from napari_scalescope.geometry import Box, Placement
from napari_scalescope.slides import open_slide
from napari_scalescope.widgets.contributions import EMBEDDING_MAP, EXPLORER, show_docks
from napari_scalescope.widgets.coordinator import Coordinator
from napari_scalescope.widgets.layers import slide_of

from ..embeddings.fake import FakeEncoder
from ..slides.memory import coloured_slide

pytestmark = pytest.mark.canvas

PLUGIN = "napari-scalescope"


@pytest.fixture
def slide_file(tmp_path: Path) -> Path:
    path = tmp_path / "slide.svs"
    pixels = coloured_slide(2600, 2000).read_level(0, 0, 0, 2600, 2000)
    tifffile.imwrite(
        path, pixels, tile=(256, 256), photometric="rgb", compression="deflate",
        resolution=(20000, 20000), resolutionunit="CENTIMETER", metadata=None,
    )  # fmt: skip
    return path


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Any], encoder: FakeEncoder) -> Any:
    made = make_napari_viewer(show=True)
    made.window.resize(1300, 900)
    yield made
    hub = Coordinator.of(made)
    hub.close()
    made.layers.clear()


def test_manifest_is_valid() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution(PLUGIN)
    manifest.validate_imports()
    assert manifest.display_name == "ScaleScope"


def test_a_dropped_slide_opens_with_the_explorer_and_is_encoded(
    viewer: Any, slide_file: Path, settle: Callable[[Any], None], qtbot: Any, encoder: FakeEncoder
) -> None:
    viewer.open(str(slide_file), plugin=PLUGIN)
    qtbot.waitUntil(
        lambda: any(k.startswith(EXPLORER) for k in viewer.window.dock_widgets), timeout=5000
    )
    hub = Coordinator.of(viewer)
    settle(hub)
    assert slide_of(viewer.layers[0]).name == "slide.svs"
    assert encoder.encoded > 0
    assert hub.layers.map_layer is not None
    # A second slide does not open a second Explorer.
    viewer.open(str(slide_file), plugin=PLUGIN)
    settle(hub)
    assert sum(k.startswith(EXPLORER) for k in viewer.window.dock_widgets) == 1


def test_both_docks_from_the_menu(
    viewer: Any, settle: Callable[[Any], None], encoder: FakeEncoder
) -> None:
    docks = show_docks(viewer)
    hub = Coordinator.of(viewer)
    hub.add_slide(coloured_slide(2600, 2000))
    settle(hub)
    assert set(docks) == {EXPLORER, EMBEDDING_MAP}
    assert len(docks[EMBEDDING_MAP].scatter.selection) > 0


def test_closing_the_docks_ends_the_session(
    viewer: Any, settle: Callable[[Any], None], qtbot: Any
) -> None:
    import threading

    before = threading.active_count()
    show_docks(viewer)
    hub = Coordinator.of(viewer)
    settle(hub)
    assert threading.active_count() > before
    for dock in list(viewer.window.dock_widgets.values()):
        viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: threading.active_count() <= before, timeout=5000)


def red_box(picture: np.ndarray) -> tuple[float, float, float, float]:
    """Bounding box (x0, y0, x1, y1) of what is red in a screenshot."""
    red = (picture[..., 0] > 150) & (picture[..., 1] < 100) & (picture[..., 2] < 100)
    rows, cols = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return (cols[0], rows[0], cols[-1] + 1, rows[-1] + 1)


def dark_box(picture: np.ndarray) -> tuple[float, float, float, float]:
    """The same of what is grey 90 (the mark on the slide)."""
    dark = np.abs(picture[..., :3].astype(int) - 90).max(-1) < 12
    rows, cols = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    return (cols[0], rows[0], cols[-1] + 1, rows[-1] + 1)


@pytest.mark.parametrize("mpp", [0.2738, 0.4972])
def test_maps_lie_on_the_slide_at_every_level(
    viewer: Any, settle: Callable[[Any], None], qtbot: Any, mpp: float
) -> None:
    """A mark in the far corner and a map cell over it cover the same screen pixels."""
    from ..slides.memory import memory_slide

    pixels = np.full((3000, 4000, 3), 235, np.uint8)
    mark = Box(3584, 2560, 256, 256)
    pixels[2560:2816, 3584:3840] = 90
    hub = Coordinator.of(viewer)
    hub.set_wanted_live(False)
    hub.add_slide(memory_slide(pixels, mpp))
    values = np.full((12, 16, 4), 0, np.uint8)
    values[10, 14] = (255, 0, 0, 255)
    for side in (600.0, 1500.0, 3500.0):  # three levels of the pyramid
        hub.layers.show_map(None)
        hub.viewport.show(Box.around(mark.centre, side * 1.4, side))
        qtbot.waitUntil(lambda: hub.sharp, timeout=10_000)
        qtbot.wait(200)
        bare = dark_box(viewer.screenshot(canvas_only=True, flash=False))
        hub.layers.set_opacity(1.0)
        hub.layers.show_map(TileMap("m", values, Placement(0, 0, 256), "colour"))
        qtbot.wait(100)
        over = red_box(viewer.screenshot(canvas_only=True, flash=False))
        # Half a level-0 pixel, or where one is smaller than the screen's, one of the screen's.
        tolerance = max(1.0, 0.5 / (side / viewer.canvas.size[0]))
        assert over == pytest.approx(bare, abs=tolerance)


def test_nothing_is_black_while_a_slow_slide_loads(viewer: Any, qtbot: Any) -> None:
    from ..slides.conftest import smooth_picture
    from ..slides.memory import memory_slide

    slide = memory_slide(np.maximum(smooth_picture(4000, 3000), 60), delay_s=0.05)
    hub = Coordinator.of(viewer)
    hub.set_wanted_live(False)
    hub.add_slide(slide)
    qtbot.waitUntil(lambda: hub.sharp, timeout=20_000)
    for x in (800, 2000, 3200):
        hub.viewport.show(Box(x, 1000, 500, 350))
        for _ in range(3):
            picture = viewer.screenshot(canvas_only=True, flash=False)
            middle = picture[100:-100, 100:-100, :3]
            assert (middle.max(-1) < 30).mean() < 0.001
            qtbot.wait(30)
    qtbot.waitUntil(lambda: hub.sharp, timeout=20_000)


def test_the_sample_opens_from_the_menu(
    viewer: Any, settle: Callable[[Any], None], qtbot: Any
) -> None:
    viewer.open_sample(PLUGIN, "phantom")
    qtbot.waitUntil(
        lambda: any(k.startswith(EXPLORER) for k in viewer.window.dock_widgets), timeout=5000
    )
    hub = Coordinator.of(viewer)
    settle(hub)
    assert hub.session.slide.mpp == pytest.approx(0.5)
    assert hub.layers.map_layer is not None


def test_a_reader_in_a_script_needs_no_window(slide_file: Path) -> None:
    from napari_scalescope.widgets.contributions import get_reader

    read = get_reader(str(slide_file))
    assert read is not None
    ((levels, options, kind),) = read(str(slide_file))
    assert kind == "image"
    assert options["multiscale"]
    assert len(levels) == 3
    levels[0].pyramid.close()
    levels[0].pyramid.slide.close()
    assert get_reader(["a.svs", "b.svs"]) is None


def test_real_slide(
    viewer: Any, shared: Path, settle: Callable[[Any], None], qtbot: Any, encoder: FakeEncoder
) -> None:
    hub = Coordinator.of(viewer)
    hub.add_slide(open_slide(shared / "slides" / "JP2K-33003-1_crop.svs"))
    settle(hub)
    hub.viewport.show(Box(3500, 2500, 1500, 1000))
    settle(hub)
    qtbot.waitUntil(lambda: hub.sharp, timeout=10_000)
    assert hub.session.mpp == 0.5
    assert hub.layers.map_layer is not None
