"""Which tiles a slide-level head looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ...analysis import TileMap
from .overlay import Overlay

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class MilOverlay(Overlay):
    """Attention of a head that was trained on whole slides (multiple-instance learning).

    Parameters
    ----------
    branch : int
        One of the head's branches; the first where it has not so many.
    normalise : "softmax" or "rank"
        Shares in units of an even one, or percent of tiles that get less.
    """

    branch: int = 0
    normalise: Literal["softmax", "rank"] = "softmax"

    title: ClassVar[str] = "Slide-level attention (MIL)"
    waiting: ClassVar[str] = "Choose the file of a head, and encode the slide."

    def paint(self, scene: Scene) -> TileMap | None:
        """The tiles of the slide. What was found for another encoder or scale is not shown."""
        found = scene.mil
        if found is None or found.emb.key != scene.emb.key:
            return None
        return found.map(self.normalise)
