from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPointF

from .hand import CONTROL, LEFT, NONE, SHIFT, move, wheel


@pytest.fixture
def rows(view):
    """Clicks on the legend, which has 30 rows of which some are shown."""
    view.resize(400, 300)
    view.set_legend([(f"Cluster {i}", (i, 2 * i, 255 - i), 10 * i) for i in range(30)], "All")
    clicks = []
    view.legend_clicked.connect(lambda row, mode: clicks.append(row))
    return clicks


def place_of(view, i):
    return view._plot.layout().legend.rows[i].center().toPoint()


def test_a_click_says_which_row(view, qtbot, rows):
    for tool in ("pan", "lasso"):
        view.tool = tool
        qtbot.mouseClick(view, LEFT, NONE, place_of(view, 2))
    assert rows == [2, 2]
    assert not view.selection.any()


def test_letting_go_elsewhere_is_no_click(view, qtbot, rows):
    qtbot.mousePress(view, LEFT, NONE, place_of(view, 2))
    qtbot.mouseRelease(view, LEFT, NONE, place_of(view, 3))
    assert rows == []


def test_the_wheel_scrolls_what_does_not_fit(view, qtbot, rows):
    legend = view._plot.layout().legend
    fits = len(legend.rows)
    assert 3 < fits < 30
    assert legend.more.height() > 0
    scale, place = view.camera.scale, place_of(view, 1)
    for _ in range(100):
        wheel(view, place, -1)
    assert view.camera.scale == scale
    assert max(view._plot.layout().legend.rows) == 29
    qtbot.mouseClick(view, LEFT, NONE, place_of(view, 29))
    assert rows == [29]
    for _ in range(100):
        wheel(view, place, 1)
    assert min(view._plot.layout().legend.rows) == 0


def test_points_under_the_legend_are_not_pointed_at(view, qtbot, rows):
    points = []
    view.point_hovered.connect(points.append)
    place = place_of(view, 1)
    x, y = view.camera.to_data(place.x(), place.y())
    view.set_points([[x, y]], keep_view=True)
    move(view, place)
    assert points == []


def test_it_can_be_hidden(view, rows):
    view.set_colour_bar(np.zeros((256, 3), np.uint8), -1, 1, "Similarity")
    assert view._plot.layout().bar.height() > 0
    view.legend_visible = False
    assert view._plot.layout().legend.rows == {}
    assert view._plot.layout().bar.height() == 0


@pytest.mark.parametrize("size", [(200, 160), (360, 320), (900, 700)])
@pytest.mark.parametrize("scaling", [1, 2])
def test_everything_fits_whatever_the_size(view, rows, size, scaling):
    font = view.font()
    font.setPointSizeF(font.pointSizeF() * scaling)
    view.setFont(font)
    view.resize(*size)
    view.title = "A title that is longer than what a small widget has room for, by far"
    view.set_colour_bar(np.zeros((256, 3), np.uint8), -1, 1, "Similarity to the query")
    view.set_selection(np.arange(26) < 3)
    layout = view._plot.layout()
    area = view.rect()
    for box in (layout.title, layout.total, layout.bar):
        assert area.contains(box.toAlignedRect())
    assert not layout.title.intersects(layout.legend.frame)
    assert not layout.total.intersects(layout.bar)
    if scaling == 1:
        assert not layout.legend.frame.intersects(layout.bar)
    assert not view.grab().isNull()


def test_the_dot_of_a_row_hides_and_its_name_selects_as_the_keys_say(view, qtbot, rows):
    toggled, chosen = [], []
    view.legend_toggled.connect(toggled.append)
    view.legend_clicked.connect(lambda row, mode: chosen.append((row, mode)))
    box = view._plot.layout().legend.rows[1]
    dot = QPointF(box.left() + 4, box.center().y()).toPoint()
    qtbot.mouseClick(view, LEFT, NONE, dot)
    assert (toggled, chosen) == ([1], [])
    for modifier in (NONE, SHIFT, CONTROL):
        qtbot.mouseClick(view, LEFT, modifier, place_of(view, 1))
    view.mode = "add"
    qtbot.mouseClick(view, LEFT, NONE, place_of(view, 1))
    assert [mode for _, mode in chosen] == ["replace", "add", "subtract", "add"]
    assert toggled == [1]
    assert view._mouse.tip(QPointF(dot)) == "Hide Cluster 1"


def test_a_hidden_row_has_a_hollow_dot(view, rows):
    def middle_of_dot() -> list[int]:
        box = view._plot.layout().legend.rows[1]
        radius = 0.3 * view._plot.letters.line
        place = QPointF(box.left() + radius, box.center().y()).toPoint()
        return list(view.grab().toImage().pixelColor(place).getRgb()[:3])

    rows_ = [("a", (255, 0, 0), 1), ("b", (255, 0, 0), 2)]
    view.set_legend(rows_)
    assert middle_of_dot() == [255, 0, 0]
    view.set_legend(rows_, hidden=[1])
    assert middle_of_dot() != [255, 0, 0]


def test_the_way_back_stays_where_everything_is_hidden(view, qtbot, rows):
    view.set_hidden(np.ones(26, bool))
    toggled = []
    view.legend_toggled.connect(toggled.append)
    box = view._plot.layout().legend.rows[1]
    qtbot.mouseClick(view, LEFT, NONE, QPointF(box.left() + 4, box.center().y()).toPoint())
    assert toggled == [1]
    assert not view.grab().isNull()
