"""What the camera shows. The one place that watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from ..geometry import Box, screen_mpp, viewport_box
from ..session import View

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from ..slides import Slide


class Viewport(QObject):
    """Says where the camera came to rest over the slide.

    Parameters
    ----------
    viewer : napari viewer
    rest_ms : int
        How long it must not move to be at rest.
    """

    changed = Signal(object)
    """(View): somebody moved the camera, and it rests here."""
    pointed = Signal(float, float)
    """(x, y): the mouse moved here, level-0 pixels."""

    def __init__(self, viewer: ViewerModel, rest_ms: int = 150) -> None:
        super().__init__()
        self._viewer = viewer
        self._slide: Slide | None = None
        self._led: View | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(rest_ms)
        self._timer.timeout.connect(self._report)
        self._emitters = [
            viewer.scene.camera.events.center,
            viewer.scene.camera.events.zoom,
            viewer.canvas.events.size,
        ]
        for emitter in self._emitters:
            emitter.connect(self._moved)
        viewer.cursor.events.position.connect(self._pointed)

    def follow(self, slide: Slide | None) -> None:
        """Report places on this slide from now on."""
        self._slide = slide
        self._led = None
        self._moved()

    def view(self) -> View | None:
        """What is shown now, None without a slide or where nothing of it is in sight."""
        if self._slide is None:
            return None
        camera, canvas = self._viewer.scene.camera, self._viewer.canvas
        shown = viewport_box(camera.center, camera.zoom, canvas.size, self._slide.mpp)
        inside = shown.intersection(self._slide.box)
        return None if inside is None else View(inside, screen_mpp(camera.zoom))

    def show(self, box: Box, margin: float = 1.0) -> None:
        """Move the camera so that a box of the slide fills the canvas.

        Parameters
        ----------
        box : Box
            Level-0 pixels.
        margin : float
            Share of the canvas the box takes, 1 for all of it.
        """
        unit = (self._slide.mpp if self._slide is not None else None) or 1.0
        h, w = self._viewer.canvas.size
        camera = self._viewer.scene.camera
        x, y = box.centre
        camera.center = (0.0, y * unit, x * unit)
        camera.zoom = min(w / (box.w * unit), h / (box.h * unit)) * margin

    def lead(self, view: View) -> None:
        """Move the camera to what somebody else looks at: it is not reported back to them.

        At their scale where that fits into the canvas, and as a whole where it does not.
        """
        self.show(view.box)
        camera = self._viewer.scene.camera
        camera.zoom = min(camera.zoom, 1.0 / view.mpp)
        self._led = self.view()

    def close(self) -> None:
        """Stop watching."""
        self._timer.stop()
        self._viewer.cursor.events.position.disconnect(self._pointed)
        for emitter in self._emitters:
            emitter.disconnect(self._moved)

    def _moved(self, _event: Any = None) -> None:
        self._timer.start()

    def _report(self) -> None:
        view = self.view()
        if view is None or (self._led is not None and _same(view, self._led)):
            return
        self._led = None
        self.changed.emit(view)

    def _pointed(self, event: Any) -> None:
        if self._slide is not None:
            unit = self._slide.mpp or 1.0
            y, x = (float(v) / unit for v in event.value[-2:])
            self.pointed.emit(x, y)


def _same(a: View, b: View) -> bool:
    """To half a screen pixel: what draws the camera rounds what was set."""
    off = max(abs(p - q) for p, q in zip(a.box, b.box, strict=True)) / a.box.w
    return off < 1e-3 and abs(a.mpp / b.mpp - 1) < 1e-3
