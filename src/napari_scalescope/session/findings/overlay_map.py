"""The map that lies over the slide."""

from __future__ import annotations

from collections.abc import Callable

from ...analysis import TileMap
from ...worker import NewestOnly
from ..look import Look
from ..scene import Scene
from .finding import Finding


class OverlayMap(Finding[TileMap]):
    """The overlay somebody chose, painted anew whenever there is more to show.

    Parameters
    ----------
    scene : callable
        What there is to paint from now, None while there is nothing.
    look : callable
        Which overlay, and how.
    thread : NewestOnly
        Where it is painted.
    """

    def __init__(
        self, scene: Callable[[], Scene | None], look: Callable[[], Look], thread: NewestOnly
    ) -> None:
        super().__init__()
        self._scene, self._look, self._thread = scene, look, thread

    def refresh(self) -> None:
        """Paint the overlay for the present state, in the background."""
        self._thread.submit("map", self._paint)

    def _paint(self) -> None:
        generation, look, scene = self.generation, self._look(), self._scene()
        painted = None if scene is None else look.shown.paint(scene)
        self.keep(painted, generation, lambda: look == self._look())
