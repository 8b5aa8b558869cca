"""The widget: everything that others see of the scatter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QImage, QPainter
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from . import kernels, keyboard, picture
from .arrays import Bools, Colours
from .camera import Camera
from .ink import ColourLike, Ink, as_colour, frame
from .legend import ColourBar
from .mouse import VERBS, Mouse, Tool
from .outline import Mode
from .plot import Plot
from .wording import counted, grouped


class ScatterView(QWidget):
    """Points to look at, point at and select, known by nothing but their index.

    It is where a person sees the whole of an embedding at once and says "these". It does not know
    what a point stands for: whoever owns it translates indices to tiles, and that is why it serves
    slides, scales and encoders alike.

    What the setters are told is not signalled back; signals say what the user did. `select_polygon`
    and its relatives count as the user, because the mouse and the keys go through them.

    Parameters
    ----------
    parent : QWidget, optional
        The parent.

    Attributes
    ----------
    selection_changed : Signal(object)
        The new selection, bool (n,), once per change by the user.
    point_hovered : Signal(int)
        The point under the mouse, -1 for none.
    point_activated : Signal(int)
        A point was double-clicked.
    legend_clicked : Signal(int)
        A row of the legend was clicked.
    tool_changed : Signal(str)
        The left button does something else now.
    """

    selection_changed = Signal(object)
    point_hovered = Signal(int)
    point_activated = Signal(int)
    legend_clicked = Signal(int)
    tool_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._plot = Plot(self)
        self._mouse = Mouse(self, self._plot)
        self._highlighted = -1
        self._points: tuple[Any, QImage] | None = None  # as last painted, and of what
        self._mouse.pointed.connect(self.point_hovered)
        self._mouse.opened.connect(self.point_activated)
        self._mouse.row_clicked.connect(self.legend_clicked)
        self._mouse.outlined.connect(self.select_polygon)
        self._mouse.picked.connect(self._pick)
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

    # --- what is shown --------------------------------------------------------------------------

    def set_points(
        self, xy: npt.ArrayLike, colours: npt.ArrayLike | None = None, keep_view: bool = False
    ) -> None:
        """Show other points, or the same elsewhere.

        The selection stays as long as indices keep their meaning: when there are as many points as
        before, or when points are appended with ``keep_view``.

        Parameters
        ----------
        xy : float array (n, 2)
            Coordinates, y up. Points with a NaN are not shown and cannot be picked.
        colours : uint8 array (n, 3), optional
            One colour each; without them all points look the same.
        keep_view : bool
            Leave pan and zoom as they are; otherwise everything is brought into view.
        """
        places = np.asarray(xy, np.float32)
        if places.ndim != 2 or places.shape[1] != 2:
            raise ValueError(f"points must have the shape (n, 2), not {places.shape}")
        self._plot.show(places, _checked(colours, len(places)), keep_view)
        self._highlighted = -1
        self._mouse.stop_drawing()
        self._mouse.point_at(None)
        self._redraw()

    def set_colours(self, colours: npt.ArrayLike | None) -> None:
        """Give the points other colours, uint8 (n, 3); None: all the same."""
        cloud = self._plot.cloud
        cloud.recolour(_checked(colours, cloud.n))
        self._redraw()

    def set_legend(self, rows: Sequence[tuple[str, ColourLike, int]], title: str = "") -> None:
        """Say what the colours stand for: (name, colour, count) per class; no rows: no legend."""
        self._plot.overlay.legend.show(rows, title)
        self.update()

    def set_colour_bar(
        self, colours: npt.ArrayLike | None, vmin: float = 0.0, vmax: float = 1.0, label: str = ""
    ) -> None:
        """Say what continuous colours stand for: uint8 (k, 3) from vmin to vmax; None: no bar."""
        bar = None if colours is None else ColourBar.of(colours, vmin, vmax, label)
        self._plot.overlay.bar = bar
        self.update()

    @property
    def legend_visible(self) -> bool:
        """Whether legend and colour bar are drawn, if there are any."""
        return self._plot.overlay.visible

    @legend_visible.setter
    def legend_visible(self, visible: bool) -> None:
        self._plot.overlay.visible = visible
        self.update()

    @property
    def title(self) -> str:
        """Text at the top left."""
        return self._plot.overlay.title

    @title.setter
    def title(self, title: str) -> None:
        self._plot.overlay.title = title
        self.update()

    @property
    def empty_text(self) -> str:
        """What to read where there are no points."""
        return self._plot.empty_text

    @empty_text.setter
    def empty_text(self, text: str) -> None:
        self._plot.empty_text = text
        self._redraw()

    @property
    def point_size(self) -> float | None:
        """Diameter of a point in logical pixels; None: chosen from how many are in view."""
        return self._plot.point_size

    @point_size.setter
    def point_size(self, size: float | None) -> None:
        self._plot.point_size = None if size is None else min(max(float(size), 1.0), 16.0)
        self._redraw()

    @property
    def highlighted(self) -> int:
        """A point with a ring around it, as the one under the mouse has; -1: none."""
        return self._highlighted

    @highlighted.setter
    def highlighted(self, point: int) -> None:
        self._highlighted = point if 0 <= point < self._plot.cloud.n else -1
        self.update()

    @property
    def camera(self) -> Camera:
        """The part of the data in view."""
        return self._plot.camera

    @camera.setter
    def camera(self, camera: Camera) -> None:
        self._plot.camera = camera

    def fit(self) -> None:
        """Bring everything into view."""
        self._plot.fit()

    @property
    def tool(self) -> Tool:
        """What dragging with the left button does: ``"pan"``, ``"lasso"`` or ``"box"``."""
        return self._mouse.tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        if tool not in VERBS:
            raise ValueError(f'the tool must be "pan", "lasso" or "box", not {tool!r}')
        if tool != self._mouse.tool:
            self._mouse.tool = tool
            self.tool_changed.emit(tool)

    # --- selecting ------------------------------------------------------------------------------

    @property
    def selection(self) -> Bools:
        """Which points are selected, bool (n,)."""
        return self._plot.cloud.selected.copy()

    def set_selection(self, mask: npt.ArrayLike | None) -> None:
        """Select the points in ``mask``, bool (n,); None or nothing in it: no selection."""
        cloud = self._plot.cloud
        chosen = np.zeros(cloud.n, bool) if mask is None else np.array(mask, bool)
        if chosen.shape != (cloud.n,):
            raise ValueError(
                f"a selection of {cloud.n} points cannot have the shape {chosen.shape}"
            )
        if not np.array_equal(chosen, cloud.selected):
            cloud.select(chosen)
            self._redraw()

    def select_polygon(self, vertices: npt.ArrayLike, mode: Mode = "replace") -> None:
        """Select the points in a polygon, in view or not.

        Parameters
        ----------
        vertices : array (m, 2)
            Corners in data coordinates.
        mode : {"replace", "add", "subtract"}
            What becomes of the points that were selected before.
        """
        self._choose(self._plot.cloud.inside(np.asarray(vertices, np.float64)), mode)

    def select_all(self) -> None:
        """Select every point that is shown."""
        self._choose(self._plot.cloud.shown)

    def invert_selection(self) -> None:
        """Select the points shown that were not selected, and no others."""
        self._choose(self._plot.cloud.shown & ~self._plot.cloud.selected)

    def clear_selection(self) -> None:
        """Select nothing."""
        self._choose(np.zeros(self._plot.cloud.n, bool))

    def _pick(self, point: int, mode: Mode) -> None:
        self._choose(np.arange(self._plot.cloud.n) == point, mode)

    def _choose(self, mask: Bools, mode: Mode = "replace") -> None:
        """What the user wants selected; says so if that is a change."""
        before = self._plot.cloud.selected
        if mode not in ("replace", "add", "subtract"):
            raise ValueError(f'the mode must be "replace", "add" or "subtract", not {mode!r}')
        if mode == "add":
            mask = before | mask
        elif mode == "subtract":
            mask = before & ~mask
        if not np.array_equal(mask, before):
            self.set_selection(mask)
            self.selection_changed.emit(self.selection)

    # --- pictures -------------------------------------------------------------------------------

    def to_image(self, scale: float = 2.0, background: ColourLike | None = None) -> QImage:
        """The view as a picture, with title and legend.

        Parameters
        ----------
        scale : float
            Pixels of the picture per logical pixel of the widget.
        background : colour, optional
            Default: that of the widget. White is what papers want.
        """
        return picture.image(self._plot, self._ink(background), scale)

    def to_png(
        self, path: str | Path, scale: float = 2.0, background: ColourLike | None = None
    ) -> None:
        """Write the view as a PNG picture; see `to_image`."""
        picture.write_png(self._plot, self._ink(background), scale, path)

    def to_svg(self, path: str | Path, background: ColourLike | None = None) -> None:
        """Write the view as a vector picture.

        Text and legend are vectors. So are the points while there are few in view; very many would
        make a file that no program opens, and are embedded as a picture.
        """
        title = self.title or self.accessibleName()
        picture.write_svg(self._plot, self._ink(background), title, path)

    def _ink(self, background: ColourLike | None = None) -> Ink:
        ink = Ink.of(self.palette())
        return ink if background is None else ink.on(as_colour(background))

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: Any) -> None:
        """Paint the view, and what is only of the moment: rings, the lasso, the focus."""
        plot, mouse, ink, ratio = self._plot, self._mouse, self._ink(), self.devicePixelRatioF()
        key = (self.camera, ratio, ink.background.rgb())
        if self._points is None or self._points[0] != key:
            self._points = key, picture.points(plot, ink, ratio)
        points, area = self._points[1], QRectF(self.rect())
        painter = QPainter(self)
        picture.paint(plot, painter, ink, lambda: painter.drawImage(area, points), mouse.place)
        for point in {mouse.point, self._highlighted} - {-1}:
            picture.paint_ring(plot, painter, ink, point)
        if mouse.outline:
            mouse.outline.paint(painter, ink, self.camera, plot.letters, mouse.place)
        if self.hasFocus():
            frame(painter, area, ink.accent)
        painter.end()

    def _redraw(self) -> None:
        """Points, colours or the selection are others now."""
        self._points = None
        shown, selected = len(self._plot.cloud), self._plot.cloud.n_selected
        total = f"{grouped(selected)} of {grouped(shown)} selected" if selected else counted(shown)
        self._plot.overlay.total = total
        self.setAccessibleDescription(total if shown else self.empty_text)
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

    def keyPressEvent(self, event: Any) -> None:
        """Do what the key stands for."""
        if (command := self._command(event)) is not None:
            command()
        else:
            super().keyPressEvent(event)

    def _command(self, event: Any) -> Callable[[], None] | None:
        return keyboard.command(event, self, self._plot, self._mouse)

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


def _checked(colours: npt.ArrayLike | None, n: int) -> Colours | None:
    if colours is None:
        return None
    array = np.asarray(colours)
    if array.shape != (n, 3) or array.dtype != np.uint8:
        raise ValueError(f"colours must be uint8 ({n}, 3), not {array.dtype} {array.shape}")
    return array
