"""Whether two encoders arrange the same tiles alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: RSA compares all pairs: of more tiles than this a sample is drawn.
RSA_TILES = 1500


def linear_cka(a: npt.ArrayLike, b: npt.ArrayLike, *, debiased: bool = True) -> float:
    """Centred kernel alignment of two sets of vectors of the same tiles, with linear kernels.

    Kornblith et al. 2019 (arXiv:1905.00414): the Hilbert–Schmidt independence criterion of both
    sets' Gram matrices, over the root of each with itself. It does not change when a set is
    rotated, mirrored, shifted or scaled. The plain estimate grows with the number of dimensions,
    two sets of noise seem alike where there are more dimensions than tiles; debiased, the
    criterion's unbiased estimate (Song et al. 2012) is used, which is 0 on average for those.
    Computed from products of features, so that memory does not grow with the square of the tiles.

    Parameters
    ----------
    a : (n, D) floats
    b : (n, E) floats
        Row by row of the same tiles.
    debiased : bool

    Returns
    -------
    float
        1 for sets that differ by rotation and scale only, 0 for independent ones. A little below
        0 by chance. NaN where the vectors of a set are all the same.

    Raises
    ------
    ValueError
        If the sets differ in number, or there are fewer than 4 tiles.
    """
    x, y = paired(a, b, least=4)
    x, y = x - x.mean(0), y - y.mean(0)
    criterion = _hsic_unbiased if debiased else _hsic
    xx, yy = criterion(x, x), criterion(y, y)
    if xx <= 0 or yy <= 0:
        return float("nan")
    return float(criterion(x, y) / np.sqrt(xx * yy))


def _cross(x: Floats, y: Floats) -> float:
    """tr(XXᵀYYᵀ), by way of whichever product is smaller."""
    if len(x) < min(x.shape[1], y.shape[1]):
        return float(((x @ x.T) * (y @ y.T)).sum())
    return float(((x.T @ y) ** 2).sum())


def _hsic(x: Floats, y: Floats) -> float:
    return _cross(x, y)


def _hsic_unbiased(x: Floats, y: Floats) -> float:
    """Song et al. 2012, equation 5, of the Gram matrices without their diagonals."""
    n = len(x)
    k, el = (x**2).sum(1), (y**2).sum(1)  # the diagonals
    rows_k, rows_l = x @ x.sum(0) - k, y @ y.sum(0) - el  # sums of the rows without them
    trace = _cross(x, y) - float(k @ el)
    sums = float(rows_k.sum() * rows_l.sum()) / ((n - 1) * (n - 2))
    between = 2 * float(rows_k @ rows_l) / (n - 2)
    return (trace + sums - between) / (n * (n - 3))


def rsa(a: npt.ArrayLike, b: npt.ArrayLike, *, seed: int = 0) -> float:
    """Representational similarity: rank correlation of all distances between tiles.

    Kriegeskorte et al. 2008 (doi:10.3389/neuro.06.004.2008). Distances are 1 − cosine, their
    correlation is Spearman's. Of more than 1,500 tiles that many are drawn.

    Parameters
    ----------
    a : (n, D) floats
    b : (n, E) floats
        Row by row of the same tiles.
    seed : int
        Of the draw.

    Returns
    -------
    float
        -1 to 1.

    Raises
    ------
    ValueError
        If the sets differ in number, or there are fewer than 3 tiles.
    """
    from scipy.stats import spearmanr

    from ..similarity import unit

    x, y = paired(a, b, least=3)
    if len(x) > RSA_TILES:
        some = np.sort(np.random.default_rng(seed).choice(len(x), RSA_TILES, replace=False))
        x, y = x[some], y[some]
    upper = np.triu_indices(len(x), 1)
    distances = [(1 - u @ u.T)[upper] for u in (unit(x), unit(y))]
    return float(spearmanr(*distances).statistic)


def paired(a: npt.ArrayLike, b: npt.ArrayLike, least: int) -> tuple[Floats, Floats]:
    """Both as float64, checked for as many rows."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"vectors of the same tiles are needed, not {x.shape} and {y.shape}")
    if len(x) < least:
        raise ValueError(f"at least {least} tiles are needed, not {len(x)}")
    return x, y
