"""Into how many groups? Answered by a measure rather than by taste."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..nearest import some_of
from ..similarity import Vectors

#: It is measured on so many tiles, halved at random so many times.
SAMPLE = 2_000
SPLITS = 4
#: From this agreement on groups count as found again.
AGAIN = 0.6


@dataclass(frozen=True)
class Suggestion:
    """A number of groups, and how good the others are.

    Parameters
    ----------
    k : int
        The suggested number.
    agreement : dict of int to float
        For each number that was tried: how well k-means on one half of the tiles and on the other
        agree (adjusted Rand index: 1 the same groups, 0 as by chance).
    """

    k: int
    agreement: dict[int, float]


def suggest(points: Vectors, ks: Iterable[int], seed: int) -> Suggestion:
    """The number of groups of k-means that are found again in other tiles; see `suggest_k`."""
    some = points[some_of(len(points), SAMPLE, seed)]
    rng = np.random.default_rng(seed)
    halves = [np.array_split(rng.permutation(len(some)), 2) for _ in range(SPLITS)]
    found = {
        k: float(np.mean([_agreement(some[a], some[b], k, seed) for a, b in halves])) for k in ks
    }
    return Suggestion(_best(found), found)


def _agreement(one: Vectors, other: Vectors, k: int, seed: int) -> float:
    """Of the groups of the other half with those it has by the centres of this one."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    a, b = (KMeans(k, n_init=2, random_state=seed).fit(half) for half in (one, other))
    return float(adjusted_rand_score(a.predict(other), b.labels_))


def _best(found: dict[int, float]) -> int:
    """The largest number that agrees well, and better than its neighbours; else the best.

    The best alone is mostly 2 or 3: tissue and fat are told apart by every half of the tiles.
    """
    if not found:
        return 1
    peaks = [
        k
        for k, value in found.items()
        if value >= AGAIN and value >= max(found.get(k - 1, -1.0), found.get(k + 1, -1.0))
    ]
    return max(peaks) if peaks else max(found, key=lambda k: (found[k], -k))
