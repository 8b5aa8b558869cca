from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication

from .hand import ALT, CONTROL, LEFT, NONE, at, drag, move, moved, square


def test_keys(view, qtbot):
    whole = view.camera
    qtbot.keyClick(view, Qt.Key.Key_Left)
    qtbot.keyClick(view, Qt.Key.Key_Up)
    assert moved(view, whole.to_screen(0, 0)) == [40, 40]
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.camera.scale > whole.scale
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert view.camera == whole


def test_space_pans_with_any_tool(view, qtbot, changes):
    view.tool = "lasso"
    before = view.camera.to_screen(0, 0)
    qtbot.keyPress(view, Qt.Key.Key_Space)
    qtbot.mousePress(view, LEFT, NONE, QPoint(100, 100))
    move(view, QPoint(140, 100), LEFT)
    qtbot.mouseRelease(view, LEFT, NONE, QPoint(140, 100))
    qtbot.keyRelease(view, Qt.Key.Key_Space)
    assert moved(view, before) == [40, 0]
    drag(qtbot, view, square(-0.4, -0.4, 0.4, 0.4))
    assert changes == [[0]]


def test_keys_select(view, qtbot, changes):
    view.set_selection(np.arange(26) < 24)
    qtbot.keyClick(view, Qt.Key.Key_I, CONTROL)
    qtbot.keyClick(view, Qt.Key.Key_A, CONTROL)
    assert changes == [[24], list(range(25))]


def test_escape_gives_up_the_drawing_then_the_selection(view, qtbot, changes):
    view.set_selection(np.arange(26) == 4)
    view.tool = "lasso"
    drag(qtbot, view, square(-0.5, -0.5, 2, 2), release=False)
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    qtbot.mouseRelease(view, LEFT, NONE, at(view, 0, 2))
    assert changes == []
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert changes == [[]]


@pytest.mark.parametrize(
    ("key", "modifier", "kept"),
    [
        (Qt.Key.Key_A, CONTROL, True),
        (Qt.Key.Key_F, NONE, True),
        (Qt.Key.Key_S, NONE, False),
        (Qt.Key.Key_F, ALT, False),
        (Qt.Key.Key_Escape, NONE, False),
    ],
)
def test_keys_that_mean_something_here_are_no_shortcuts_of_the_window(view, key, modifier, kept):
    event = QKeyEvent(QEvent.Type.ShortcutOverride, int(key), modifier)
    event.ignore()
    QApplication.sendEvent(view, event)
    assert event.isAccepted() == kept
