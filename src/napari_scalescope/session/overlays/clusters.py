"""Groups of tiles that look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap
from .overlay import Overlay

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class ClusterOverlay(Overlay):
    """The clusters that were found, and how they are to be found.

    Parameters
    ----------
    k : int
        Into how many groups.
    """

    k: int = 6

    title: ClassVar[str] = "Clusters"
    waiting: ClassVar[str] = "Encode some tiles to group them."

    def paint(self, scene: Scene) -> TileMap | None:
        """The tiles of the slide. Clusters of another encoder or scale are not shown."""
        clusters = scene.clusters
        if clusters is None or clusters.emb.key != scene.emb.key:
            return None
        return clusters.map()
