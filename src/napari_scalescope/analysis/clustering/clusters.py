"""`Clusters`: a partition of tiles, and what can be said of each part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import Box, FloatArray, IntArray
from ...regions import Colour, Regions, outline
from ..tile_map import MapClass, TileMap
from ..together import Sets, set_of
from .area import areas_mm2


@dataclass(frozen=True)
class ClusterRow:
    """What a table says of one cluster.

    Parameters
    ----------
    label : int
    name : str
    colour : Colour
    tiles : int
        How many there are.
    share : float
        Of all tiles, 0 to 1.
    area_mm2 : float
        Tissue they cover, mm².
    emb : EmbeddingSet
        The set of the tile that represents it,
    tile : (int, int)
        its row and column there,
    box : Box
        and its footprint, level-0 pixels.
    """

    label: int
    name: str
    colour: Colour
    tiles: int
    share: float
    area_mm2: float
    emb: EmbeddingSet
    tile: tuple[int, int]
    box: Box


@dataclass(frozen=True, eq=False)
class Clusters:
    """A partition of the tiles of one or several `EmbeddingSet`s.

    Parameters
    ----------
    labels : (n,) int
        Cluster of each tile, 1 to k; 0 for those in none. With several sets their tiles follow
        each other.
    names : tuple of str
        Name of each cluster.
    colours : tuple of colours
    closeness : (n,) float32
        How near each tile is to the centre of its cluster; the higher, the more typical.
    sets : tuple of EmbeddingSet
        What was clustered: scales of a slide, or slides, of one encoder.
    method : str
        How, in words for a legend.
    """

    labels: IntArray
    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    closeness: npt.NDArray[np.float32]
    sets: Sets
    method: str = ""

    @property
    def emb(self) -> EmbeddingSet:
        """The set, or the first of several."""
        return self.sets[0]

    @cached_property
    def of(self) -> IntArray:
        """Which of the sets each tile is of (n,)."""
        return set_of(self.sets)

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.names)

    @property
    def sizes(self) -> IntArray:
        """Tiles in each cluster: (k,)."""
        return np.bincount(self.labels, minlength=self.k + 1)[1:]

    @cached_property
    def areas_mm2(self) -> FloatArray:
        """Area of each cluster in mm² (k,).

        A tile counts for the square between it and its neighbours, or for itself where there are
        gaps. Tissue that belongs to a cluster at several scales of a slide counts once.
        """
        parts = [(emb, self.labels_of(emb)) for emb in self.sets]
        return areas_mm2(parts, self.k)

    @cached_property
    def representatives(self) -> IntArray:
        """For each cluster the position of its most typical tile: (k,)."""
        return np.array([self.typical(i + 1, 1)[0] for i in range(self.k)], np.int64)

    def typical(self, label: int, n: int = 9) -> IntArray:
        """Positions of up to n tiles nearest to the centre of a cluster, the nearest first."""
        own = np.flatnonzero(self.labels == label)
        nearest: IntArray = own[np.argsort(-self.closeness[own], kind="stable")[:n]]
        return nearest

    def has(self, emb: EmbeddingSet) -> bool:
        """Whether a set, or an earlier state of it, was clustered."""
        return any(own.key == emb.key for own in self.sets)

    def _own(self, emb: EmbeddingSet) -> int:
        for i, own in enumerate(self.sets):
            if own is emb or (own.key and own.key == emb.key):
                return i
        raise LookupError("these tiles were not clustered")

    def labels_of(self, emb: EmbeddingSet) -> IntArray:
        """Cluster of each tile of one of the sets; 0 for tiles that came later.

        Raises
        ------
        LookupError
            If it is none of them.
        """
        i = self._own(emb)
        own = self.sets[i]
        labels: IntArray = self.labels[self.of == i]
        if own is emb:
            return labels
        index = own.index_of(emb.tiles)
        return np.asarray(np.where(index >= 0, labels[index], 0), np.int64)

    def map(self, emb: EmbeddingSet | None = None) -> TileMap:
        """The clusters laid over the slide: of one of the sets, default the first.

        Raises
        ------
        LookupError
            If it is none of them.
        """
        i = 0 if emb is None else self._own(emb)
        own = self.sets[i]
        labels = self.labels[self.of == i]
        kind = np.uint8 if self.k < 256 else np.int32
        return TileMap(
            "Clusters",
            own.raster(labels.astype(kind), fill=0),
            own.grid.placement,
            "class",
            classes=tuple(
                MapClass(i + 1, name, colour)
                for i, (name, colour) in enumerate(zip(self.names, self.colours, strict=True))
            ),
            legend=self.legend,
            mpp=own.grid.mpp,
        )

    @property
    def legend(self) -> str:
        """How they were found, of which tiles, in a sentence."""
        apart = float((self.labels == 0).mean())
        sentence = f"{self.method}, {self._scope}." if self.method else ""
        if apart:
            sentence += f" {apart:.0%} of the tiles belong to no group and stay clear."
        return sentence.strip()

    @property
    def _scope(self) -> str:
        tiles = f"{len(self.labels):,} tiles"
        mpps = sorted({emb.grid.mpp for emb in self.sets})
        slides = len(self.sets) // max(1, len(mpps))
        at = " and ".join(f"{mpp:.3g}" for mpp in mpps)
        scales = f"{at} µm/px together" if len(mpps) > 1 else f"{at} µm/px"
        return f"{tiles} at {scales}" + (f" on {slides} slides" if slides > 1 else "")

    def regions(self, emb: EmbeddingSet | None = None) -> Regions:
        """The outlines of the clusters as regions, one per connected piece; see `map`."""
        names = {i + 1: name for i, name in enumerate(self.names)}
        colours = {i + 1: colour for i, colour in enumerate(self.colours)}
        tile_map = self.map(emb)
        return outline(tile_map.values, tile_map.placement, names, colours)

    def table(self) -> tuple[ClusterRow, ...]:
        """One row per cluster, the largest first."""
        starts = np.cumsum([0, *(len(emb) for emb in self.sets)])
        rows = []
        for i in np.argsort(-self.sizes, kind="stable"):
            position = int(self.representatives[i])
            own = int(self.of[position])
            emb = self.sets[own]
            row, col = (int(v) for v in emb.tiles[position - starts[own]])
            tiles = int(self.sizes[i])
            rows.append(
                ClusterRow(
                    label=int(i) + 1,
                    name=self.names[i],
                    colour=self.colours[i],
                    tiles=tiles,
                    share=tiles / len(self.labels),
                    area_mm2=float(self.areas_mm2[i]),
                    emb=emb,
                    tile=(row, col),
                    box=emb.grid.box(row, col),
                )
            )
        return tuple(rows)

    def renamed(self, names: Mapping[str, str]) -> Clusters:
        """With other names; clusters that get the same name become one.

        What becomes one has the place of its first cluster, and the colour of the one that had
        the name already, else of the one whose name sorts first.
        """
        new = [names.get(name, name) for name in self.names]
        kept = list(dict.fromkeys(new))
        before = dict(zip(self.names, self.colours, strict=True))

        def colour(name: str) -> Colour:
            parts = [old for old, now in zip(self.names, new, strict=True) if now == name]
            return before[min(parts, key=lambda old: (old != name, len(old), old))]

        table = np.array([0, *(kept.index(name) + 1 for name in new)])
        return replace(
            self,
            labels=table[self.labels],
            names=tuple(kept),
            colours=tuple(colour(name) for name in kept),
        )
