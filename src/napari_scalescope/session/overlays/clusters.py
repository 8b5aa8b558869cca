"""Groups of tiles that look alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ...analysis import TileMap
from ...analysis.clustering import Method
from .overlay import Overlay

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class ClusterOverlay(Overlay):
    """The clusters that were found, and how they are to be found.

    Parameters
    ----------
    k : int or "suggest"
        Into how many groups, of k-means.
    method : "kmeans", "hdbscan" or "leiden"
        See `analysis.cluster`.
    resolution : float
        The higher, the more groups, of Leiden.
    together : bool
        Group the tiles of all scales that are open together, rather than those of the one shown.
    """

    k: int | Literal["suggest"] = 6
    method: Method = "kmeans"
    resolution: float = 1.0
    together: bool = False

    title: ClassVar[str] = "Clusters"
    waiting: ClassVar[str] = "Encode some tiles to group them."

    def paint(self, scene: Scene) -> TileMap | None:
        """The tiles of the slide. Clusters of another encoder or scale are not shown."""
        clusters = scene.clusters
        if clusters is None or not clusters.has(scene.emb):
            return None
        return clusters.map(scene.emb)
