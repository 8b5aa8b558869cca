from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from .hand import ALT, CONTROL, LEFT, MIDDLE, NONE, SHIFT, at, drag, move, moved, square, wheel


class TestDrawing:
    def test_lasso(self, view, qtbot, changes):
        view.tool = "lasso"
        drag(qtbot, view, [(-0.4, -0.4), (2.4, -0.4), (2.4, 0.4), (1, 0.4), (-0.4, 0.4)])
        assert changes == [[0, 1, 2]]

    def test_box(self, view, qtbot, changes):
        view.tool = "box"
        drag(qtbot, view, [(-0.4, -0.4), (3, 3), (1.4, 1.4)])
        assert changes == [[0, 1, 5, 6]]

    @pytest.mark.parametrize("modifier", [CONTROL, ALT])
    def test_modifiers(self, view, qtbot, changes, modifier):
        view.tool = "box"
        drag(qtbot, view, [(-0.4, -0.4), (1.4, 0.4)])
        drag(qtbot, view, [(2.6, -0.4), (4.4, 0.4)], SHIFT)
        drag(qtbot, view, [(-0.4, -0.4), (0.4, 0.4)], modifier)
        assert changes == [[0, 1], [0, 1, 3, 4], [1, 3, 4]]

    def test_a_click_takes_one_point_or_none(self, view, qtbot, changes):
        view.tool = "lasso"
        for place, modifier in (((2, 2), NONE), ((3, 2), SHIFT), ((2, 2), CONTROL)):
            qtbot.mouseClick(view, LEFT, modifier, at(view, *place))
        qtbot.mouseClick(view, LEFT, NONE, at(view, 2.5, 2.5))
        assert changes == [[12], [12, 13], [13], []]

    def test_zooming_while_drawing_goes_on_drawing(self, view, qtbot, changes):
        view.tool = "lasso"
        drag(qtbot, view, [(-0.4, -0.4), (1.4, -0.4)], release=False)
        wheel(view, QPoint(200, 200), -2)
        for place in ((1.4, 0.4), (-0.4, 0.4)):
            move(view, at(view, *place), LEFT)
        qtbot.mouseRelease(view, LEFT, NONE, at(view, -0.4, 0.4))
        assert changes == [[0, 1]]

    def test_another_tool_gives_up_the_drawing(self, view, qtbot, changes):
        view.tool = "lasso"
        drag(qtbot, view, square(-0.5, -0.5, 2, 2), release=False)
        view.tool = "box"
        qtbot.mouseRelease(view, LEFT, NONE, at(view, 0, 2))
        assert changes == []


class TestMoving:
    @pytest.mark.parametrize(("tool", "button"), [("pan", LEFT), ("pan", MIDDLE), ("box", MIDDLE)])
    def test_dragging(self, view, qtbot, changes, tool, button):
        view.tool = tool
        before, start = view.camera.to_screen(0, 0), QPoint(150, 150)
        qtbot.mousePress(view, button, NONE, start)
        move(view, start + QPoint(30, -20), button)
        qtbot.mouseRelease(view, button, NONE, start + QPoint(30, -20))
        move(view, start + QPoint(60, 60))
        assert moved(view, before) == [30, -20]
        assert changes == []

    def test_the_wheel_zooms_at_the_cursor(self, view):
        place = at(view, 1, 3)
        before = view.camera
        wheel(view, place, 3)
        assert view.camera.scale == pytest.approx(before.scale * 1.2**3)
        under = before.to_data(place.x(), place.y())
        assert view.camera.to_screen(*under) == pytest.approx((place.x(), place.y()))

    def test_zooming_ends_somewhere(self, view):
        whole = view.camera.scale
        for _ in range(60):
            wheel(view, QPoint(200, 200), 20)
        assert view.camera.scale == pytest.approx(whole * 1e4)
        for _ in range(60):
            wheel(view, QPoint(200, 200), -20)
        assert view.camera.scale == pytest.approx(whole * 0.1)


class TestPointing:
    def test_hovering_says_which_point_once(self, view, qtbot):
        points = []
        view.point_hovered.connect(points.append)
        for place in ((2, 2), (2.02, 2), (2.5, 2.5), (3, 3)):
            move(view, at(view, *place))
        view.leaveEvent(QEvent(QEvent.Type.Leave))
        assert points == [12, -1, 18, -1]

    def test_new_points_are_not_under_the_mouse(self, view, qtbot):
        points = []
        move(view, at(view, 2, 2))
        view.point_hovered.connect(points.append)
        view.set_points(np.zeros((3, 2)))
        assert points == [-1]

    @pytest.mark.parametrize("tool", ["pan", "lasso"])
    def test_double_click_opens_a_point(self, view, qtbot, tool):
        view.tool = tool
        points = []
        view.point_activated.connect(points.append)
        qtbot.mouseDClick(view, LEFT, NONE, at(view, 2, 2))
        qtbot.mouseDClick(view, LEFT, NONE, at(view, 2.5, 2.5))
        assert points == [12]

    def test_tips(self, view, qtbot, monkeypatch):
        tips = []
        monkeypatch.setattr(QToolTip, "showText", lambda place, text, widget: tips.append(text))
        view.set_legend([("A class with a very long name indeed", "red", 12345)])
        row = view._plot.layout().legend.rows[0].center().toPoint()
        for place in (at(view, 2.5, 2.5), row, at(view, 2, 2)):
            move(view, place)
            QApplication.sendEvent(view, QHelpEvent(QEvent.Type.ToolTip, place, place))
        assert "Shift adds" in tips[0]
        assert tips[1].replace("\xa0", " ") == "A class with a very long name indeed: 12 345 points"
        assert tips[2] == ""
