"""Many dimensions shown in two: tiles as points in the plane, and where others belong there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from ..geometry import FloatArray, IntArray
from .nearest import Nearest, neighbours, some_of
from .reduction import Reduction, reduction
from .similarity import Vectors
from .together import Sets, as_sets, bare_set, require_one_space, set_of

Method = Literal["pca", "umap", "tsne"]

#: Below this many points a graph of neighbours says nothing; PCA is shown instead.
LEAST = 30
#: Above this many points a map is made of landmarks, and the others are placed among them.
ALL_FROM = 50_000
#: How many landmarks.
LANDMARKS: dict[Method, int] = {"umap": 20_000, "tsne": 5_000}
#: A point is placed among so many of its nearest.
AMONG = 5
NEIGHBOURS, MIN_DIST = 15, 0.1


@dataclass(frozen=True, eq=False)
class Projection:
    """Tiles of one or several `EmbeddingSet`s of an encoder as points in the plane.

    Parameters
    ----------
    xy : (n, 2) float32
        With several sets their tiles follow each other.
    method : "pca", "umap" or "tsne"
        How they were laid out; PCA where there are too few for another.
    seed : int
    sets : tuple of EmbeddingSet
    reduction : Reduction
        From vectors to the few dimensions in which neighbours are looked for.
    anchors : (m, d) float32
        Points of those dimensions which lie in the plane for good; others are placed among them.
    at : (m,) int
        Which of the n these are.
    grown : bool
        Whether it was begun from another layout: it then depends on that one too.
    """

    xy: Vectors
    method: Method
    seed: int
    sets: Sets
    reduction: Reduction
    anchors: Vectors
    at: IntArray
    grown: bool = False

    @property
    def emb(self) -> EmbeddingSet:
        """The set, or the first of several."""
        return self.sets[0]

    @cached_property
    def of(self) -> IntArray:
        """Which of the sets each point is of (n,)."""
        return set_of(self.sets)

    @property
    def complete(self) -> bool:
        """Whether all points were laid out, and none placed among landmarks."""
        return self.method == "pca" or len(self.at) == len(self.xy)

    def place(self, vectors: npt.ArrayLike) -> Vectors:
        """Where tiles with these vectors (m, D) belong: (m, 2).

        With PCA that is exact. Else it is among the five nearest tiles, the nearer the closer;
        neighbours that lie far from the nearest in the plane are left out, so that nothing is
        placed in the void between two groups.
        """
        points = self.reduction(vectors)
        return points[:, :2].copy() if self.method == "pca" else self._among(points)

    def with_more(self, sets: EmbeddingSet | Sequence[EmbeddingSet]) -> Projection:
        """The same tiles where they are and new ones placed among them.

        Parameters
        ----------
        sets : EmbeddingSet or several
            Later states of the sets this is of (known by their keys), and other sets.
        """
        sets = as_sets(sets)
        parts = []
        for emb in sets:
            index = self._index_of(emb)
            xy = np.empty((len(emb), 2), np.float32)
            old = index >= 0
            xy[old] = self.xy[index[old]]
            if not old.all():
                xy[~old] = self.place(emb.vectors[~old])
            parts.append(xy)
        at = self._moved(sets)
        return replace(
            self, xy=np.concatenate(parts), sets=sets, at=at[at >= 0], anchors=self.anchors[at >= 0]
        )

    def _index_of(self, emb: EmbeddingSet) -> IntArray:
        """Which points the tiles of a set are, -1 for new ones."""
        start = 0
        for own in self.sets:
            if own is emb:
                return np.arange(start, start + len(own))
            if own.key and own.key == emb.key:
                index = own.index_of(emb.tiles)
                return np.where(index >= 0, index + start, -1)
            start += len(own)
        return np.full(len(emb), -1)

    def _moved(self, sets: Sets) -> IntArray:
        """Where the anchors are among the tiles of other sets, -1 where they are not."""
        new = np.full(len(self.xy), -1)
        start = 0
        for emb in sets:
            index = self._index_of(emb)
            old = np.flatnonzero(index >= 0)
            new[index[old]] = old + start
            start += len(emb)
        return new[self.at]

    def _among(self, points: Vectors) -> Vectors:
        return _interpolated(self._nearest, self.xy[self.at], points)

    @cached_property
    def _nearest(self) -> Nearest:
        return Nearest(self.anchors, self.seed)


def lay_out(
    sets: EmbeddingSet | Sequence[EmbeddingSet],
    method: Method = "umap",
    *,
    seed: int = 0,
    neighbours: int = NEIGHBOURS,
    min_dist: float = MIN_DIST,
    start: Projection | npt.ArrayLike | None = None,
    every: bool = False,
) -> Projection:
    """Lay tiles out in the plane; tiles that look alike to the encoder lie close together.

    All methods work on directions (cosine distance). UMAP and t-SNE see their first 50 principal
    components and begin from the first two.

    Parameters
    ----------
    sets : EmbeddingSet or several
        Scales of a slide, or slides, of one encoder.
    method : "pca", "umap" or "tsne"
        UMAP (McInnes et al. 2018, arXiv:1802.03426) keeps neighbours and something of the whole;
        t-SNE (van der Maaten and Hinton 2008) keeps neighbours; PCA keeps distances as far as two
        axes can. With fewer than 30 tiles PCA is given in any case.
    seed : int
        The same input and seed give the same map.
    neighbours, min_dist
        UMAP's: size of the neighbourhood, and how tightly points may be packed.
    start : Projection or (n, 2), optional
        Begin from this map instead, and end as near to it as turning and scaling can bring it.
    every : bool
        UMAP of all points, however many. Else more than 50,000 are laid out by landmarks, 20,000
        of them (t-SNE: more than 5,000 by 5,000), and the others placed among these.

    Raises
    ------
    LookupError
        If nothing is encoded.
    AnalysisError
        If the sets are of several encoders.
    """
    sets = as_sets(sets)
    if not any(len(emb) for emb in sets):
        raise LookupError("nothing is encoded yet")
    require_one_space(sets)
    n = sum(len(emb) for emb in sets)
    if method == "pca" or n < LEAST:
        reduce = reduction([emb.vectors for emb in sets], 2)
        flat = np.concatenate([reduce(emb.vectors) for emb in sets])
        return Projection(flat, "pca", seed, sets, reduce, flat[:0], np.arange(0))
    reduce = reduction([emb.vectors for emb in sets])
    points = np.concatenate([reduce(emb.vectors) for emb in sets])
    most = n if method == "umap" and (every or n <= ALL_FROM) else LANDMARKS[method]
    at = some_of(n, most, seed)
    begin = _begin(points, sets, at, start)
    anchors = points[at]
    if method == "umap":
        xy = _umap(anchors, begin, seed, neighbours, min_dist, settled=start is not None)
    else:
        xy = _tsne(anchors, begin, seed)
    if start is not None:
        xy = fitted_to(xy, begin)
    if len(at) < n:
        rest = np.ones(n, bool)
        rest[at] = False
        placed = np.empty((n, 2), np.float32)
        placed[at] = xy
        placed[rest] = _interpolated(Nearest(anchors, seed), xy, points[rest])
        xy = placed
    return Projection(xy, method, seed, sets, reduce, anchors, at, grown=start is not None)


def project(
    emb: EmbeddingSet | Sequence[EmbeddingSet] | npt.NDArray[np.float32],
    method: Method = "umap",
    *,
    seed: int = 0,
    neighbours: int = NEIGHBOURS,
    min_dist: float = MIN_DIST,
) -> npt.NDArray[np.float32]:
    """Two coordinates per tile; tiles that look alike to the encoder lie close together.

    What `lay_out` gives, which says more, without what places further tiles.

    Parameters
    ----------
    emb : EmbeddingSet, several or (n, D) float32
        Several are put into one map: scales of a slide, or slides, of one encoder. Their tiles
        follow each other.
    method : "umap", "pca" or "tsne"
        With fewer than 30 tiles PCA is given in any case.
    seed : int
        The same input and seed give the same map.
    neighbours, min_dist
        UMAP's: size of the neighbourhood, and how tightly points may be packed.

    Returns
    -------
    (n, 2) float32
    """
    sets = bare_set(emb) if isinstance(emb, np.ndarray) else emb
    try:
        return lay_out(sets, method, seed=seed, neighbours=neighbours, min_dist=min_dist).xy
    except LookupError:
        return np.empty((0, 2), np.float32)


def warm_up() -> None:
    """Have UMAP compiled, which takes up to a minute the first time in a process."""
    lay_out(bare_set(np.random.default_rng(0).normal(size=(LEAST + 1, 4))), "umap")


def _begin(
    points: Vectors, sets: Sets, at: IntArray, start: Projection | npt.ArrayLike | None
) -> Vectors:
    """Where the landmarks begin: at two principal components, or where they are already."""
    if start is None:
        return points[at, :2]
    known = start.with_more(sets).xy if isinstance(start, Projection) else start
    return np.asarray(known, np.float32)[at]


def fitted_to(
    xy: Vectors, other: Vectors, shared: npt.NDArray[np.bool_] | slice = slice(None)
) -> Vectors:
    """Points turned, mirrored, scaled and shifted to lie as near as possible to others.

    The orthogonal Procrustes problem (Schönemann 1966).

    Parameters
    ----------
    xy : (n, 2)
    other : (m, 2)
        Where those of them that are ``shared`` should lie.
    shared : (n,) bool, optional
        Default all.
    """
    from scipy.linalg import orthogonal_procrustes

    centre, there = xy[shared].mean(0), other.mean(0)
    a = xy[shared] - centre
    turn, gain = orthogonal_procrustes(a, other - there)
    scale = gain / max(float((a**2).sum()), 1e-12)
    return np.asarray((xy - centre) @ turn * scale + there, np.float32)


def _umap(
    points: Vectors, begin: Vectors, seed: int, k: int, min_dist: float, *, settled: bool
) -> Vectors:
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    n = len(points)
    index, distance = neighbours(points, min(k, n) - 1, seed)
    # UMAP counts a point as the first of its own neighbours.
    index = np.column_stack([np.arange(n), index]).astype(np.int32)
    distance = np.column_stack([np.zeros(n, np.float32), distance])
    random = np.random.RandomState(seed)
    graph, *_ = fuzzy_simplicial_set(
        points, min(k, n), random, "euclidean", knn_indices=index, knn_dists=distance
    )
    # UMAP wants distinct starting points.
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=begin.shape)
    scaled = begin / max(float(np.abs(begin).max()), 1e-9) * 10 + noise
    a, b = find_ab_params(1.0, min_dist)
    epochs = 500 if n <= 10_000 else 200
    xy, _ = simplicial_set_embedding(
        points,
        graph,
        2,
        0.3 if settled else 1.0,  # what has its place moves less
        a,
        b,
        1.0,
        5,
        epochs // 2 if settled else epochs,
        scaled.astype(np.float32),
        random,
        "euclidean",
        {},
        False,
        {},
        False,
    )
    return np.asarray(xy, np.float32)


def _tsne(points: Vectors, begin: Vectors, seed: int) -> Vectors:
    from sklearn.manifold import TSNE

    model = TSNE(
        perplexity=min(30.0, (len(points) - 1) / 3),
        init=begin / max(float(begin[:, 0].std()), 1e-9) * 1e-4,
        random_state=seed,
    )
    return np.asarray(model.fit_transform(points), np.float32)


def _interpolated(nearest: Nearest, xy: Vectors, points: Vectors) -> Vectors:
    """Places (m, 2) of points (m, d) among their nearest, which lie at xy."""
    k = min(AMONG, len(xy))
    index, distance = nearest.of(points, k)
    near = xy[index]
    # Nearness falls off as in UMAP: fully for the nearest, and with the spread beyond it.
    beyond = distance - distance[:, :1]
    weight = np.exp(-beyond / np.maximum(beyond.mean(1, keepdims=True), 1e-9))
    apart: FloatArray = np.linalg.norm(near - near[:, :1], axis=2)
    weight[apart > np.maximum(2 * np.median(apart[:, 1:]), 1e-9)] = 0
    weight[:, 0] = 1
    return np.asarray(np.einsum("mk,mkd->md", weight, near) / weight.sum(1)[:, None], np.float32)
