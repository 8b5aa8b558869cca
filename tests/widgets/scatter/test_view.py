from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt

from napari_scalescope.widgets.scatter import ScatterView

from .hand import LATTICE, at, drag, square, wheel


class TestPoints:
    def test_everything_is_in_view_at_first(self, view):
        for x, y in LATTICE[:25]:
            assert view.rect().contains(at(view, x, y))

    @pytest.mark.parametrize("shape", [(3,), (3, 3), (0,)])
    def test_other_shapes_are_refused(self, view, shape):
        with pytest.raises(ValueError, match=r"\(n, 2\)"):
            view.set_points(np.zeros(shape))

    @pytest.mark.parametrize("colours", [np.zeros((3, 3), np.uint8), np.zeros((26, 3))])
    def test_colours_that_do_not_fit_are_refused(self, view, colours):
        with pytest.raises(ValueError, match="uint8"):
            view.set_colours(colours)

    def test_colours_leave_the_view_alone(self, view):
        view.camera = before = view.camera.zoomed(2, 100, 100)
        view.set_colours(np.full((26, 3), 200, np.uint8))
        assert view.camera == before

    def test_appending_keeps_view_and_selection(self, view, changes):
        view.camera = before = view.camera.zoomed(2, 100, 100)
        view.set_selection(np.arange(26) < 3)
        more = np.concatenate([LATTICE, LATTICE + 100])
        view.set_points(more, keep_view=True)
        assert view.camera == before
        assert np.flatnonzero(view.selection).tolist() == [0, 1, 2]
        assert changes == []

    def test_the_view_is_kept_even_where_nobody_has_moved_it(self, view):
        before = view.camera
        view.set_points(LATTICE * 10, keep_view=True)
        assert view.camera == before

    def test_the_first_points_are_brought_into_view(self, qtbot):
        view = ScatterView()
        qtbot.addWidget(view)
        view.resize(400, 400)
        view.set_points(LATTICE + 1000, keep_view=True)
        assert view.rect().contains(at(view, 1002, 1002))

    def test_the_same_points_elsewhere_stay_selected(self, view):
        view.set_selection(np.arange(26) < 3)
        view.set_points(-LATTICE)
        assert view.selection.sum() == 3

    def test_other_points_are_not_selected(self, view):
        view.set_selection(np.arange(26) < 3)
        view.set_points(np.zeros((40, 2)))
        assert view.selection.shape == (40,)
        assert not view.selection.any()

    def test_none_at_all(self, view, qtbot):
        view.set_points(np.empty((0, 2)))
        view.empty_text = "Encode some tiles to see them here"
        assert view.accessibleDescription() == view.empty_text
        view.select_all()
        view.fit()
        wheel(view, QPoint(50, 50), 1)
        view.tool = "lasso"
        drag(qtbot, view, square(0, 0, 50, 50))
        assert not view.grab().isNull()

    def test_a_single_point(self, view):
        view.set_points([[5, 5]])
        assert at(view, 5, 5).x() == pytest.approx(200, abs=30)

    def test_resizing_fits_until_someone_moves_the_view(self, view):
        scale = view.camera.scale
        view.resize(800, 800)
        assert view.camera.scale > 1.5 * scale
        view.camera = view.camera.panned(10, 10)
        scale = view.camera.scale
        view.resize(400, 400)
        assert view.camera.scale == scale

    def test_points_stay_clear_of_the_legend_where_there_is_room(self, view):
        view.resize(800, 400)
        view.set_points(LATTICE)
        view.set_legend([("Tumour", "#ff0000", 12), ("Stroma", (0, 255, 0), 13)], "Class")
        legend = view._plot.layout().legend.frame
        assert legend.width() > 0
        for x, y in LATTICE[:25]:
            assert not legend.contains(QPointF(at(view, x, y)))

    def test_a_legend_that_comes_later_is_avoided_unless_someone_moved_the_view(self, view):
        view.resize(800, 400)
        view.set_points(LATTICE)
        rows = [("Tumour", "#ff0000", 12), ("Stroma", (0, 255, 0), 13)]
        assert not view.moved
        before = view.camera
        view.set_legend(rows, "Class")
        legend = view._plot.layout().legend.frame
        assert not any(legend.contains(QPointF(at(view, x, y))) for x, y in LATTICE[:25])
        view.set_legend([])
        view.camera = before
        assert view.moved
        view.set_legend(rows, "Class")
        assert view.camera == before


