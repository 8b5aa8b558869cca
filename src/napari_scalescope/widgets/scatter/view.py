"""The widget: everything that others see of the scatter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QWidget

from . import keyboard, picture
from .arrays import Bools, Colours
from .camera import Camera
from .canvas import Canvas
from .ink import ColourLike
from .legend import ColourBar
from .mouse import VERBS, Tool
from .outline import MODES, Mode


class ScatterView(Canvas):
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
    legend_clicked : Signal(int, str)
        The name of a row of the legend was clicked, and what is to become of the points selected
        before: "replace", "add" or "subtract".
    legend_toggled : Signal(int)
        The dot of a row of the legend was clicked.
    tool_changed : Signal(str)
        The left button does something else now.
    """

    selection_changed = Signal(object)
    point_hovered = Signal(int)
    point_activated = Signal(int)
    legend_clicked = Signal(int, str)
    legend_toggled = Signal(int)
    tool_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mouse.pointed.connect(self.point_hovered)
        self._mouse.opened.connect(self.point_activated)
        self._mouse.row_clicked.connect(self.legend_clicked)
        self._mouse.dot_clicked.connect(self.legend_toggled)
        self._mouse.outlined.connect(self.select_polygon)
        self._mouse.picked.connect(self._pick)

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

    def set_hidden(self, mask: npt.ArrayLike | None) -> None:
        """Do not show the points in ``mask``, bool (n,), until told otherwise; None: show all.

        They cannot be picked, and a lasso does not catch them.
        """
        cloud = self._plot.cloud
        hidden = np.zeros(cloud.n, bool) if mask is None else np.array(mask, bool)
        if hidden.shape != (cloud.n,):
            raise ValueError(f"{cloud.n} points cannot be hidden by the shape {hidden.shape}")
        if not np.array_equal(hidden, cloud.hidden):
            cloud.hide(hidden)
            self._mouse.point_at(None)
            self._redraw()

    def set_legend(
        self,
        rows: Sequence[tuple[str, ColourLike, int]],
        title: str = "",
        hidden: Collection[int] = (),
    ) -> None:
        """Say what the colours stand for: (name, colour, count) per class; no rows: no legend.

        The dots of rows in ``hidden`` are hollow: their points are not shown.
        """
        legend = self._plot.overlay.legend
        before = len(legend.rows)
        legend.show(rows, title, hidden)
        if self._plot.fitted and len(rows) != before:
            self._plot.fit()  # beside the legend rather than under it
            _ = self._plot.camera  # and the legend where it covers less, before anybody asks where
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
    def note(self) -> str:
        """A sentence over the points: why they look as they do."""
        return self._plot.overlay.note

    @note.setter
    def note(self, text: str) -> None:
        self._plot.overlay.note = text
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

    @property
    def moved(self) -> bool:
        """Whether somebody panned or zoomed since everything was in view."""
        return not self._plot.fitted

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

    @property
    def mode(self) -> Mode:
        """What drawing does to the points selected before, where no key says otherwise."""
        return self._mouse.mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        if mode not in MODES:
            raise ValueError(f'the mode must be "replace", "add" or "subtract", not {mode!r}')
        self._mouse.mode = mode

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

    def choose(self, mask: npt.ArrayLike, mode: Mode = "replace") -> None:
        """Select points as if the user had: bool (n,), those that are shown."""
        self._choose(np.asarray(mask, bool) & self._plot.cloud.shown, mode)

    def _pick(self, point: int, mode: Mode) -> None:
        self._choose(np.arange(self._plot.cloud.n) == point, mode)

    def _choose(self, mask: Bools, mode: Mode = "replace") -> None:
        """What the user wants selected; says so if that is a change."""
        before = self._plot.cloud.selected
        if mode not in MODES:
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

    def _command(self, event: Any) -> Callable[[], None] | None:
        return keyboard.command(event, self, self._plot, self._mouse)


def _checked(colours: npt.ArrayLike | None, n: int) -> Colours | None:
    if colours is None:
        return None
    array = np.asarray(colours)
    if array.shape != (n, 3) or array.dtype != np.uint8:
        raise ValueError(f"colours must be uint8 ({n}, 3), not {array.dtype} {array.shape}")
    return array
