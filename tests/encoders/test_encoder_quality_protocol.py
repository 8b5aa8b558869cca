"""The arithmetic behind the figures of `tests.benchmarks.encoder_quality`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.encoder_quality.bootstrap import (
    Score,
    balanced_accuracy,
    mean_of,
    mean_score,
    resample,
)
from tests.benchmarks.encoder_quality.claims import claims
from tests.benchmarks.encoder_quality.clusters import majority
from tests.benchmarks.encoder_quality.colour import statistics
from tests.benchmarks.encoder_quality.drift import CHANGES
from tests.benchmarks.encoder_quality.maps import border, haematoxylin, seams
from tests.benchmarks.encoder_quality.probes import (
    Task,
    cross_validation,
    drawn,
    evaluate,
    leave_slides_out,
    logistic,
    neighbours,
    row_space,
    standardised,
)
from tests.benchmarks.encoder_quality.scales import (
    PAIRS,
    agreement,
    overlap,
    pooled,
    ranks,
    treated,
)

# --- bootstrap ---


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


# --- probes ---


def test_features_are_standardised_by_the_training_part_alone() -> None:
    train = np.array([[0.0, 5.0, 0.1], [2.0, 5.0, 0.1]])
    a, b = standardised(train, np.array([[4.0, 9.0, 0.2]]))
    np.testing.assert_allclose(a, [[-1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(b, [[3, 0, 0]])


def test_neighbours_vote_and_the_nearer_ones_break_a_tie() -> None:
    train = np.array([[1, 0], [1, 0.1], [0, 1], [0.2, 1], [-1, 0]])
    labels = np.array(["a", "a", "b", "b", "c"])
    np.testing.assert_array_equal(neighbours(train, labels, np.array([[1, 0.3]]), 1), ["a"])
    np.testing.assert_array_equal(neighbours(train, labels, np.array([[0.1, 9]]), 4), ["b"])


def test_a_probe_in_the_row_space_predicts_the_same(rng: np.random.Generator) -> None:
    labels = np.repeat(["a", "b", "c"], 5)
    train, test = rng.normal(size=(15, 40)), rng.normal(size=(50, 40))
    a, b = row_space(train, test)
    assert a.shape == (15, 15)
    full, reduced = logistic(train, labels, test, 0.1), logistic(a, labels, b, 0.1)
    assert (full == reduced).mean() > 0.97


def test_a_draw_has_so_many_of_each_class_and_is_the_same_for_everyone() -> None:
    labels = np.array(["a"] * 30 + ["b"] * 20 + ["c"] * 4)
    among = np.arange(10, 54)
    chosen = drawn(labels, among, "set 0")
    assert np.isin(chosen, among).all()
    assert len(np.unique(chosen)) == len(chosen)
    assert [(labels[chosen] == c).sum() for c in "abc"] == [10, 10, 4]
    np.testing.assert_array_equal(chosen, drawn(labels, among, "set 0"))
    assert not np.array_equal(chosen, drawn(labels, among, "set 1"))


def test_slides_left_out_are_never_learnt_from() -> None:
    groups = np.array(["1", "1", "2", "3", "4", "4"])
    labels = np.array(["a", "a", "a", "b", "b", "b"])
    folds = leave_slides_out(labels, groups)
    assert len(folds) == 4
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert set(labels[train]) == set(labels[test]) == {"a", "b"}
        assert len(train) + len(test) == 6


@pytest.mark.parametrize("given_split", [False, True])
def test_every_metric_sees_what_is_plainand_nothing_in_noise(
    given_split: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.benchmarks.encoder_quality import probes

    monkeypatch.setattr(probes, "DRAWS", 3)
    monkeypatch.setattr(probes, "GRID", (1e-2, 1.0))
    labels = np.repeat(["a", "b"], 40)
    half = np.arange(80) % 2 == 0
    folds = [(np.flatnonzero(half), np.flatnonzero(~half))]
    folds = folds if given_split else cross_validation(labels)
    task = Task("set", labels, folds, given_split, "set")
    noise = rng.normal(size=(80, 6))
    plain = noise + 8 * (labels == "b")[:, None]
    for features, low, high in ((plain, 0.99, 1.0), (noise, 0.2, 0.8)):
        for metric, tally in evaluate(features, task).items():
            score = balanced_accuracy(tally.right, tally.tries, labels, np.ones((1, 80)))
            assert low <= score.value <= high, metric
            draws = 3 if metric == "few-shot" else 1
            tested = 40 if given_split else 80 - 20 * (metric == "few-shot")
            assert tally.tries.sum() == draws * tested, metric
            assert not (given_split and tally.tries[half].any()), metric


# --- scales ---


def test_the_right_place_comes_first_and_equals_count_against_it() -> None:
    ones = np.eye(4)
    np.testing.assert_array_equal(ranks(ones, ones, np.arange(4)), 0)
    same = np.ones((4, 4)) / 2
    np.testing.assert_array_equal(ranks(same, same, np.arange(4)), 3)
    np.testing.assert_array_equal(ranks(ones[:1], ones, np.array([2])), [3])


def test_ranks_count_the_keys_that_are_nearer() -> None:
    keys = np.array([[1, 0], [0.8, 0.6], [0, 1]])
    np.testing.assert_array_equal(ranks(keys[:1], keys, np.array([1])), [1])


def test_centring_takes_away_what_a_scale_has_in_common(rng: np.random.Generator) -> None:
    fine = rng.normal(size=(20, 8))
    coarse = fine + 50 * rng.normal(size=8)
    own = np.arange(20)
    assert (ranks(treated(fine, "raw"), treated(coarse, "raw"), own) > 0).any()
    for treatment in ("centred", "standardised"):
        found = ranks(treated(fine, treatment), treated(coarse, treatment), own)
        np.testing.assert_array_equal(found, 0)


def test_standardising_ignores_the_unit_of_a_feature(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(9, 3))
    scaled = vectors * (1, 1000, 1)
    np.testing.assert_allclose(treated(vectors, "standardised"), treated(scaled, "standardised"))


@given(st.integers(1, 20), st.floats(0, 0.9), st.floats(0.05, 0.1))
def test_shares_of_an_overlap_add_up_to_one(cells: int, start: float, extent: float) -> None:
    shares = overlap(cells, start, start + extent)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_a_part_that_cuts_a_token_takes_its_share_of_it() -> None:
    np.testing.assert_allclose(overlap(7, 0, 1 / 4), np.array([4, 3, 0, 0, 0, 0, 0]) / 7)
    np.testing.assert_allclose(overlap(7, 1 / 4, 2 / 4), np.array([0, 1, 4, 2, 0, 0, 0]) / 7)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("side", [7, 14])
def test_parts_of_a_tile_average_to_the_whole(
    side: int, factor: int, rng: np.random.Generator
) -> None:
    tokens = rng.normal(size=(side, side, 3))
    parts = [pooled(tokens, factor, row, col) for row in range(factor) for col in range(factor)]
    np.testing.assert_allclose(np.mean(parts, 0), tokens.mean((0, 1)))


def test_a_part_is_where_its_row_and_column_say() -> None:
    tokens = np.zeros((4, 4, 1))
    tokens[2:, :2] = 1
    assert pooled(tokens, 2, 1, 0) == 1
    assert pooled(tokens, 2, 0, 1) == 0


def test_agreement_leaves_matched_pairs_out_of_random_ones() -> None:
    matched, others, random = agreement(np.eye(3), np.eye(3))
    np.testing.assert_allclose(matched, 1)
    np.testing.assert_allclose(others, 0)
    assert random == 0


# --- drift ---


def test_every_change_keeps_the_shape_of_a_tile(rng: np.random.Generator) -> None:
    tile = rng.integers(0, 256, (32, 32, 3), np.uint8)
    for name, versions in CHANGES.items():
        for version in versions:
            changed = version(tile)
            assert changed.shape == tile.shape, name
            assert changed.dtype == np.uint8, name
            assert (changed != tile).any(), name


# --- colour statistics, clusters, claims ---


def test_colour_statistics_are_finite_and_of_one_length(rng: np.random.Generator) -> None:
    found = [statistics(np.full((32, 32, 3), v, np.uint8)) for v in (0, 128, 255)]
    found.append(statistics(rng.integers(0, 256, (32, 32, 3), np.uint8)))
    assert len({f.shape for f in found}) == 1
    assert np.isfinite(found).all()


def test_the_majority_is_the_commonest_class() -> None:
    assert majority(np.array([[3, 3], [1, 0]], np.uint8)) == 3


def test_a_claim_holds_only_outside_the_interval() -> None:
    def score(value: float, spread_: float) -> Score:
        return Score(value, value + spread_ * np.linspace(-1, 1, 101))

    def result(mine: Score) -> dict[str, object]:
        means = {
            "raw": {"top-1": mine},
            "centred": {"top-1": mine},
            "standardised": {"top-1": mine},
        }
        flat = {t: {"top-1": score(0.2, 0)} for t in means}
        return {
            "scales": {"tile": {"e": {"means": means}, "mobilenet": {"means": flat}}, "part": {}}
        }

    sure = claims(result(score(0.3, 0.05)), {"e": "untrained"})
    assert len(sure) == 3
    assert all(c.holds for c in sure)
    assert not any(c.holds for c in claims(result(score(0.3, 0.2)), {"e": "untrained"}))


@pytest.mark.parametrize("final", [False, True])
def test_the_section_kept_for_the_end_is_read_only_at_the_end(
    final: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.benchmarks.encoder_quality import classification, data
    from tests.benchmarks.encoder_quality.features import Bank

    sizes = {"C3": 3, "C4": 4, "C6": 6}
    read = []

    def spots(section: str, field: float) -> tuple[np.ndarray, np.ndarray]:
        read.append(section)
        n = sizes[section]
        return np.zeros((n, 4, 4, 3), np.uint8), np.repeat(section, n)

    monkeypatch.setattr(data, "her2st_spots", spots)
    tasks = [task for task, _ in classification._spots(Bank([]), final)]
    assert ("C6" in read) == final
    splits = [[(set(t.labels[a]), set(t.labels[b])) for a, b in t.folds] for t in tasks]
    expected = [({"C3", "C4"}, {"C6"})] if final else [({"C4"}, {"C3"}), ({"C3"}, {"C4"})]
    assert splits == [expected, expected]


def test_pairs_are_whole_multiples() -> None:
    assert all(coarse % fine == 0 and coarse > fine for fine, coarse in PAIRS)


# --- maps ---


def test_a_picture_without_seams_has_none_and_a_colour_per_tile_has_nothing_else() -> None:
    tiles = np.argwhere(np.ones((3, 4)))
    y, x = np.mgrid[:24, :32].astype(float)
    smooth = np.stack([x, y, x + y], -1).reshape(3, 8, 4, 8, 3).swapaxes(1, 2).reshape(-1, 8, 8, 3)
    assert seams(smooth, tiles) == pytest.approx(1)
    # each tile a little lighter than it is
    stepped = smooth + np.arange(12)[:, None, None, None]
    assert seams(stepped, tiles) > 2
    # tiles that do not adjoin have no seam between them
    assert np.isnan(seams(smooth[:1], tiles[:1]))


def test_attention_at_the_border_is_one_where_it_is_even() -> None:
    even = np.ones((2, 6, 6))
    even[1, 0] = 2
    np.testing.assert_allclose(border(even), [1, 1 + 6 / 20])


def test_haematoxylin_is_where_it_is_blue() -> None:
    tile = np.full((1, 32, 32, 3), 240, np.uint8)
    tile[0, :16, 16:] = (80, 60, 150)
    dye = haematoxylin(tile, 2)
    assert dye.shape == (1, 2, 2)
    assert dye[0].argmax() == 1
