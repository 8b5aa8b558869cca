"""How good predictions are, and whether one encoder's are better than another's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .bootstrap import Floats, Score, balanced_accuracy
from .evaluation import Tally


class Scores(NamedTuple):
    """Of one probe, with its bootstrap intervals; classes count alike, however rare.

    Attributes
    ----------
    balanced_accuracy : Score
        Mean over the classes of the share that was recognised.
    macro_f1 : Score
        Mean over the classes of the harmonic mean of precision and recall.
    auc : Score
        Mean over the classes of the area under the curve of the class against the rest.
    """

    balanced_accuracy: Score
    macro_f1: Score
    auc: Score


def scores_of(tally: Tally, weights: Floats) -> Scores:
    """The scores of what was predicted.

    Parameters
    ----------
    tally : Tally
    weights : (b, n) float
        Of `bootstrap.resample` over all n items; those that were never tested count for nothing.
    """
    at = tally.tested
    truth, drawn = tally.truth[at], weights[:, at]
    labels = tally.classes[truth]
    return Scores(
        balanced_accuracy(tally.right[at], tally.tries[at], labels, drawn),
        _macro_f1(truth, tally.predicted[at], drawn),
        _macro_auc(truth, tally.shares[at] / tally.tries[at, None], drawn),
    )


def _macro_f1(
    truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], weights: Floats
) -> Score:
    every = np.concatenate([np.ones((1, len(truth))), weights])
    found = []
    for value in np.unique(truth):
        true, said = truth == value, predicted == value
        hits = every[:, true & said].sum(1)
        found.append(2 * hits / np.maximum(every[:, true].sum(1) + every[:, said].sum(1), 1e-12))
    mean = np.mean(found, axis=0)
    return Score(float(mean[0]), mean[1:])


def _macro_auc(truth: npt.NDArray[np.int64], shares: Floats, weights: Floats) -> Score:
    every = np.concatenate([np.ones((1, len(truth))), weights])
    present = np.unique(truth)
    if len(present) < 2:
        return Score(float("nan"), np.full(len(weights), np.nan))
    found = [weighted_auc(shares[:, value], truth == value, every) for value in present]
    mean = np.mean(found, axis=0)
    return Score(float(mean[0]), mean[1:])


def weighted_auc(score: npt.ArrayLike, positive: npt.ArrayLike, weights: Floats) -> Floats:
    """Area under the receiver's curve, equal scores counting half, once per row of weights.

    Parameters
    ----------
    score : (n,) floats
    positive : (n,) bool
    weights : (b, n) floats
        How often each item counts; positives and negatives in every row.

    Returns
    -------
    (b,) float64
    """
    score, positive = np.asarray(score, np.float64), np.asarray(positive, bool)
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    drawn = weights[:, order]
    up = np.add.reduceat(drawn * positive[order], starts, axis=1)
    down = np.add.reduceat(drawn * ~positive[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    area = (up * below).sum(1) / (up.sum(1) * down.sum(1))
    return np.asarray(area, np.float64)


class Paired(NamedTuple):
    """Two probes on the same items.

    Attributes
    ----------
    difference : float
        First less second.
    p : float
        How likely as great a difference is where there is none.
    """

    difference: float
    p: float


def mcnemar(a: npt.ArrayLike, b: npt.ArrayLike) -> Paired:
    """Whether two classifiers are right equally often on the same items.

    McNemar 1947, exact: of the items only one of them has right, a fair coin would give each half.

    Parameters
    ----------
    a, b : (n,) bool
        Whether each was right.

    Returns
    -------
    Paired
        Of accuracies.
    """
    from scipy.stats import binomtest

    a, b = np.asarray(a, bool), np.asarray(b, bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return Paired((only_a - only_b) / max(1, len(a)), float(p))


def delong(a: npt.ArrayLike, b: npt.ArrayLike, positive: npt.ArrayLike) -> Paired:
    """Whether two scores of the same items have the same area under the curve.

    DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837), by the mid-ranks of Sun and Xu
    2014 (doi:10.1109/LSP.2014.2337313).

    Parameters
    ----------
    a, b : (n,) floats
        Scores of the two.
    positive : (n,) bool
        Two or more of each kind.

    Returns
    -------
    Paired
        Of areas. p is 1 where the two rank all items alike.

    Raises
    ------
    ValueError
        If there are fewer than two positives or negatives.
    """
    from scipy.stats import norm, rankdata

    at = np.asarray(positive, bool)
    m, n = int(at.sum()), int((~at).sum())
    if min(m, n) < 2:
        raise ValueError("two positives and two negatives are needed")
    up, down, areas = [], [], []
    for score in (np.asarray(a, np.float64), np.asarray(b, np.float64)):
        every = rankdata(score)
        # For each positive the share of negatives below it, for each negative of positives above.
        up.append((every[at] - rankdata(score[at])) / n)
        down.append(1 - (every[~at] - rankdata(score[~at])) / m)
        areas.append(float(up[-1].mean()))
    difference = areas[0] - areas[1]
    variance = np.var(up[0] - up[1], ddof=1) / m + np.var(down[0] - down[1], ddof=1) / n
    if variance <= 0:
        return Paired(difference, 1.0 if difference == 0 else 0.0)
    return Paired(difference, float(2 * norm.sf(abs(difference) / np.sqrt(variance))))
