"""Scores that know their sampling error."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.analysis.probe.bootstrap import (
    balanced_accuracy,
    mean_of,
    mean_score,
    resample,
)


def test_a_bootstrap_sample_has_as_many_items_of_each_stratum_as_the_set() -> None:
    strata = np.repeat(["a", "b", "c"], [5, 1, 9])
    weights = resample(strata, "set", 50)
    for value, n in zip("abc", (5, 1, 9), strict=True):
        assert (weights[:, strata == value].sum(1) == n).all()


def test_a_set_is_resampled_alike_whoever_asks() -> None:
    np.testing.assert_array_equal(resample([0] * 9, "set", 9), resample(["x"] * 9, "set", 9))
    assert (resample([0] * 9, "set", 9) != resample([0] * 9, "other", 9)).any()


def test_balanced_accuracy_counts_classes_alike_however_rare() -> None:
    labels = np.array(["a"] * 8 + ["b"] * 2)
    right = np.array([1] * 8 + [0, 0])
    score = balanced_accuracy(right, np.ones(10), labels, resample(labels, "set", 20))
    assert score.value == 0.5
    np.testing.assert_allclose(score.replicates, 0.5)


def test_balanced_accuracy_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    from sklearn.metrics import balanced_accuracy_score

    truth, found = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    score = balanced_accuracy(truth == found, np.ones(60), truth, np.ones((1, 60)))
    expected = balanced_accuracy_score(truth, found)
    assert score.value == pytest.approx(expected)
    assert score.replicates[0] == pytest.approx(expected)


def test_items_that_were_never_tested_do_not_count() -> None:
    labels = np.array(["a", "a", "b", "c"])
    score = balanced_accuracy([3, 0, 1, 0], [4, 0, 4, 0], labels, np.ones((2, 4)))
    assert score.value == pytest.approx((3 / 4 + 1 / 4) / 2)


def test_the_interval_of_a_mean_is_about_two_standard_errors(rng: np.random.Generator) -> None:
    values = rng.normal(3, 1, 400)
    score = mean_of(values, resample(np.zeros(400), "set"))
    assert score.low < score.value < score.high
    assert score.high - score.low == pytest.approx(4 * 1 / 20, rel=0.2)


def test_differences_are_paired(rng: np.random.Generator) -> None:
    values = rng.normal(0, 1, 100)
    weights = resample(np.zeros(100), "set")
    difference = mean_of(values + 0.01, weights) - mean_of(values, weights)
    assert difference.low == pytest.approx(0.01)
    assert difference.high == pytest.approx(0.01)


def test_a_mean_of_scores_is_narrower_than_each(rng: np.random.Generator) -> None:
    scores = [mean_of(rng.normal(0, 1, 80), resample(np.zeros(80), str(i))) for i in range(4)]
    both = mean_score(scores)
    assert both.value == pytest.approx(np.mean([s.value for s in scores]))
    assert both.high - both.low < min(s.high - s.low for s in scores)
