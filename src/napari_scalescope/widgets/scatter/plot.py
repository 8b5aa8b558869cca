"""What a scatter shows and how it lies in its widget."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPointF, QRect
from qtpy.QtWidgets import QWidget

from .arrays import Colours, Positions
from .camera import Camera
from .cloud import PointCloud
from .ink import Letters
from .overlay import Layout, Overlay

#: How far one can zoom out and in, relative to the view that shows everything.
ZOOM_OUT, ZOOM_IN = 0.1, 1e4


class Plot:
    """The points, the text over them, and the part of them in view.

    The widget, its mouse and its pictures share it. Size and font are those of the widget at any
    time.
    """

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self.cloud = PointCloud(np.empty((0, 2), np.float32))
        self.overlay = Overlay()
        self.point_size: float | None = None
        self.empty_text = "Nothing to show yet"
        self._camera: Camera | None = None  # None: what shows everything when next asked for
        self.fitted = True  # nobody has panned or zoomed since everything was in view

    @property
    def rect(self) -> QRect:
        """The widget in its own coordinates."""
        return self._widget.rect()

    @property
    def letters(self) -> Letters:
        """What to write with."""
        return Letters(self._widget.font())

    def layout(self) -> Layout:
        """Where the text is."""
        return self.overlay.layout(self.rect.size(), self.letters)

    def show(self, places: Positions, colours: Colours | None, keep_view: bool) -> None:
        """Show other points, or the same elsewhere; see `ScatterView.set_points`."""
        before, n = self.cloud, len(places)
        view = self.camera if keep_view and len(before) else None
        self.cloud = PointCloud(places, colours)
        selected = np.zeros(n, bool)
        if n == before.n or (keep_view and n > before.n):
            selected[: before.n] = before.selected
        self.cloud.select(selected)
        if view is None:
            self.fit()
        else:
            self.camera = view

    # --- the part in view -----------------------------------------------------------------------

    @property
    def camera(self) -> Camera:
        """The part of the data in view."""
        camera, width, height = self._camera, self.rect.width(), self.rect.height()
        resized = camera is None or (camera.width, camera.height) != (width, height)
        if camera is None or (resized and self.fitted):
            camera = self._whole()
            self._place_legend(camera)
        elif resized:
            camera = camera.resized(width, height)
        self._camera = camera
        return camera

    @camera.setter
    def camera(self, camera: Camera) -> None:
        self._camera = camera
        self.fitted = False
        self._widget.update()

    def fit(self) -> None:
        """Bring everything into view."""
        # Done when the view is next asked for: by then the legend is there to be avoided.
        self._camera = None
        self.fitted = True
        self._widget.update()

    def pan(self, dx: float, dy: float) -> None:
        """Move the data by so many pixels."""
        self.camera = self.camera.panned(dx, dy)

    def zoom(self, factor: float, place: QPointF) -> None:
        """Zoom in, as far as one may, with what is at a place staying there."""
        now, whole = self.camera.scale, self._whole().scale
        scale = max(now * factor, min(ZOOM_OUT * whole, now))
        scale = min(scale, max(ZOOM_IN * whole, now))
        self.camera = self.camera.zoomed(scale / now, place.x(), place.y())

    def _whole(self) -> Camera:
        """The camera that shows all points and hides none under text."""
        size = self.rect.width(), self.rect.height()
        if not len(self.cloud):
            return Camera(width=size[0], height=size[1])
        letters = self.letters
        side, text = 1.1 * letters.line, 2.2 * letters.line
        top = text if self.overlay.title else side
        over = Camera.fit(self.cloud.bounds, *size, (side, top, side, text))
        legend = self.layout().legend.frame
        if legend.isEmpty():
            return over
        # Beside the legend rather than under it, where that makes the points little smaller.
        right = size[0] - legend.left() + letters.gap
        beside = Camera.fit(self.cloud.bounds, *size, (side, top, right, text))
        return beside if beside.scale > 0.8 * over.scale else over

    def _place_legend(self, camera: Camera) -> None:
        """Put the legend into the right-hand corner where it covers fewer points."""
        legend = self.overlay.legend
        covered = []
        for low in (False, True):
            legend.low = low
            box = self.layout().legend.frame
            x0, y1 = camera.to_data(box.left(), box.top())
            x1, y0 = camera.to_data(box.right(), box.bottom())
            covered.append(self.cloud.count(x0, y0, x1, y1) if legend.rows else 0)
        legend.low = covered[1] < covered[0]
