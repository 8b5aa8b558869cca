"""Scores and paired tests, against libraries and against what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from napari_scalescope.analysis.probe import Tally, delong, mcnemar, resample, scores_of
from napari_scalescope.analysis.probe.scores import weighted_auc


def tally(n: int = 90, seed: int = 0) -> tuple[Any, Any, Any]:
    dice = np.random.default_rng(seed)
    labels = np.array(["a", "b", "c"])[dice.integers(0, 3, n)]
    made = Tally.of(labels)
    shares = dice.dirichlet(np.ones(3), n)
    shares[np.arange(n), made.truth] += 0.3
    shares /= shares.sum(1, keepdims=True)
    made.add(np.arange(n), shares, made.classes)
    return made, labels, shares


def test_scores_are_those_of_scikit_learn() -> None:
    made, labels, shares = tally()
    predicted = made.classes[shares.argmax(1)]
    found = scores_of(made, resample(labels, "set", 50))
    assert found.balanced_accuracy.value == pytest.approx(
        balanced_accuracy_score(labels, predicted)
    )
    assert found.macro_f1.value == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert found.auc.value == pytest.approx(roc_auc_score(labels, shares, multi_class="ovr"))
    for score in found:
        assert score.low < score.value < score.high


def test_a_bootstrap_sample_is_scored_as_if_its_items_were_repeated() -> None:
    made, labels, shares = tally(40)
    weights = resample(labels, "set", 5)
    found = scores_of(made, weights)
    for k, counts in enumerate(weights.astype(int)):
        again = np.repeat(np.arange(40), counts)
        predicted = made.classes[shares.argmax(1)]
        for score, expected in (
            (found.balanced_accuracy, balanced_accuracy_score(labels[again], predicted[again])),
            (found.macro_f1, f1_score(labels[again], predicted[again], average="macro")),
            (found.auc, roc_auc_score(labels[again], shares[again], multi_class="ovr")),
        ):
            assert score.replicates[k] == pytest.approx(expected)


def test_items_that_were_never_tested_do_not_count() -> None:
    labels = np.array(["a", "a", "b", "b"])
    made = Tally.of(labels)
    made.add(np.array([0, 2]), np.array([[0.9, 0.1], [0.2, 0.8]]), made.classes)
    found = scores_of(made, np.ones((2, 4)))
    assert [s.value for s in found] == [1, 1, 1]


def test_a_class_that_was_not_learnt_gets_nothing() -> None:
    made = Tally.of(np.array(["a", "b", "c"]))
    made.add(np.array([0]), np.array([[0.3, 0.7]]), np.array(["a", "c"]))
    assert made.shares[0].tolist() == [0.3, 0, 0.7]
    assert made.predicted[0] == 2
    assert made.right[0] == 0


@settings(max_examples=40)
@given(
    score=st.lists(st.integers(0, 6), min_size=8, max_size=40),
    seed=st.integers(0, 99),
)
def test_equal_scores_count_half(score: list[int], seed: int) -> None:
    positive = np.random.default_rng(seed).random(len(score)) < 0.5
    positive[:2] = [True, False]
    found = weighted_auc(score, positive, np.ones((1, len(score))))[0]
    assert found == pytest.approx(roc_auc_score(positive, score))


def test_mcnemar_is_a_coin_tossed_for_the_items_only_one_has_right() -> None:
    a = np.array([True] * 10 + [False] * 2 + [True] * 50)
    b = np.array([False] * 10 + [True] * 2 + [True] * 50)
    found = mcnemar(a, b)
    assert found.difference == pytest.approx(8 / 62)
    # 2 × P(at most 2 of 12)
    assert found.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert mcnemar(a, a) == (0, 1)


def test_delong_finds_the_variance_that_the_bootstrap_finds() -> None:
    dice = np.random.default_rng(0)
    positive = np.arange(300) % 3 == 0
    common = positive + dice.normal(0, 1, 300)
    a, b = common + dice.normal(0, 0.5, 300), common + dice.normal(0, 0.9, 300)
    found = delong(a, b, positive)
    assert found.difference == pytest.approx(
        roc_auc_score(positive, a) - roc_auc_score(positive, b)
    )
    weights = resample(positive, "set", 4000)
    differences = weighted_auc(a, positive, weights) - weighted_auc(b, positive, weights)
    from scipy.stats import norm

    expected = 2 * norm.sf(abs(found.difference) / differences.std())
    assert found.p == pytest.approx(expected, rel=0.35)


def test_delong_cries_wolf_as_often_as_it_says() -> None:
    dice = np.random.default_rng(1)
    positive = np.arange(80) % 2 == 0
    wolf = 0
    for _ in range(400):
        common = positive + dice.normal(0, 1, 80)
        a, b = (common + dice.normal(0, 1, 80) for _ in range(2))
        wolf += delong(a, b, positive).p < 0.05
    assert 0.02 < wolf / 400 < 0.09


def test_delong_of_equal_ranks_and_of_too_few() -> None:
    positive = np.array([True, True, False, False, False])
    score = np.array([3.0, 1, 2, 0, -1])
    assert delong(score, np.exp(score), positive) == (0, 1)
    with pytest.raises(ValueError, match="two positives"):
        delong(score, score, np.array([True, False, False, False, False]))
