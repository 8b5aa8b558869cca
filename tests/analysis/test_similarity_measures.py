"""Ways of counting alikeness: what they change, and what they must not."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scalescope.analysis import Whitening, similarity_map, text_map, whiten, whiten_tokens
from napari_scalescope.analysis.similarity import Measure, nearest, ranked, similarity, unit
from napari_scalescope.analysis.similarity import whitening as module
from napari_scalescope.embeddings import EmbeddingSet
from napari_scalescope.embeddings import half as half_module


def shown(emb: EmbeddingSet, **options: object) -> np.ndarray:
    made = similarity_map(emb, **options)  # type: ignore[arg-type]
    return made.values[emb.tiles[:, 0], emb.tiles[:, 1]]


# --- ranks ---


@given(hnp.arrays(np.float32, st.integers(2, 60), elements=st.floats(-1, 1, width=16)))
def test_ranks_keep_the_order_and_equals_stay_equal(scores: np.ndarray) -> None:
    found = ranked(scores)
    a, b = np.meshgrid(np.arange(len(scores)), np.arange(len(scores)))
    np.testing.assert_array_equal(scores[a] < scores[b], found[a] < found[b])
    assert 0 <= found.min() <= found.max() <= 100
    assert found.mean() == pytest.approx(50, abs=1e-3)


def test_ranks_are_shares_of_what_is_known() -> None:
    found = ranked(np.array([[0.2, np.nan], [0.9, 0.5]]))
    np.testing.assert_allclose(found, [[0, np.nan], [100, 50]])
    assert ranked(np.array([0.3])).tolist() == [0]
    assert np.isnan(ranked(np.full(3, np.nan))).all()


@pytest.mark.parametrize("tokens", [False, True])
def test_a_map_of_ranks_orders_as_the_cosine_does(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, tokens: bool
) -> None:
    emb = make_set(halves)
    place = tuple(emb.grid.centres([(5, 3)])[0])
    plain = similarity_map(emb, place, tokens=tokens)
    made = similarity_map(emb, place, tokens=tokens, measure="rank")
    order = np.argsort(plain.values, axis=None, kind="stable")
    assert (np.diff(made.values.ravel()[order]) >= 0).all()
    assert (made.unit, made.limits) == ("% less alike", (0, 100))
    assert "less alike" in made.legend
    assert np.median(made.values) == pytest.approx(50, abs=1)


# --- several examples ---


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(0, 3))
def test_the_nearest_example_counts(seed: int, positives: int, negatives: int) -> None:
    rng = np.random.default_rng(seed)
    v, p, n = (rng.normal(size=(k, 5)) for k in (9, positives, negatives))
    found = similarity(v, p, n)
    by_hand = [
        max(float(unit(a) @ unit(b)) for b in p)
        - (max(float(unit(a) @ unit(b)) for b in n) if negatives else 0)
        for a in v
    ]
    np.testing.assert_allclose(found, by_hand, atol=1e-5)
    # One more example never makes anything less alike, one more counter-example never more.
    more = rng.normal(size=(1, 5))
    assert (similarity(v, np.concatenate([p, more]), n) >= found - 1e-6).all()
    if negatives:
        assert (similarity(v, p, np.concatenate([n, more])) <= found + 1e-6).all()


def test_a_counter_example_tells_apart_what_an_example_cannot() -> None:
    # Two kinds differ a little; how strongly all of it is stained differs much more.
    rng = np.random.default_rng(0)
    shared, own, other = np.eye(3, 12)
    kinds = np.repeat([0, 1], 300)
    centres = np.stack([shared + 0.3 * own, shared + 0.3 * other])
    stain = rng.uniform(0, 3, (600, 1)) * shared
    vectors = centres[kinds] + stain + rng.normal(size=(600, 12)) * 0.15
    wanted = kinds == 0

    def precision(scores: np.ndarray) -> float:
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(wanted, scores))

    without = precision(similarity(vectors, centres[0]))
    against = precision(similarity(vectors, centres[0], centres[1]))
    assert against > without + 0.05


def test_legends_say_what_was_done(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    v = emb.vectors
    assert "Cosine to the query. " in similarity_map(emb, v[:1]).legend
    both = similarity_map(emb, positives=v[:2], negatives=v[-1:])
    assert "the nearest of 2 examples, less that to the counter-example. " in both.legend
    several = similarity_map(emb, positives=v[:1], negatives=v[-3:], measure="rank")
    assert "cosine to the query, less that to the nearest of 3 counter-ex" in several.legend
    white = similarity_map(emb, v[:1], measure="whitened")
    assert "Cosine after whitening to the query. Whitening, fitted on 240 vectors" in white.legend
    assert white.unit == "whitened cosine"
    with pytest.raises(ValueError, match="cosine, whitened, rank"):
        similarity_map(emb, v[:1], measure="euclid")  # type: ignore[arg-type]
    assert get_args(Measure) == ("cosine", "whitened", "rank")


# --- whitening ---


def stretched(n: int = 600, dim: int = 24, seed: int = 0) -> np.ndarray:
    """Vectors around one centre, that vary much along a few directions and hardly along most."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    return 6 * turn[0] + rng.normal(size=(n, dim)) * (0.93 ** np.arange(dim)) @ turn


