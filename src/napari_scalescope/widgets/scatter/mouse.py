"""What the mouse does: it pans and zooms, points, draws, and uses the legend."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from qtpy.QtCore import QObject, QPointF, Qt, Signal
from qtpy.QtWidgets import QWidget

from .outline import Mode, Outline
from .plot import Plot
from .wording import counted

Tool = Literal["pan", "lasso", "box"]

#: How near to a point (logical px) the mouse points at it.
REACH = 8.0
#: What the left button does, per tool, and what else there is to know.
VERBS = {"pan": "pan", "lasso": "draw around points", "box": "draw a box around points"}
HELP = (
    "Drag to {verb} · wheel zooms · middle button or Space+drag pans · double-click opens a point\n"
    "Shift adds to the selection, Ctrl or Alt takes away, Esc clears · "
    "Ctrl+A all · Ctrl+I invert · F fits"
)


class Mouse(QObject):
    """The mouse over a plot. It moves the plot itself, and says what else the hand asks for.

    Parameters
    ----------
    widget : QWidget
        The widget that has the plot and passes the events on.
    plot : Plot
        What is under the mouse.

    Attributes
    ----------
    place : QPointF, optional
        Where it is in the widget; None: outside.
    point : int
        The point under it, -1 for none.
    outline : Outline, optional
        What is being drawn.
    mode : {"replace", "add", "subtract"}
        What becomes of the points selected before, where no key says otherwise.
    """

    pointed = Signal(int)
    """(int): another point is under the mouse, or none (-1)."""

    opened = Signal(int)
    """(int): a point was double-clicked."""

    picked = Signal(int, str)
    """(int, Mode): a point was clicked with a tool that draws, or none (-1)."""

    outlined = Signal(object, str)
    """(Corners, Mode): a lasso or a box was drawn, in data coordinates."""

    row_clicked = Signal(int, str)
    """(int, Mode): the name of a row of the legend was clicked."""

    dot_clicked = Signal(int)
    """(int): the dot of a row of the legend was clicked."""

    def __init__(self, widget: QWidget, plot: Plot) -> None:
        super().__init__(widget)
        self._widget = widget
        self._plot = plot
        self.place: QPointF | None = None
        self.point = -1
        self.outline: Outline | None = None
        self._tool: Tool = "pan"
        self._hand = False  # Space is held
        self._panning: tuple[Any, QPointF] | None = None  # the button that holds, and since where
        self._pressed_row, self._pressed_dot = -1, False
        self.mode: Mode = "replace"

    @property
    def tool(self) -> Tool:
        """What dragging with the left button does."""
        return self._tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        self._tool = tool
        self.stop_drawing()
        self._update_cursor()

    def hold_hand(self, held: bool) -> None:
        """Pan with any tool."""
        self._hand = held
        self._update_cursor()

    def stop_drawing(self) -> None:
        """Forget what is being drawn."""
        self.outline = None
        self._widget.update()

    def tip(self, place: QPointF) -> str:
        """What there is to say to a mouse that rests."""
        if not self._plot.cloud.n or self.outline or self.point >= 0:
            return ""
        legend = self._plot.layout().legend
        if legend.more.contains(place):
            return "The wheel scrolls the legend."
        if (i := legend.row_at(place)) >= 0:
            row = self._plot.overlay.legend.rows[i]
            if legend.dot_at(place):
                return f"{'Show' if row.hidden else 'Hide'} {row.name}"
            return f"{row.name}: {counted(row.points)}"
        return HELP.format(verb=VERBS[self._tool])

    # --- events ---------------------------------------------------------------------------------

    def press(self, event: Any) -> None:
        """Begin to pan, to draw or to click a row of the legend."""
        place, button = event.position(), event.button()
        left = button == Qt.MouseButton.LeftButton
        pans = self._tool == "pan" or self._hand
        if left and self._on_legend(place):
            boxes = self._plot.layout().legend
            self._pressed_row, self._pressed_dot = boxes.row_at(place), boxes.dot_at(place)
        elif button == Qt.MouseButton.MiddleButton or (left and pans):
            self._panning = button, place
        elif left and len(self._plot.cloud):
            start = self._plot.camera.to_data(place.x(), place.y())
            self.outline = Outline(self._mode(event), self._tool == "box", [start])
        else:
            event.ignore()
            return
        self.point_at(None)
        self._update_cursor()

    def move(self, event: Any) -> None:
        """Pan, draw on, or point at what is there."""
        self.place = place = event.position()
        if self._panning is not None:
            button, before = self._panning
            self._panning = button, place
            self._plot.pan(place.x() - before.x(), place.y() - before.y())
        elif self.outline:
            self._draw(self.outline, place)
        else:
            self.point_at(place)
        self._update_cursor()

    def release(self, event: Any) -> None:
        """End what the press began."""
        place, button = event.position(), event.button()
        left = button == Qt.MouseButton.LeftButton
        if self._panning is not None and button == self._panning[0]:
            self._panning = None
        elif left and self.outline:
            self._draw(self.outline, place)
            self._finish(self.outline, place)
        elif left and self._pressed_row >= 0:
            row, self._pressed_row = self._pressed_row, -1
            boxes = self._plot.layout().legend
            if boxes.row_at(place) == row and boxes.dot_at(place) == self._pressed_dot:
                if self._pressed_dot:
                    self.dot_clicked.emit(row)
                else:
                    self.row_clicked.emit(row, self._mode(event))
        self._point_if_idle(place)
        self._update_cursor()

    def double_click(self, event: Any) -> None:
        """Open the point that is there."""
        place = event.position()
        if event.button() != Qt.MouseButton.LeftButton or self._on_legend(place):
            self.press(event)
        elif (point := self._nearest(place)) >= 0:
            self.opened.emit(point)

    def wheel(self, event: Any) -> None:
        """Zoom at the cursor, or scroll a legend that is too long."""
        place, turn = event.position(), event.angleDelta()
        steps = (turn.y() or turn.x()) / 120  # Alt turns the wheel sideways
        if self._on_legend(place):
            shown = len(self._plot.layout().legend.rows)
            self._plot.overlay.legend.scroll(-int(np.sign(steps)), shown)
            self._widget.update()
        elif len(self._plot.cloud):
            self._plot.zoom(1.2**steps, place)
            self._point_if_idle(place)
        event.accept()

    def leave(self) -> None:
        """Point at nothing."""
        self.place = None
        self.point_at(None)

    # --- pointing -------------------------------------------------------------------------------

    def point_at(self, place: QPointF | None) -> None:
        """Point at what is at a place, if anything."""
        point = -1
        if place is not None and self._widget.rect().contains(place.toPoint()):
            point = -1 if self._on_legend(place) else self._nearest(place)
        if self._plot.overlay.legend.rows:
            self._widget.update()  # a row of the legend may have to be lit
        if point != self.point:
            self.point = point
            self._widget.update()
            self.pointed.emit(point)

    def _point_if_idle(self, place: QPointF) -> None:
        if not self.outline and self._panning is None:
            self.point_at(place)

    def _nearest(self, place: QPointF) -> int:
        camera = self._plot.camera
        return self._plot.cloud.nearest(*camera.to_data(place.x(), place.y()), REACH / camera.scale)

    def _on_legend(self, place: QPointF) -> bool:
        return self._plot.cloud.n > 0 and self._plot.layout().legend.frame.contains(place)

    def _row_at(self, place: QPointF) -> int:
        return self._plot.layout().legend.row_at(place)

    def _update_cursor(self) -> None:
        shape = Qt.CursorShape
        if self._panning is not None:
            cursor = shape.ClosedHandCursor
        elif self.place is not None and not self.outline and self._on_legend(self.place):
            on_row = self._row_at(self.place) >= 0
            cursor = shape.PointingHandCursor if on_row else shape.ArrowCursor
        elif self._hand:
            cursor = shape.OpenHandCursor
        else:
            cursor = shape.ArrowCursor if self._tool == "pan" else shape.CrossCursor
        self._widget.setCursor(cursor)

    # --- drawing --------------------------------------------------------------------------------

    def _draw(self, outline: Outline, place: QPointF) -> None:
        camera = self._plot.camera
        last = QPointF(*camera.to_screen(*outline.path[-1]))
        if (place - last).manhattanLength() >= 2:
            outline.path.append(camera.to_data(place.x(), place.y()))
            self._widget.update()

    def _finish(self, outline: Outline, place: QPointF) -> None:
        self.stop_drawing()
        if outline.extent * self._plot.camera.scale >= 4:
            self.outlined.emit(outline.corners, outline.mode)
        else:  # a click: the point under it, or nothing
            self.picked.emit(self._nearest(place), outline.mode)

    def _mode(self, event: Any) -> Mode:
        keys, held = Qt.KeyboardModifier, event.modifiers()
        if held & keys.ShiftModifier:
            return "add"
        return "subtract" if held & (keys.ControlModifier | keys.AltModifier) else self.mode
