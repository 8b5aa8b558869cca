"""The map that lies over the slide."""

from __future__ import annotations

from collections.abc import Callable

from ...analysis import TileMap
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
    """

    def __init__(
        self, scene: Callable[[Overlay], Place | None], look: Callable[[], Look], thread: NewestOnly
    ) -> None:
        super().__init__()
        self._scene, self._look, self._thread = scene, look, thread

    def refresh(self) -> None:
        """Paint the overlay for the present state, in the background."""
        self._thread.submit("map", self._paint)

    def _paint(self) -> None:
        generation, look = self.generation, self._look()
        painted = look.shown.lay(self._scene(look.shown))
        self.keep(painted, generation, lambda: look == self._look())
