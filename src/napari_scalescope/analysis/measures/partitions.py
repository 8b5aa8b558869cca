"""Whether two encoders sort tiles into the same groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..similarity import unit


class PartitionAgreement(NamedTuple):
    """How far two partitions agree, both adjusted for chance: 0 is chance, 1 the same.

    Attributes
    ----------
    ari : float
        Adjusted Rand index (Hubert and Arabie 1985): of pairs of tiles.
    ami : float
        Adjusted mutual information (Vinh et al. 2010): of what one label tells of the other.
    """

    ari: float
    ami: float


def partition_agreement(
    a: npt.ArrayLike, b: npt.ArrayLike, k: int = 8, *, seeds: int = 3
) -> PartitionAgreement:
    """Agreement of k-means partitions of the same tiles in two spaces.

    k-means starts from a draw, and two runs in one space do not agree fully: each of some seeds is
    run in both spaces, and the mean is given.

    Parameters
    ----------
    a : (n, D) floats
    b : (n, E) floats
        Row by row of the same tiles.
    k : int
        Number of groups, at most the number of tiles.
    seeds : int

    Raises
    ------
    ValueError
        If the sets differ in number.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    x, y = unit(a), unit(b)
    if len(x) != len(y):
        raise ValueError(f"vectors of the same tiles are needed, not {x.shape} and {y.shape}")
    found = []
    for seed in range(seeds):
        one, other = (
            MiniBatchKMeans(k, n_init=4, random_state=seed).fit(v).labels_ for v in (x, y)
        )
        found.append((adjusted_rand_score(one, other), adjusted_mutual_info_score(one, other)))
    return PartitionAgreement(*(float(v) for v in np.mean(found, axis=0)))
