"""Which tiles an encoder finds most alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...geometry import IntArray
from ..similarity import unit

#: Rows whose similarities to all others are held at once.
ROWS = 1024
#: Of more tiles than this, neighbours are looked for among so many, evenly spread over all.
MOST = 20_000


def nearest(
    vectors: npt.ArrayLike,
    k: int,
    *,
    rows: npt.ArrayLike | None = None,
    among: npt.ArrayLike | None = None,
) -> IntArray:
    """The k vectors with the greatest cosine to each, itself left out. Exact.

    Parameters
    ----------
    vectors : (n, D) floats
    k : int
        At least 1, and fewer than there are to look among.
    rows : (m,) ints, optional
        For which of them; default all.
    among : (p,) ints, optional
        Of which of them neighbours are looked for, each once; default all.

    Returns
    -------
    (m, k) int64
        Positions, nearest first.

    Raises
    ------
    ValueError
        If k is out of range.
    """
    v = unit(vectors)
    wanted = np.arange(len(v)) if rows is None else np.asarray(rows, np.int64)
    pool = np.arange(len(v)) if among is None else np.asarray(among, np.int64)
    if not 1 <= k < len(pool):
        raise ValueError(f"of {len(pool)} tiles each has 1 to {len(pool) - 1} neighbours, not {k}")
    place = np.full(len(v), -1)
    place[pool] = np.arange(len(pool))
    candidates = v[pool]
    found = np.empty((len(wanted), k), np.int64)
    for start in range(0, len(wanted), ROWS):
        part = wanted[start : start + ROWS]
        cosine = v[part] @ candidates.T
        itself = np.flatnonzero(place[part] >= 0)
        cosine[itself, place[part[itself]]] = -np.inf
        best = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(cosine, best, 1), axis=1, kind="stable")
        found[start : start + ROWS] = pool[np.take_along_axis(best, order, 1)]
    return found


def neighbour_overlap(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    k: int = 10,
    *,
    rows: npt.ArrayLike | None = None,
    among: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Of the k nearest tiles of each tile in one space, the share that is so in the other too.

    Mutual k-nearest neighbours (Huh et al. 2024, arXiv:2405.07987), by cosine. By chance it is
    k / (n - 1). It compares any two encoders: only ranks within each space are used.

    Parameters
    ----------
    a : (n, D) floats
    b : (n, E) floats
        Row by row of the same tiles.
    k : int
    rows : (m,) ints, optional
        For which tiles; default all.
    among : (p,) ints, optional
        Of which tiles neighbours are looked for; default all, or of very many 20,000.

    Returns
    -------
    (m,) float64
        0 to 1; their mean is the measure.

    Raises
    ------
    ValueError
        If the sets differ in number, or k is out of range.
    """
    x, y = np.asarray(a), np.asarray(b)
    if len(x) != len(y):
        raise ValueError(f"vectors of the same tiles are needed, not {x.shape} and {y.shape}")
    if among is None and len(x) > MOST:
        among = np.linspace(0, len(x) - 1, MOST).astype(np.int64)
    one, other = (nearest(v, k, rows=rows, among=among) for v in (x, y))
    both = np.sort(np.concatenate([one, other], axis=1), axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(1) / k, np.float64)
