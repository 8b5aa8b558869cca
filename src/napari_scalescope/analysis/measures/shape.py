"""How an encoder fills its space with the tiles of a slide."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..similarity import unit
from .neighbours import ROWS, nearest


def effective_rank(vectors: npt.ArrayLike) -> float:
    """How many directions are really used: e to the entropy of the singular values.

    Roy and Vetterli 2007 (EUSIPCO, "The effective rank"), of the vectors less their mean. 1 when
    all lie on a line, D when all directions are used alike.

    Parameters
    ----------
    vectors : (n, D) floats
        At least 2.

    Returns
    -------
    float
        1 to the smaller of n - 1 and D. NaN where all are the same.
    """
    v = np.asarray(vectors, np.float64)
    v = v - v.mean(0)
    gram = v.T @ v if v.shape[1] <= len(v) else v @ v.T
    values = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None))
    # Rounding leaves small values where there are none.
    values = values[values > 1e-7 * max(float(values.max(initial=0)), 1e-300)]
    if not values.size or values.max() <= 0:
        return float("nan")
    p = values / values.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def hubness(vectors: npt.ArrayLike, k: int = 10) -> float:
    """Skewness of how often each tile is among the k nearest of others.

    Radovanović et al. 2010 (JMLR 11:2487). About 0 where every tile is about as often a
    neighbour; above 1.4 some are of nearly everything, and turn up in every search.

    Parameters
    ----------
    vectors : (n, D) floats
    k : int
        1 to n - 1.
    """
    n = len(np.asarray(vectors))
    counts = np.bincount(nearest(vectors, k).ravel(), minlength=n) - k  # their mean is k
    deviation = float(np.sqrt((counts**2).mean()))
    return float((counts**3).mean() / deviation**3) if deviation else 0.0


def uniformity(vectors: npt.ArrayLike) -> float:
    """How evenly the directions of the vectors lie on the sphere.

    Wang and Isola 2020 (arXiv:2005.10242): the logarithm of the mean over pairs of
    exp(-2 |u - v|²). 0 where all are the same; about -4 where they are spread evenly over many
    dimensions.

    Parameters
    ----------
    vectors : (n, D) floats
        At least 2.
    """
    v = unit(vectors)
    n, total = len(v), 0.0
    for start in range(0, n, ROWS):
        cosine = (v[start : start + ROWS] @ v.T).astype(np.float64)
        total += float(np.exp(-4 * (1 - cosine)).sum())
    itself = float(np.exp(-4 * (1 - (v.astype(np.float64) ** 2).sum(1))).sum())
    return float(np.log((total - itself) / (n * (n - 1))))
