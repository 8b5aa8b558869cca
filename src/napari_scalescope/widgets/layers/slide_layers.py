"""Slides as layers that stay sharp for as long as they are layers."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer

from ...geometry import Placement
from ...slides import Slide
from ...slides.pyramid import Pyramid, PyramidLevel
from .marks import raster

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


def slide_layer(slide: Slide, cache_mb: int = 512) -> tuple[Any, dict[str, Any], str]:
    """A slide as napari layer data: lazily read levels, placed in µm."""
    pyramid = Pyramid(slide, max_bytes=cache_mb << 20)
    # The overview is what is seen first. Most files have it within a few milliseconds.
    pyramid.wait(0.5)
    options = {
        "name": slide.name,
        "rgb": True,
        "multiscale": True,
        "axis_labels": ("y", "x"),
        **raster("slide", slide, Placement(0.0, 0.0, 1.0)),
    }
    return pyramid.levels, options, "image"


def pyramid_of(layer: Layer) -> Pyramid | None:
    """The pyramid a layer shows, None for a layer that shows no slide."""
    finest = layer.data[0] if getattr(layer, "multiscale", False) else None
    return finest.pyramid if isinstance(finest, PyramidLevel) else None


def slide_of(layer: Layer) -> Slide | None:
    """The slide a layer shows, None for any other layer."""
    pyramid = pyramid_of(layer)
    return None if pyramid is None else pyramid.slide


class Sharpener:
    """Has a slide layer read again when better pixels have arrived, 16 times a second at most.

    It looks for itself, and only while something is on its way. Nothing of Qt is ever called
    from a reading thread, which may outlive whatever it would call.

    It also takes the layer's refresh upon itself. With napari's asynchronous slicing that would
    move what was drawn before and leave the rest black until a thread has read the new window.
    Reading a window of a pyramid never waits, and is better done at once.

    Parameters
    ----------
    layer : napari layer
    pyramid : Pyramid
        What the layer shows.
    interval_ms : int
        Time between two looks.
    """

    def __init__(self, layer: Layer, pyramid: Pyramid, interval_ms: int = 60) -> None:
        self.pyramid = pyramid
        self._layer = layer
        self._seen = 0
        self._told = False
        self._timer = QTimer()
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(self._look)
        # Every reading of the layer ends in this event, and may have asked for pixels.
        layer.events.set_data.connect(self._watch)
        if hasattr(layer, "_refresh_sync"):
            layer.refresh = self._refresh
        self._watch()

    @property
    def sharp(self) -> bool:
        """Whether all that the layer asked for has arrived, and has been shown."""
        return self.pyramid.idle and self._seen == self.pyramid.arrived

    def _refresh(self, event: Any = None, *, force: bool = False, **what: bool) -> None:
        """As `Layer.refresh` does it where slicing is not asynchronous."""
        layer = self._layer
        if layer._refresh_blocked:
            return
        seen = self.pyramid.arrived  # asked first: whatever arrives after it is not seen
        if layer.visible:
            layer.set_view_slice()
            self._seen = seen
        parts = ("thumbnail", "data_displayed", "highlight", "extent")
        layer._refresh_sync(**{part: what.get(part, True) for part in parts}, force=force)

    def _watch(self) -> None:
        # A reading shows all there is. Starting anew puts off the next until it is on the screen.
        self._timer.start()

    def _look(self) -> None:
        idle = self.pyramid.idle  # asked first: whatever arrives after it is counted below
        arrived = self.pyramid.arrived
        self._tell()
        if arrived != self._seen:
            self._seen = arrived
            self._layer.refresh(extent=False, thumbnail=False, highlight=False)
        elif idle:
            self._timer.stop()

    def _tell(self) -> None:
        """Say once that what is shown is not all that is on the slide."""
        problems, doubts = self.pyramid.problems, self.pyramid.slide.reader.doubts
        if (problems or doubts) and not self._told:
            self._told = True
            hatched = f"{problems[0]} What cannot be read is hatched." if problems else ""
            show_warning(hatched or doubts[0])

    def close(self) -> None:
        """Stop looking."""
        self._layer.events.set_data.disconnect(self._watch)
        self._layer.__dict__.pop("refresh", None)
        self._timer.stop()


_keepers: weakref.WeakKeyDictionary[Any, SlideKeeper] = weakref.WeakKeyDictionary()


class SlideKeeper:
    """Keeps the slides of one viewer sharp, and closes them when their last layer is removed.

    There is one per viewer, made by `of`. It lives as long as the viewer, whatever becomes of
    the docks and their session.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._sharpeners: dict[Layer, Sharpener] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)
        # Last, so that everybody else has let go of a slide before it is closed.
        viewer.layers.events.removed.connect(self._on_removed, position="last")
        for layer in viewer.layers:
            self._adopt(layer)

    @classmethod
    def of(cls, viewer: ViewerModel) -> SlideKeeper:
        """The keeper of a viewer, made when it is first asked for."""
        found = _keepers.get(viewer)
        if found is None:
            found = _keepers[viewer] = cls(viewer)
        return found

    @property
    def sharp(self) -> bool:
        """Whether everything on the screen has its own pixels, nothing a blurred stand-in."""
        return all(s.sharp for s in self._sharpeners.values())

    def _adopt(self, layer: Layer) -> None:
        pyramid = pyramid_of(layer)
        if pyramid is not None:
            self._sharpeners[layer] = Sharpener(layer, pyramid)

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _on_removed(self, event: Any) -> None:
        sharpener = self._sharpeners.pop(event.value, None)
        if sharpener is None:
            return
        sharpener.close()
        _close_unless_shown(sharpener.pyramid)


def _close_unless_shown(pyramid: Pyramid) -> None:
    """Close a pyramid that no layer of any viewer shows any more, and likewise its slide."""
    shown = [s.pyramid for keeper in _keepers.values() for s in keeper._sharpeners.values()]
    if pyramid not in shown:
        pyramid.close()
    if pyramid.slide not in [p.slide for p in shown]:
        pyramid.slide.close()
