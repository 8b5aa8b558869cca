"""Scores that know their sampling error, and whose differences are paired."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 95.0


@dataclass(frozen=True, eq=False)
class Score:
    """A figure and what it would have been on resampled items.

    Scores made from the same `resample` are paired: their difference has the interval of the
    difference, not of two independent figures.

    Parameters
    ----------
    value : float
    replicates : (b,) float
    """

    value: float
    replicates: Floats

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return float(np.percentile(self.replicates, (100 - LEVEL) / 2))

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return float(np.percentile(self.replicates, (100 + LEVEL) / 2))

    def __sub__(self, other: Score) -> Score:
        return Score(self.value - other.value, self.replicates - other.replicates)

    def __truediv__(self, other: Score) -> Score:
        return Score(self.value / other.value, self.replicates / other.replicates)

    def scaled(self, factor: float) -> Score:
        """In another unit."""
        return Score(self.value * factor, self.replicates * factor)

    def as_dict(self) -> dict[str, float]:
        """Value and interval."""
        return {"value": self.value, "low": self.low, "high": self.high}


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean of several scores, resampled together."""
    return Score(
        float(np.mean([s.value for s in scores])),
        np.mean([s.replicates for s in scores], axis=0),
    )


def resample(
    strata: npt.ArrayLike, key: str, resamples: int = RESAMPLES
) -> npt.NDArray[np.float64]:
    """How often each item is drawn in each bootstrap sample: (resamples, n).

    Items are drawn with replacement within their stratum, so that no class is ever missing.
    The same key and strata give the same draws, which is what pairs the scores of encoders.

    Parameters
    ----------
    strata : (n,) of any values
        What an item may be replaced by: items of the same value.
    key : str
        Name of the set of items.
    """
    strata = np.asarray(strata)
    dice = np.random.default_rng(zlib.crc32(key.encode()))
    weights = np.zeros((resamples, len(strata)))
    for value in np.unique(strata):
        members = np.flatnonzero(strata == value)
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = dice.multinomial(len(members), share, size=resamples)
    return weights


def mean_of(values: npt.ArrayLike, weights: Floats) -> Score:
    """Mean of one value per item."""
    values = np.asarray(values, np.float64)
    return Score(float(values.mean()), weights @ values / weights.sum(1))


def balanced_accuracy(
    right: npt.ArrayLike, tries: npt.ArrayLike, labels: npt.ArrayLike, weights: Floats
) -> Score:
    """Mean over classes of the share of predictions that were right.

    Parameters
    ----------
    right, tries : (n,) ints
        How often each item was predicted rightly, and at all. An item may be tested in several
        rounds (few-shot draws, splits) or in none.
    labels : (n,) of any values
        True classes. One whose items were never tested is left out.
    weights : (b, n) float
        Of `resample`.
    """
    right, tries = np.asarray(right, np.float64), np.asarray(tries, np.float64)
    labels = np.asarray(labels)
    recalls, replicates = [], []
    for value in np.unique(labels):
        of_class = labels == value
        n = tries[of_class].sum()
        if n:
            recalls.append(right[of_class].sum() / n)
            drawn = weights[:, of_class]
            replicates.append(drawn @ right[of_class] / (drawn @ tries[of_class]))
    return Score(float(np.mean(recalls)), np.mean(replicates, axis=0))
