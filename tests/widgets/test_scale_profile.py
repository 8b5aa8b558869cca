"""The Scale profile dock, and the options of overlays across scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QComboBox

from napari_scalescope.analysis import ScaleProfile
from napari_scalescope.geometry import Box
from napari_scalescope.session import Look
from napari_scalescope.widgets.overlays import OverlayPanel
from napari_scalescope.widgets.profile_plot import MARK, ProfilePlot, ramp, ticks
from napari_scalescope.widgets.scale_profile import ScaleProfileDock, length

from ..embeddings.fake import FakeEncoder
from ..slides.memory import coloured_slide
from .reading import texts

Settle = Callable[[Any], None]


def made(count: int = 16, done: int | None = None) -> ScaleProfile:
    """A profile whose views are grey, the finer the darker, and whose fifth is most its own."""
    mpp = np.geomspace(0.25, 16.0, count)
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    similarity = (1 - 0.5 * distance / count).astype(np.float32)
    own = np.zeros(count, np.float32)
    own[5] = 0.2
    if done is not None:
        similarity[done:] = similarity[:, done:] = np.nan
        own[:] = np.nan
    shade = np.linspace(40, 200, count).astype(np.uint8)
    views = np.broadcast_to(shade[:, None, None, None], (count, 32, 32, 3)).copy()
    return ScaleProfile((100.0, 200.0), mpp, similarity, views, own, "Fake")


@pytest.fixture
def plot(shown: Callable[[Any], Any]) -> ProfilePlot:
    widget = ProfilePlot()
    shown(widget)
    widget.resize(400, widget.heightForWidth(400))
    return widget


def colour_at(plot: ProfilePlot, x: float, y: float) -> tuple[int, int, int]:
    picture = plot.grab()
    ratio = picture.devicePixelRatio()
    colour = picture.toImage().pixelColor(int(x * ratio), int(y * ratio))
    return colour.red(), colour.green(), colour.blue()


def test_cells_and_views_are_drawn_where_they_belong(plot: ProfilePlot) -> None:
    profile = made()
    plot.show_profile(profile)
    boxes = plot._boxes()
    assert plot.limits == (pytest.approx(float(profile.similarity.min())), 1.0)
    for row, col in ((0, 15), (8, 8), (12, 3)):
        x = boxes.matrix.left() + (col + 0.5) * boxes.cell
        y = boxes.matrix.top() + (row + 0.5) * boxes.cell
        lo, hi = plot.limits
        share = (profile.similarity[row, col] - lo) / (hi - lo)
        expected = ramp()[round(float(share) * 255), :3]
        np.testing.assert_allclose(colour_at(plot, x, y), expected, atol=3)
    for i in (0, 7, 15):
        centre = boxes.thumb(i).center()
        np.testing.assert_allclose(
            colour_at(plot, centre.x(), centre.y()), profile.views[i, 0, 0], atol=3
        )
    # Everything is inside, and the view that is most its own has its frame and its bar.
    assert boxes.bars.right() <= 400
    assert boxes.height <= plot.height()
    bar_y = boxes.bars.top() + 5.5 * boxes.cell
    orange = MARK.getRgb()[:3]
    np.testing.assert_allclose(colour_at(plot, boxes.bars.right() - 4, bar_y), orange, atol=3)


def test_it_fits_a_narrow_dock_and_a_wide_one(plot: ProfilePlot) -> None:
    plot.show_profile(made())
    for width in (240, 400, 900):
        plot.resize(width, plot.heightForWidth(width))
        boxes = plot._boxes()
        assert boxes.bars.right() <= width
        assert boxes.thumb(0).left() >= 0
        assert boxes.thumb(0).top() >= 0
        assert boxes.ramp.bottom() < plot.height()
        # Thumbnails of one column do not cover each other.
        assert not boxes.thumb(3).intersects(boxes.thumb(5))
        assert not boxes.thumb(3).intersects(boxes.thumb(4))


def test_what_is_not_encoded_yet_has_no_colour(plot: ProfilePlot) -> None:
    plot.show_profile(None)
    boxes = plot._boxes()
    place = boxes.matrix.left() + 12.5 * boxes.cell, boxes.matrix.top() + 12.5 * boxes.cell
    blank = colour_at(plot, *place)
    plot.show_profile(made(done=9))
    assert colour_at(plot, *place) == blank
    assert len(plot._images) == 9
    plot.show_profile(made(done=1))
    assert plot.limits == (0.0, 1.0)
    plot.show_profile(made())
    assert colour_at(plot, *place) != blank


def test_ticks_are_doubles_at_their_place_on_a_log_axis() -> None:
    found = ticks(made(13))  # 0.25 to 16 in half octaves
    assert [v for v, _ in found] == [0.25, 0.5, 1, 2, 4, 8, 16]
    np.testing.assert_allclose([p for _, p in found], 0.5 + 2 * np.arange(7), atol=1e-6)


def test_the_mouse_says_which_views(plot: ProfilePlot, qtbot: Any) -> None:
    plot.show_profile(made())
    pointed: list[tuple[int, int]] = []
    went: list[int] = []
    plot.pointed.connect(lambda *at: pointed.append(at))
    plot.activated.connect(went.append)
    boxes = plot._boxes()

    def cell(row: int, col: int) -> QPoint:
        x = boxes.matrix.left() + (col + 0.5) * boxes.cell
        return QPoint(int(x), int(boxes.matrix.top() + (row + 0.5) * boxes.cell))

    qtbot.mouseMove(plot, cell(3, 11))
    qtbot.mouseMove(plot, boxes.thumb(6).center().toPoint())
    qtbot.mouseMove(plot, QPoint(2, plot.height() - 2))
    assert pointed == [(3, 11), (6, 6), (-1, -1)]
    qtbot.mouseDClick(plot, Qt.MouseButton.LeftButton, pos=boxes.thumb(6).center().toPoint())
    assert went == [6]


@pytest.fixture
def dock(qtbot: Any, hub: Any, viewer: Any) -> ScaleProfileDock:
    widget = ScaleProfileDock(viewer)
    qtbot.addWidget(widget)
    widget.resize(400, 800)
    widget.show()
    return widget


def test_a_click_on_the_slide_is_followed(
    dock: ScaleProfileDock, hub: Any, settle: Settle, encoder: FakeEncoder
) -> None:
    assert "Click on the tissue" in texts(dock)
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(Box(600, 500, 800, 600))
    settle(hub)
    hub.session.questions.ask(900, 800)
    settle(hub)
    found = hub.session.profile.found
    assert found is not None
    assert found.at == (900.0, 800.0)
    said = texts(dock)
    assert "At 0.45, 0.40 mm · Fake · most its own at" in said
    assert f"{found.mpp[found.best]:.2g} µm/px" in said
    dock.plot.pointed.emit(2, 9)
    cosine = found.similarity[2, 9]
    assert f"cosine {cosine:.2f}" in texts(dock)
    assert all(label.pixmap().height() > 100 for label in dock._pictures)
    dock.plot.pointed.emit(-1, -1)
    assert "most its own" in dock.detail.text()
    # While it is hidden nobody pays for it; brought to the front it has caught up.
    dock.hide()
    count = encoder.encoded
    hub.session.set_live(False)
    hub.session.questions.ask(1000, 900)
    settle(hub)
    assert hub.session.profile.found is found
    assert encoder.encoded - count < 16
    dock.show()
    settle(hub)
    assert hub.session.profile.found.at == (1000.0, 900.0)


def test_the_centre_of_the_view_and_flying_to_a_view(
    dock: ScaleProfileDock, hub: Any, settle: Settle
) -> None:
    dock.centre.click()  # nothing to look at yet
    hub.add_slide(coloured_slide(2600, 2000))
    hub.viewport.show(Box(600, 500, 800, 600))
    settle(hub)
    dock.centre.click()
    settle(hub)
    found = hub.session.profile.found
    assert found.at == pytest.approx(hub.session.on_screen.box.centre)
    dock.plot.activated.emit(12)
    settle(hub)
    side = 64 * found.mpp[12] / 0.5
    assert hub.session.on_screen.box.h == pytest.approx(min(side, 2000), rel=0.2)
    hub.session.set_slide(coloured_slide(800, 800))
    settle(hub)
    assert "Click on the tissue" in texts(dock)


def test_lengths_are_written_as_people_do() -> None:
    assert [length(v) for v in (56.2, 999.4, 1820, 12000)] == ["56 µm", "999 µm", "1.8 mm", "12 mm"]


def test_options_across_scales(shown: Callable[[Any], Any]) -> None:
    panel = shown(OverlayPanel())
    asked: list[tuple[str, dict[str, Any]]] = []
    panel.overlay_chosen.connect(lambda key, options: asked.append((key, options)))
    panel.show_look(Look().showing("agreement", kind="gram", step=2.0))
    kind, step = panel.options["agreement"].findChildren(QComboBox)
    assert (kind.currentText(), step.currentText()) == ("patterns of tokens", "with double")
    kind.setCurrentIndex(kind.findText("nearest neighbours"))
    kind.activated.emit(kind.currentIndex())
    step.setCurrentIndex(step.findText("with a quarter"))
    step.activated.emit(step.currentIndex())
    panel.show_look(Look().showing("best", octaves=3))
    (octaves,) = panel.options["best"].findChildren(QComboBox)
    assert octaves.currentText() == "of 4 magnifications"
    assert panel.options["agreement"].isHidden()
    octaves.activated.emit(0)
    assert asked == [
        ("agreement", {"kind": "neighbours"}),
        ("agreement", {"step": 0.25}),
        ("best", {"octaves": 3}),
    ]
