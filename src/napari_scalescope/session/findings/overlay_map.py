"""The map that lies over the slide."""

from __future__ import annotations

from collections.abc import Callable

from ...analysis import TileMap
from ...errors import ScaleScopeError
from ...worker import NewestOnly
from ..look import Look
from ..overlays import Overlay
from ..scene import Place
from .finding import Finding


class OverlayMap(Finding[TileMap]):
    """The overlay somebody chose, painted anew whenever there is more to show.

    Parameters
    ----------
    scene : callable
        What there is to paint an overlay from now, None without a slide.
    look : callable
        Which overlay, and how.
    thread : NewestOnly
        Where it is painted.

    Attributes
    ----------
    refused : str
        Why there is none, in words for the user; "" where there is one or nothing to paint from.
    """

    def __init__(
        self, scene: Callable[[Overlay], Place | None], look: Callable[[], Look], thread: NewestOnly
    ) -> None:
        super().__init__()
        self._scene, self._look, self._thread = scene, look, thread
        self.refused = ""

    def refresh(self) -> None:
        """Paint the overlay for the present state, in the background."""
        self._thread.submit("map", self._paint)

    def _paint(self) -> None:
        generation, look = self.generation, self._look()
        painted, refused = None, ""
        try:
            painted = look.shown.lay(self._scene(look.shown))
        except ScaleScopeError as error:
            refused = str(error)
        if look == self._look():
            self.refused = refused
        self.keep(painted, generation, lambda: look == self._look())
