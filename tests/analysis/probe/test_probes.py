"""Probes on features whose answer is known, and folds that do not leak."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from napari_scalescope.analysis.probe import (
    Task,
    classifiers,
    cross_validation,
    evaluate,
    leave_slides_out,
    spatial_blocks,
    tile_labels,
)
from napari_scalescope.analysis.probe.bootstrap import balanced_accuracy
from napari_scalescope.analysis.probe.classifiers import (
    logistic,
    neighbours,
    row_space,
    standardised,
)
from napari_scalescope.analysis.probe.folds import drawn
from napari_scalescope.geometry import TileGrid
from napari_scalescope.regions import Region, Regions

from ...slides.memory import memory_slide


def test_features_are_standardised_by_the_training_part_alone() -> None:
    train = np.array([[0.0, 5.0, 0.1], [2.0, 5.0, 0.1]])
    a, b = standardised(train, np.array([[4.0, 9.0, 0.2]]))
    np.testing.assert_allclose(a, [[-1, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(b, [[3, 0, 0]])


def test_neighbours_vote_and_the_nearer_ones_break_a_tie() -> None:
    train = np.array([[1, 0], [1, 0.1], [0, 1], [0.2, 1], [-1, 0]])
    labels = np.array(["a", "a", "b", "b", "c"])
    assert neighbours(train, labels, np.array([[1, 0.3]]), 1).argmax() == 0
    shares = neighbours(train, labels, np.array([[0.1, 9]]), 4)
    assert shares.argmax() == 1
    assert shares.sum() == pytest.approx(1)


def test_a_probe_in_the_row_space_predicts_the_same(rng: np.random.Generator) -> None:
    labels = np.repeat(["a", "b", "c"], 5)
    train, test = rng.normal(size=(15, 40)), rng.normal(size=(50, 40))
    a, b = row_space(train, test)
    assert a.shape == (15, 15)
    full, reduced = logistic(train, labels, test, 0.1), logistic(a, labels, b, 0.1)
    np.testing.assert_allclose(full, reduced, atol=1e-3)


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
def test_every_metric_sees_what_is_plain_and_nothing_in_noise(
    given_split: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifiers, "GRID", (1e-2, 1.0))
    labels = np.repeat(["a", "b"], 40)
    half = np.arange(80) % 2 == 0
    folds = [(np.flatnonzero(half), np.flatnonzero(~half))]
    folds = folds if given_split else cross_validation(labels)
    task = Task("set", labels, folds, given_split, "set")
    noise = rng.normal(size=(80, 6))
    plain = noise + 8 * (labels == "b")[:, None]
    for features, low, high in ((plain, 0.99, 1.0), (noise, 0.2, 0.8)):
        for metric, tally in evaluate(features, task, draws=3).items():
            score = balanced_accuracy(tally.right, tally.tries, labels, np.ones((1, 80)))
            assert low <= score.value <= high, metric
            draws = 3 if metric == "few-shot" else 1
            tested = 40 if given_split else 80 - 20 * (metric == "few-shot")
            assert tally.tries.sum() == draws * tested, metric
            assert not (given_split and tally.tries[half].any()), metric


@settings(max_examples=40)
@given(
    n=st.integers(40, 200),
    seed=st.integers(0, 999),
    block=st.sampled_from([200.0, 500.0]),
    gap=st.sampled_from([0.0, 120.0]),
)
def test_no_tile_is_tested_beside_one_that_was_learnt(
    n: int, seed: int, block: float, gap: float
) -> None:
    dice = np.random.default_rng(seed)
    at = dice.uniform(0, 2000, (n, 2))
    labels = np.where(at[:, 0] + dice.normal(0, 300, n) > 1000, "a", "b")
    try:
        blocks = spatial_blocks(at, labels, block_um=block, gap_um=gap, folds=3, seed=seed)
    except ValueError:
        return  # one class has one square
    tested = np.concatenate([test for _, test in blocks.folds])
    assert len(np.unique(tested)) == len(tested)
    for train, test in blocks.folds:
        squares = [set(map(tuple, np.floor(at[part] / block))) for part in (train, test)]
        assert not squares[0] & squares[1]
        apart = np.linalg.norm(at[train][:, None] - at[test][None], axis=2)
        assert apart.min() >= gap
        assert len(np.unique(labels[train])) > 1
        assert set(labels[test]) <= set(labels[train])


def test_a_class_in_one_square_cannot_be_tested_and_is_named() -> None:
    at = np.array([[x * 1000.0 + 5 * i, 0] for x in range(4) for i in range(10)])
    labels = np.array((["a"] * 10 + ["b"] * 10) * 2)
    labels = np.where(np.arange(40) < 4, "rare", labels)
    blocks = spatial_blocks(at, labels, block_um=1000)
    assert blocks.left_out == ("rare",)
    assert all(not np.isin(labels[np.r_[a, b]], "rare").any() for a, b in blocks.folds)
    with pytest.raises(ValueError, match="two squares"):
        spatial_blocks(at, np.array(["a"] * 10 + ["b"] * 30), block_um=1000)


def test_blocks_find_out_an_encoder_that_only_knows_the_place() -> None:
    """Shared out at random, the place tells the class; in squares it does not."""
    dice = np.random.default_rng(0)
    at = np.stack(np.meshgrid(np.arange(40.0), np.arange(40.0)), -1).reshape(-1, 2) * 50
    spots = np.stack(np.meshgrid(np.arange(0, 2000, 100), np.arange(0, 2000, 100)), -1)
    far = np.linalg.norm(at[:, None] - spots.reshape(1, -1, 2), axis=2)
    knows = np.exp(-((far / 100) ** 2))
    field = dice.integers(0, 2, (5, 5))  # patches of 400 µm
    labels = np.where(field[tuple((at[:, ::-1] // 400).astype(int).T)], "a", "b")

    def score(folds: Any) -> float:
        tally = evaluate(knows, Task("set", labels, folds, True, "set"), draws=1)["kNN"]
        return balanced_accuracy(tally.right, tally.tries, labels, np.ones((1, len(at)))).value

    assert score(cross_validation(labels)) > 0.9
    assert score(spatial_blocks(at, labels, block_um=400, gap_um=100).folds) < 0.7


def test_tiles_are_labelled_by_the_region_their_centre_lies_in() -> None:
    slide = memory_slide(np.zeros((400, 400, 3), np.uint8), mpp=0.5)
    grid = TileGrid.cover(slide, 0.5, 100)
    regions = Regions(
        [
            Region(box(0, 0, 200, 100), "gland"),
            Region(box(100, 0, 300, 100), "fat"),
            Region(box(0, 100, 400, 200), ""),
        ]
    )
    labels = tile_labels(grid, [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0]], regions)
    assert labels.tolist() == ["gland", "", "fat", "", ""]
