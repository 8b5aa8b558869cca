"""Whether two descriptions of the same places agree on which of them are alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..similarity import unit
from .places import Vectors

#: Neighbours are sought among at most so many places, evenly spread over all: each place is
#: compared with each.
MOST = 20_000
#: Similarities held at once, in numbers.
AT_ONCE = 1 << 25


def neighbour_overlap(a: Vectors, b: Vectors, k: int) -> npt.NDArray[np.float32]:
    """Share of the k nearest places that two descriptions have in common.

    Mutual k-nearest-neighbour alignment of each place (Huh et al. 2024, arXiv:2405.07987), by
    cosine. A place is no neighbour of its own.

    Parameters
    ----------
    a : (n, D) float32
    b : (n, D') float32
        The same places in the same order.
    k : int
        Less than the number of places.

    Returns
    -------
    (n,) float32
        0 to 1; k / (n - 1) is what unrelated descriptions have on average.
    """
    n = len(a)
    among = np.arange(n) if n <= MOST else np.linspace(0, n - 1, MOST).astype(np.int64)
    if not 1 <= k < len(among):
        raise ValueError(f"k is 1 to {len(among) - 1} for {n} places, not {k}")
    a, b = unit(a), unit(b)
    shared = np.empty(n, np.float32)
    step = max(1, AT_ONCE // len(among))
    for start in range(0, n, step):
        some = np.arange(start, min(n, start + step))
        near = [_nearest(v[some] @ v[among].T, some, among, k) for v in (a, b)]
        both = (near[0][:, :, None] == near[1][:, None, :]).any(2).sum(1)
        shared[some] = both / k
    return shared


def _nearest(
    similarity: Vectors, some: npt.NDArray[np.int64], among: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.int64]:
    own = np.searchsorted(among, some)
    mine = np.minimum(own, len(among) - 1)
    is_there = among[mine] == some
    similarity[np.flatnonzero(is_there), mine[is_there]] = -np.inf
    return np.argpartition(similarity, len(among) - k, axis=1)[:, len(among) - k :]