def test_whitened_vectors_have_no_mean_and_no_wide_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    v = stretched()
    made = Whitening.fit(v)
    flat = (unit(v) - made.mean) @ made.axes
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-3)
    covariance = np.cov(flat.T, bias=True)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=2e-2)
    # The wide axes have variance 1, the narrow ones what the bound leaves them.
    assert np.diag(covariance).max() == pytest.approx(1, abs=1e-2)
    variance = np.linalg.eigvalsh(np.cov(unit(v).T, bias=True))
    expected = np.minimum(1, variance / variance.max() * module.CONDITION)
    np.testing.assert_allclose(np.sort(np.diag(covariance)), np.sort(expected), atol=1e-2)
    np.testing.assert_allclose(np.linalg.norm(made(v), axis=1), 1, atol=1e-5)


def test_zca_whitening_would_give_the_same_cosines() -> None:
    v = stretched(dim=12)
    made = Whitening.fit(v)
    axes = made.axes / np.linalg.norm(made.axes, axis=0)
    zca = unit((unit(v) - made.mean) @ made.axes @ axes.T)
    np.testing.assert_allclose(made(v) @ made(v[:3]).T, zca @ zca[:3].T, atol=1e-4)


def test_a_map_no_longer_crowds_once_it_is_whitened() -> None:
    v = stretched()
    plain = similarity(v, v[:1])
    white = Whitening.fit(v)
    whitened = similarity(white(v), white(v[:1]))
    assert plain.min() > 0.5
    assert whitened.std() > 1.5 * plain.std()
    assert abs(np.median(whitened)) < 0.2
    assert whitened[0] == pytest.approx(1, abs=1e-5)


def test_lengths_do_not_count() -> None:
    v = stretched(200)
    longer = v * np.random.default_rng(1).uniform(0.1, 50, (200, 1))
    a, b = Whitening.fit(v), Whitening.fit(longer)
    # An axis may point either way, which no cosine can tell.
    np.testing.assert_allclose(a(v) @ a(v).T, b(longer) @ b(longer).T, atol=1e-3)


@pytest.mark.parametrize("tokens", [False, True])
def test_whitened_maps_find_their_own_kind(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, tokens: bool
) -> None:
    emb = make_set(halves)
    place = tuple(emb.grid.centres([(5, 3)])[0])
    made = similarity_map(emb, place, tokens=tokens, measure="whitened")
    left, right = np.split(made.values, 2, axis=1)
    assert np.percentile(left, 2) > np.percentile(right, 98)
    assert made.at(*place) > 0.8
    # What was made before gives the same map.
    before = whiten_tokens(emb) if tokens else whiten(emb)
    again = similarity_map(emb, place, tokens=tokens, measure="whitened", whitened=before)
    np.testing.assert_array_equal(again.values, made.values)


@pytest.mark.parametrize("measure", get_args(Measure))
def test_negatives_with_every_measure(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, measure: Measure
) -> None:
    emb = make_set(halves)
    scores = shown(emb, positives=emb.vectors[:1], negatives=emb.vectors[-1:], measure=measure)
    is_left = emb.tiles[:, 1] < 10
    assert scores[is_left].min() > scores[~is_left].max()


def growing(tiles: int, key: str = "k") -> EmbeddingSet:
    from napari_scalescope.geometry import TileGrid

    v = stretched(400).astype(np.float32)[:tiles]
    grid = TileGrid(0.5, 64, 64, 20, 20, 0.25)
    where = grid.all_tiles()[:tiles]
    state = np.ones(grid.shape, np.uint8)
    return EmbeddingSet(v, where, grid, state, {"scalescope": {"key": key}})


def test_new_tiles_are_added_to_what_is_whitened(monkeypatch: pytest.MonkeyPatch) -> None:
    first = whiten(growing(100))
    grown = whiten(growing(180), first)
    assert grown.whitening is first.whitening
    assert len(grown.half) == 180
    np.testing.assert_array_equal(grown.half.rows[:100], first.half.rows)
    # Twice as many tiles are another set to be whitened on; so are those of another key.
    assert whiten(growing(200), first).whitening is not first.whitening
    assert whiten(growing(180, "other"), first).whitening is not first.whitening
    monkeypatch.setattr(module, "FIT_ON", 100)
    assert whiten(growing(400), first).whitening is first.whitening


def test_too_little_to_whiten() -> None:
    with pytest.raises(LookupError, match="two"):
        Whitening.fit(np.ones((1, 4)))
    # A map of one tile shows it as it is.
    made = similarity_map(growing(1), growing(1).vectors, measure="whitened")
    assert np.nanmax(made.values) == pytest.approx(1, abs=1e-5)
    same = Whitening.fit(np.ones((5, 4)))
    assert np.isfinite(same(np.ones((5, 4)))).all()


def test_texts_can_be_ranked(make_set: Callable[..., EmbeddingSet], halves: np.ndarray) -> None:
    emb = make_set(halves)
    made = text_map(emb, "left", emb.vectors[:1], lambda v: v, measure="rank")
    plain = text_map(emb, "left", emb.vectors[:1], lambda v: v)
    np.testing.assert_allclose(made.values, ranked(plain.values))
    ready = text_map(emb, "left", emb.vectors[:1], emb.half.mapped(lambda v: v, None))
    np.testing.assert_allclose(ready.values, plain.values, atol=1e-5)


def test_large_sets_are_compared_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    emb = growing(300)
    exact = shown(emb, query=emb.vectors[:2], measure="cosine")
    monkeypatch.setattr(half_module, "FEW", 0)
    rounded = shown(growing(300), query=emb.vectors[:2], measure="cosine")
    np.testing.assert_allclose(rounded, exact, atol=1e-3)
    assert (nearest(np.array([[0.2, 0.9, 0.5]]), 2) == np.float32(0.4)).all()
