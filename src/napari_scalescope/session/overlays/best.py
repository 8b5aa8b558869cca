"""At which magnification a place is most itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap, best_magnification
from .agreement import NATIVE
from .overlay import Overlay

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class BestMagnificationOverlay(Overlay):
    """At which of several magnifications each place stands out most from what is around it.

    Parameters
    ----------
    octaves : int
        How many times to halve the resolution that is shown; as far as the slide has nothing so
        fine, it is doubled instead. Halves come first because what surrounds a place is in view.
    """

    octaves: int = 2

    title: ClassVar[str] = "Best magnification"
    waiting: ClassVar[str] = (
        "Needs places and what is around them encoded at several magnifications: "
        "switch Live on, press E, or encode the slide."
    )

    def further(self, mpp: float, native: float) -> tuple[float, ...]:
        """Its halves, and doubles where the slide has no halves."""
        halves = [mpp / 2.0**i for i in range(1, self.octaves + 1)]
        kept = [half for half in halves if half >= NATIVE * native]
        doubles = [mpp * 2.0**i for i in range(1, self.octaves - len(kept) + 1)]
        return (*kept, *doubles)

    def paint(self, scene: Scene) -> TileMap | None:
        """The tiles of the slide, at every resolution that is open."""
        wanted = self.further(scene.emb.grid.mpp, scene.slide.require_mpp())
        if not all(mpp in scene.others for mpp in wanted):
            return None
        try:
            return best_magnification(scene.others.values())
        except LookupError:
            return None  # they are not encoded at the same places yet
