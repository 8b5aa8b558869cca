"""Ways to group points: each takes points (n, d) and gives a group (n,) of each, -1 for none."""

from __future__ import annotations

import threading

import numpy as np

from ...errors import AnalysisError
from ...geometry import IntArray
from ..nearest import Nearest, neighbours, some_of
from ..similarity import Vectors

#: Above this many points k-means runs on small batches.
MINI_BATCH_FROM = 20_000
#: HDBSCAN and Leiden run on so many points; the others go with the nearest of these.
HDBSCAN_POINTS = 10_000
LEIDEN_POINTS = 20_000
#: Densities mean nothing in many dimensions: HDBSCAN sees the first principal components only.
HDBSCAN_DIMS = 10
#: Size of the neighbourhood in the graph of Leiden.
NEIGHBOURS = 15

_random_of_igraph = threading.Lock()


def kmeans(points: Vectors, k: int, seed: int) -> IntArray:
    """k-means, on small batches where the points are many (Sculley 2010)."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(points) < MINI_BATCH_FROM:
        return np.asarray(KMeans(k, n_init=4, random_state=seed).fit(points).labels_, np.int64)
    model = MiniBatchKMeans(k, n_init=4, batch_size=4096, random_state=seed).fit(points)
    return np.asarray(model.labels_, np.int64)


def hdbscan(points: Vectors, smallest: int | None, seed: int) -> IntArray:
    """Dense regions of any form and number; tiles between them belong to none.

    Campello et al. 2013, *Density-based clustering based on hierarchical density estimates*.

    Parameters
    ----------
    points : (n, d)
    smallest : int, optional
        Tiles in the smallest group, default 1 % of them and at least 5.
    seed : int
    """
    from sklearn.cluster import HDBSCAN

    some = some_of(len(points), HDBSCAN_POINTS, seed)
    share = len(some) / len(points)
    size = max(5, round(0.01 * len(some)) if smallest is None else round(smallest * share))
    if len(some) <= size:
        return np.zeros(len(points), np.int64)
    few = np.ascontiguousarray(points[:, :HDBSCAN_DIMS])
    found = HDBSCAN(min_cluster_size=size, min_samples=5, copy=True).fit(few[some]).labels_
    return _spread(few, some, np.asarray(found, np.int64), seed)


def leiden(points: Vectors, resolution: float, seed: int) -> IntArray:
    """Communities of the graph of nearest neighbours (Traag et al. 2019, arXiv:1810.08473).

    Neighbours are joined the more strongly, the more neighbours they share.

    Parameters
    ----------
    points : (n, d)
    resolution : float
        The higher, the more groups.
    seed : int

    Raises
    ------
    AnalysisError
        If igraph is not installed.
    """
    try:
        import igraph
    except ImportError:
        raise AnalysisError(
            "Leiden clusters need the package igraph, which is not installed.",
            'Install it with pip install "napari-scalescope[leiden]", or choose k-means.',
        ) from None
    import random

    some = some_of(len(points), LEIDEN_POINTS, seed)
    if len(some) < 3:
        return np.zeros(len(points), np.int64)
    edges, weights = _shared_neighbours(neighbours(points[some], NEIGHBOURS, seed)[0])
    graph = igraph.Graph(len(some), edges)
    with _random_of_igraph:  # igraph has one source of random numbers for all
        igraph.set_random_number_generator(random.Random(seed))
        try:
            found = graph.community_leiden(
                "modularity", weights=weights, resolution=resolution, n_iterations=4
            )
        finally:
            igraph.set_random_number_generator(random)
    return _spread(points, some, np.array(found.membership, np.int64), seed)


def _shared_neighbours(index: IntArray) -> tuple[IntArray, Vectors]:
    """Edges (e, 2) between neighbours, and the share of neighbours both have (Jaccard)."""
    from scipy.sparse import csr_matrix

    n, k = index.shape
    ends = np.arange(0, n * k + 1, k)
    near = csr_matrix((np.ones(n * k, np.float32), index.ravel(), ends), (n, n))
    near = near + csr_matrix((np.ones(n, np.float32), np.arange(n), np.arange(n + 1)), (n, n))
    edges = np.column_stack([np.repeat(np.arange(n), k), index.ravel()])
    edges = np.unique(np.sort(edges, 1), axis=0)
    both = np.asarray(near[edges[:, 0]].multiply(near[edges[:, 1]]).sum(1)).ravel()
    return edges, np.asarray(both / (2 * (k + 1) - both), np.float32)


def _spread(points: Vectors, some: IntArray, found: IntArray, seed: int) -> IntArray:
    """The groups of all points: of those that were grouped, and of the nearest of them."""
    if len(some) == len(points):
        return found
    labels = np.empty(len(points), np.int64)
    labels[some] = found
    others = np.setdiff1d(np.arange(len(points)), some, assume_unique=True)
    nearest, _ = Nearest(points[some], seed).of(points[others], 1)
    labels[others] = found[nearest[:, 0]]
    return labels
