"""Groups of tiles that look alike to the encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from ..geometry import IntArray
from ..regions import Colour, Regions, outline, palette
from .similarity import unit
from .tile_map import MapClass, TileMap

#: Above this many tiles k-means runs on small batches.
MINI_BATCH_FROM = 20_000


@dataclass(frozen=True, eq=False)
class Clusters:
    """A partition of the tiles of one `EmbeddingSet`.

    Parameters
    ----------
    labels : (n,) int
        Cluster of each tile, 1 to k, the largest first; 0 is kept for "not encoded".
    names : tuple of str
        Name of each cluster.
    colours : tuple of colours
    representatives : (k,) int
        For each cluster the position of the tile nearest to its centre.
    emb : EmbeddingSet
        What was clustered.
    """

    labels: IntArray
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    representatives: IntArray
    emb: EmbeddingSet

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.names)

    @property
    def sizes(self) -> IntArray:
        """Tiles in each cluster: (k,)."""
        return np.bincount(self.labels, minlength=self.k + 1)[1:]

    @property
    def areas_mm2(self) -> npt.NDArray[np.float64]:
        """Area of each cluster in mm² (k,): tiles times the area between tile centres."""
        grid = self.emb.grid
        return np.asarray(self.sizes * (grid.stride_px * grid.mpp / 1000) ** 2, np.float64)

    def map(self) -> TileMap:
        """The clusters laid over the slide."""
        return TileMap(
            "Clusters",
            self.emb.raster(self.labels.astype(np.uint8), fill=0),
            self.emb.grid.placement,
            "class",
            classes=tuple(
                MapClass(i + 1, name, colour)
                for i, (name, colour) in enumerate(zip(self.names, self.colours, strict=True))
            ),
            legend=f"k-means into {self.k} groups on cosine distance.",
            mpp=self.emb.grid.mpp,
        )

    def regions(self) -> Regions:
        """The outlines of the clusters as regions, one per connected piece."""
        names = {i + 1: name for i, name in enumerate(self.names)}
        colours = {i + 1: colour for i, colour in enumerate(self.colours)}
        tile_map = self.map()
        return outline(tile_map.values, tile_map.placement, names, colours)


def cluster(emb: EmbeddingSet, k: int = 8, *, seed: int = 0) -> Clusters:
    """Group tiles by k-means on their directions (cosine distance).

    Parameters
    ----------
    emb : EmbeddingSet
        With at least one tile.
    k : int
        Number of groups, 1 to 255; at most as many as there are distinct vectors.
    seed : int
        The same input and seed give the same groups.

    Raises
    ------
    LookupError
        If nothing is encoded.
    ValueError
        If k is out of range.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if not 1 <= k <= 255:
        raise ValueError(f"k is between 1 and 255, not {k}")
    if not len(emb):
        raise LookupError("nothing is encoded yet")
    vectors = unit(emb.vectors)
    # Tiles of plain glass are often identical, and k-means has no use for more centres than
    # there are distinct vectors.
    k = _distinct(vectors, k)
    kind = KMeans if len(vectors) < MINI_BATCH_FROM else MiniBatchKMeans
    model = kind(k, n_init=4, random_state=seed).fit(vectors)
    # Largest first, so that the first colours go where they are seen most.
    order = np.argsort(-np.bincount(model.labels_, minlength=k), kind="stable")
    rank = np.empty(k, np.int64)
    rank[order] = np.arange(k)
    labels = rank[model.labels_] + 1
    centres = model.cluster_centers_[order]
    distance = ((vectors - centres[labels - 1]) ** 2).sum(1)
    representatives = np.array(
        [np.flatnonzero(labels == i + 1)[distance[labels == i + 1].argmin()] for i in range(k)]
    )
    return Clusters(
        labels,
        tuple(f"Cluster {i + 1}" for i in range(k)),
        tuple(palette(k)),
        representatives,
        emb,
    )


def _distinct(vectors: npt.NDArray[np.float32], enough: int) -> int:
    """How many vectors differ, counted up to ``enough``: mostly known after a few of them."""
    seen: set[bytes] = set()
    for vector in vectors:
        seen.add(vector.tobytes())
        if len(seen) == enough:
            break
    return len(seen)