class TestHiding:
    def test_hidden_points_are_neither_shown_nor_caught(self, view, changes):
        view.set_hidden(np.arange(26) < 5)
        view.select_polygon(square(-0.5, -0.5, 4.5, 1.5))
        assert changes == [[5, 6, 7, 8, 9]]
        assert view.accessibleDescription() == "5 of 20 selected, 5 hidden"
        view.choose(np.ones(26, bool))
        assert changes[-1] == list(range(5, 25))
        view.set_hidden(None)
        assert "hidden" not in view.accessibleDescription()
        with pytest.raises(ValueError, match="26 points"):
            view.set_hidden([True])

    def test_other_points_are_all_shown(self, view):
        view.set_hidden(np.ones(26, bool))
        view.set_points(np.zeros((4, 2)))
        assert view.accessibleDescription() == "4 points"

    def test_a_mode_stays_until_it_is_changed(self, view, qtbot, changes):
        view.tool, view.mode = "box", "add"
        drag(qtbot, view, [(-0.4, -0.4), (0.4, 0.4)])
        drag(qtbot, view, [(0.6, -0.4), (1.4, 0.4)])
        view.mode = "subtract"
        drag(qtbot, view, [(-0.4, -0.4), (0.4, 0.4)])
        assert changes == [[0], [0, 1], [1]]
        with pytest.raises(ValueError, match="mode"):
            view.mode = "other"


class TestSelection:
    def test_setting_is_not_signalled_back(self, view, changes):
        view.set_selection(np.arange(26) == 4)
        assert changes == []
        assert np.flatnonzero(view.selection).tolist() == [4]
        view.set_selection(None)
        assert not view.selection.any()

    def test_what_is_handed_out_is_a_copy(self, view):
        view.selection[:] = True
        assert not view.selection.any()

    def test_a_mask_of_another_length_is_refused(self, view):
        with pytest.raises(ValueError, match="26 points"):
            view.set_selection(np.ones(25, bool))

    def test_polygons_replace_add_and_subtract(self, view, changes):
        view.select_polygon(square(-0.5, -0.5, 1.5, 0.5))
        view.select_polygon(square(2.5, -0.5, 4.5, 0.5), "add")
        view.select_polygon(square(-0.5, -0.5, 0.5, 0.5), mode="subtract")
        view.select_polygon(square(-0.5, 0.5, 0.5, 1.5))
        assert changes == [[0, 1], [0, 1, 3, 4], [1, 3, 4], [5]]

    def test_another_mode_is_refused(self, view):
        with pytest.raises(ValueError, match="mode"):
            view.select_polygon(square(0, 0, 1, 1), "toggle")

    def test_no_change_no_signal(self, view, changes):
        view.select_polygon(square(10, 10, 20, 20))
        view.select_polygon(square(-0.5, -0.5, 0.5, 0.5))
        view.select_polygon(square(-0.5, -0.5, 0.5, 0.5), "add")
        assert changes == [[0]]

    def test_points_out_of_view_count(self, view):
        view.camera = view.camera.zoomed(20, 200, 200)
        view.select_polygon(square(-1, -1, 5, 5))
        assert view.selection.sum() == 25

    def test_points_that_are_not_shown_are_never_chosen(self, view, changes):
        view.select_all()
        assert changes[-1] == list(range(25))
        view.invert_selection()
        assert changes[-1] == []
        view.invert_selection()
        assert changes[-1] == list(range(25))

    def test_the_count_says_how_many(self, view):
        assert view.accessibleDescription() == "25 points"
        view.set_selection(np.arange(26) < 4)
        assert view.accessibleDescription() == "4 of 25 selected"


def test_the_tool_is_announced_once(view, qtbot):
    with qtbot.waitSignal(view.tool_changed) as signal:
        view.tool = "lasso"
    assert signal.args == ["lasso"]
    with qtbot.assertNotEmitted(view.tool_changed):
        view.tool = "lasso"
    with pytest.raises(ValueError, match="tool"):
        view.tool = "polygon"


def test_it_is_a_good_citizen(qtbot):
    view = ScatterView()
    qtbot.addWidget(view)
    assert (view.sizeHint().width(), view.sizeHint().height()) == (360, 320)
    assert (view.minimumWidth(), view.minimumHeight()) == (200, 160)
    assert view.accessibleName()
    assert view.focusPolicy() == Qt.FocusPolicy.StrongFocus
    assert view.tool == "pan"
    assert view.selection.shape == (0,)
    view.point_size = 100
    assert view.point_size == 16
    view.point_size = None
    assert view.point_size is None
