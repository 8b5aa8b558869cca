"""Tiles that look alike to the encoder, found in one of three ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import IntArray
from ...regions import palette
from ..reduction import Reduction, reduction
from ..similarity import Vectors
from ..together import Sets, as_sets, require_one_space
from . import methods
from .clusters import Clusters
from .suggestion import Suggestion, suggest

Method = Literal["kmeans", "hdbscan", "leiden"]

#: Numbers of groups that are tried where one is to be suggested.
KS = tuple(range(2, 16))


def cluster(
    emb: EmbeddingSet | Sequence[EmbeddingSet],
    k: int | Literal["suggest"] = 8,
    *,
    method: Method = "kmeans",
    resolution: float = 1.0,
    smallest: int | None = None,
    seed: int = 0,
) -> Clusters:
    """Group tiles by their directions (cosine distance).

    All methods work on the first 50 principal components of the directions.

    Parameters
    ----------
    emb : EmbeddingSet or several
        With at least one tile. Several are grouped together: scales of a slide, or slides. They
        have to be of one encoder.
    k : int or "suggest"
        Of k-means: number of groups, 1 to 255; at most as many as there are distinct vectors.
        "suggest" takes what `suggest_k` suggests.
    method : "kmeans", "hdbscan" or "leiden"
        k-means makes groups of like extent. HDBSCAN finds dense ones of any form and leaves
        tiles between them in none; with more than 10,000 tiles the others go with the nearest of
        so many. Leiden finds communities in the graph of nearest neighbours (20,000 likewise);
        it needs igraph (the extra "leiden").
    resolution : float
        Of Leiden: the higher, the more groups.
    smallest : int, optional
        Of HDBSCAN: tiles in the smallest group, default 1 % of them.
    seed : int
        The same input and seed give the same groups.

    Raises
    ------
    LookupError
        If nothing is encoded.
    ValueError
        If k is out of range.
    AnalysisError
        If the sets are of several encoders, or a package is missing.
    """
    if k != "suggest" and not 1 <= k <= 255:
        raise ValueError(f"k is between 1 and 255, not {k}")
    sets = as_sets(emb)
    points, _ = points_of(sets)
    if method == "hdbscan":
        groups, words = methods.hdbscan(points, smallest, seed), "Dense groups (HDBSCAN)"
    elif method == "leiden":
        groups = methods.leiden(points, resolution, seed)
        words = f"Communities of nearest neighbours (Leiden, resolution {resolution:g})"
    elif method == "kmeans":
        why = ""
        if k == "suggest":
            advice = _suggestion(sets, points, KS, seed)
            k = advice.k
            why = f" (suggested: halves of the tiles agree to {advice.agreement.get(k, 1):.2f})"
        groups = methods.kmeans(points, _distinct(sets, k), seed)
        words = f"k-means on cosine distance into {len(np.unique(groups))} groups{why}"
    else:
        raise ValueError(f"a method is kmeans, hdbscan or leiden, not {method!r}")
    labels = _largest_first(groups)
    found = int(labels.max(initial=0))
    return Clusters(
        labels,
        tuple(f"Cluster {i + 1}" for i in range(found)),
        tuple(palette(found)),
        _closeness(points, labels, found),
        sets,
        words,
    )


def suggest_k(
    emb: EmbeddingSet | Sequence[EmbeddingSet], ks: Iterable[int] = KS, *, seed: int = 0
) -> Suggestion:
    """How many groups of k-means are there in the tissue, rather than in this sample of it?

    A sample of 2,000 tiles is halved four times. Both halves are grouped, and the groups of one
    are compared with those it has by the centres of the other (adjusted Rand index; the idea is
    prediction strength, Tibshirani and Walther 2005). Suggested is the largest number at which
    they agree by 0.6 or more, and better than with one group more or less.

    Parameters
    ----------
    emb : EmbeddingSet or several
    ks : iterable of int
        The numbers to try.
    seed : int

    Returns
    -------
    Suggestion
        The number, and the agreement of each that was tried.
    """
    sets = as_sets(emb)
    points, _ = points_of(sets)
    return _suggestion(sets, points, ks, seed)


def points_of(sets: Sets) -> tuple[Vectors, Reduction]:
    """All tiles of sets of one encoder as points (n, d) of few dimensions, and how they got there.

    Raises
    ------
    LookupError
        If there are none.
    AnalysisError
        If they are of several encoders.
    """
    if not any(len(emb) for emb in sets):
        raise LookupError("nothing is encoded yet")
    require_one_space(sets)
    reduce = reduction([emb.vectors for emb in sets])
    return np.concatenate([reduce(emb.vectors) for emb in sets]), reduce


def _suggestion(sets: Sets, points: Vectors, ks: Iterable[int], seed: int) -> Suggestion:
    tried = sorted(set(ks))
    # Every half has eight tiles per group.
    most = _distinct(sets, 16 * max(tried, default=1)) // 16
    return suggest(points, [k for k in tried if k <= most], seed)


def _largest_first(groups: IntArray) -> IntArray:
    """Labels from 1, the largest group first: the first colours go where they are seen most."""
    known = groups >= 0
    counts = np.bincount(groups[known], minlength=int(groups.max(initial=-1)) + 1)
    order = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    rank = np.zeros(len(counts) + 1, np.int64)  # the last is for -1
    rank[order] = np.arange(1, len(order) + 1)
    return rank[groups]


def _closeness(points: Vectors, labels: IntArray, k: int) -> Vectors:
    """Minus the distance (n,) of each point to the mean of its group."""
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(k + 2))
    closeness = np.full(len(points), -np.inf, np.float32)
    for lo, hi in pairwise(bounds[1:]):
        own = points[order[lo:hi]]
        closeness[order[lo:hi]] = -np.linalg.norm(own - own.mean(0), axis=1)
    return closeness


def _distinct(sets: Sets, enough: int) -> int:
    """How many vectors differ, counted up to ``enough``: mostly known after a few of them.

    Tiles of plain glass are often identical, and k-means has no use for more centres than there
    are distinct vectors.
    """
    seen: set[bytes] = set()
    for emb in sets:
        for vector in emb.vectors:
            seen.add(vector.tobytes())
            if len(seen) == enough:
                return enough
    return len(seen)
