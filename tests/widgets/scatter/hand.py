from __future__ import annotations

import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication

LEFT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier

#: A 5 x 5 lattice with the index 5 * row + column, y up, and a point that is not shown.
LATTICE = np.array([(x, y) for y in range(5) for x in range(5)] + [(np.nan, 0.0)], np.float32)


def at(view, x, y):
    return QPoint(*(round(p) for p in view.camera.to_screen(x, y)))


def move(view, point, buttons=Qt.MouseButton.NoButton):
    """Move the mouse to a point of the widget.

    As an event of its own: the pointer of the screen may stand over another window, and its
    leaving ours would be noticed at an instant nobody chose.
    """
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(point),
        QPointF(view.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        buttons,
        NONE,
    )
    QApplication.sendEvent(view, event)


def drag(qtbot, view, places, modifier=NONE, button=LEFT, release=True):
    """Drag over places in the data."""
    points = [at(view, *place) for place in places]
    qtbot.mousePress(view, button, modifier, points[0])
    for point in points[1:]:
        move(view, point, button)
    if release:
        qtbot.mouseRelease(view, button, modifier, points[-1])


def wheel(view, place, steps):
    event = QWheelEvent(
        QPointF(place),
        QPointF(view.mapToGlobal(place)),
        QPoint(),
        QPoint(0, round(120 * steps)),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def square(x0, y0, x1, y1):
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]


def moved(view, before):
    return np.subtract(view.camera.to_screen(0, 0), before).round().tolist()
