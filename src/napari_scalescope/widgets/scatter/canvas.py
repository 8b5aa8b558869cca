"""The widget that the plot is painted on, and that hears the mouse and the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from . import kernels, picture
from .ink import ColourLike, Ink, as_colour, frame
from .mouse import Mouse
from .plot import Plot
from .wording import counted, grouped


class Canvas(QWidget):
    """A plot on the screen. What is in it is the business of `ScatterView`, which is made of this.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = Plot(self)
        self._mouse = Mouse(self, self._plot)
        self._highlighted = -1
        self._points: tuple[Any, QImage] | None = None  # as last painted, and of what
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(200, 160)
        self.setAccessibleName("Scatter plot")
        kernels.warm_up()
        self._redraw()

    def sizeHint(self) -> QSize:
        """What it takes to see clusters as clusters."""
        return QSize(360, 320)

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        """Paint the view, and what is only of the moment: rings, the lasso, the focus."""
        plot, mouse, ink, ratio = self._plot, self._mouse, self._ink(), self.devicePixelRatioF()
        key = (plot.camera, ratio, ink.background.rgb())
        if self._points is None or self._points[0] != key:
            self._points = key, picture.points(plot, ink, ratio)
        points, area = self._points[1], QRectF(self.rect())
        painter = QPainter(self)
        picture.paint(plot, painter, ink, lambda: painter.drawImage(area, points), mouse.place)
        for point in {mouse.point, self._highlighted} - {-1}:
            picture.paint_ring(plot, painter, ink, point)
        if mouse.outline:
            mouse.outline.paint(painter, ink, plot.camera, plot.letters, mouse.place)
        if self.hasFocus():
            frame(painter, area, ink.accent)
        painter.end()

    def _ink(self, background: ColourLike | None = None) -> Ink:
        ink = Ink.of(self.palette())
        return ink if background is None else ink.on(as_colour(background))

    def _redraw(self) -> None:
        """Points, colours or the selection are others now."""
        self._points = None
        cloud = self._plot.cloud
        shown, selected = len(cloud), cloud.n_selected
        hidden = int(cloud.hidden.sum())
        total = f"{grouped(selected)} of {grouped(shown)} selected" if selected else counted(shown)
        total += f", {grouped(hidden)} hidden" if hidden else ""
        self._plot.overlay.total = total
        self.setAccessibleDescription(total if cloud.n else self._plot.empty_text)
        self.update()

    # --- events ---------------------------------------------------------------------------------

    def mousePressEvent(self, event: Any) -> None:
        """See `Mouse.press`."""
        self._mouse.press(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """See `Mouse.move`."""
        self._mouse.move(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """See `Mouse.release`."""
        self._mouse.release(event)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """See `Mouse.double_click`."""
        self._mouse.double_click(event)

    def wheelEvent(self, event: Any) -> None:
        """See `Mouse.wheel`."""
        self._mouse.wheel(event)

    def leaveEvent(self, event: Any) -> None:
        """See `Mouse.leave`."""
        self._mouse.leave()

    def event(self, event: Any) -> bool:
        """Keep the keys that mean something here, and say what is under a resting mouse."""
        kind = event.type()
        if kind == QEvent.Type.ShortcutOverride and self._command(event) is not None:
            event.accept()  # else a shortcut of the window would get it
            return True
        if kind == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self._mouse.tip(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def _command(self, event: Any) -> Callable[[], None] | None:
        """What a key stands for; None: nothing."""
        return None

    def keyPressEvent(self, event: Any) -> None:
        """Do what the key stands for."""
        if (command := self._command(event)) is not None:
            command()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: Any) -> None:
        """Let go of the hand that Space gave."""
        if event.key() == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._mouse.hold_hand(False)
        else:
            super().keyReleaseEvent(event)

    def focusOutEvent(self, event: Any) -> None:
        """Forget Space: its release goes to whoever has the focus now."""
        super().focusOutEvent(event)
        self._mouse.hold_hand(False)

    def changeEvent(self, event: Any) -> None:
        """Palette, style and font are read when painting."""
        super().changeEvent(event)
        self.update()
