from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_scalescope.aggregators import AttentionPooling, Scorer, softmax
from napari_scalescope.aggregators.steps import Linear
from napari_scalescope.analysis import attention_entropy, mil_attention, mil_attention_map
from napari_scalescope.embeddings import EmbeddingSet
from napari_scalescope.errors import EncoderError


@dataclass
class Own:
    """The least an aggregator is: it reads its attention off the first numbers of a vector."""

    dim: int = 16
    branches: tuple[str, ...] = ("class 0", "class 1")
    name: str = "Mine"

    def attention(self, vectors: np.ndarray) -> np.ndarray:
        return vectors[:, : len(self.branches)]


def gated(dim: int, rng: np.random.Generator) -> AttentionPooling:
    def linear(a: int, b: int) -> Linear:
        weight = rng.normal(size=(b, a)) / a**0.5
        return Linear(weight.astype(np.float32), rng.normal(size=b).astype(np.float32))

    scorer = Scorer(linear(dim, 8), linear(dim, 8), linear(8, 1))
    return AttentionPooling("gated", dim, ("attention",), (), (scorer,))


def test_each_tile_in_units_of_an_even_share(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves, missing=((0, 0),))
    made = mil_attention_map(emb, Own(), 1)
    assert np.isnan(made.values[0, 0])
    expected = np.exp(emb.vectors[:, 1].astype(float))
    expected *= len(emb) / expected.sum()
    np.testing.assert_allclose(emb.raster(expected)[1:], made.values[1:], rtol=1e-5)
    assert np.nanmean(made.values) == pytest.approx(1)
    assert (made.kind, made.unit, made.name) == ("score", "× uniform", "MIL attention (class 1)")
    entropy = attention_entropy(mil_attention(emb, Own(), 1))
    assert made.legend.startswith("Mine, class 1: softmax over the 239 encoded tiles; 1 is an even")
    assert f"Entropy {entropy.nats:.2f} nats, {entropy.share:.0%} of an even spread" in made.legend


def test_ranks(make_set: Callable[..., EmbeddingSet], halves: np.ndarray) -> None:
    emb = make_set(halves)
    emb.vectors[:4] = -9  # four tiles that share the last place
    made = mil_attention_map(emb, Own(), normalise="rank")
    assert made.unit == "percentile"
    assert made.values.max() == 100
    np.testing.assert_allclose(made.values[0, :4], 2.5 / 240 * 100, rtol=1e-6)
    by_share = mil_attention_map(emb, Own()).values.ravel()
    assert (np.diff(made.values.ravel()[by_share.argsort()]) >= 0).all()


def test_the_mean_of_branches(make_set: Callable[..., EmbeddingSet], halves: np.ndarray) -> None:
    emb = make_set(halves)
    both = np.stack([mil_attention(emb, Own(), i) for i in (0, 1)])
    np.testing.assert_allclose(mil_attention(emb, Own(), "mean"), both.mean(0))
    assert mil_attention_map(emb, Own(), "mean").name == "MIL attention (mean of 2)"
    one = mil_attention_map(emb, Own(branches=("attention",)))
    assert one.name == "MIL attention"


def test_one_tile_has_it_all(make_set: Callable[..., EmbeddingSet]) -> None:
    made = mil_attention_map(make_set(np.zeros((1, 1), int)), Own())
    assert made.values == 1
    assert "over 1 tile;" in made.legend
    assert "Entropy 0.00 nats, 100% of" in made.legend


def test_what_cannot_be_laid_over_the_slide(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    known = replace(emb, provenance={"encoder": {"name": "Hibou-B"}})
    with pytest.raises(EncoderError, match="Mine was trained on 8-d vectors, those of Hibou-B ha"):
        mil_attention_map(known, Own(dim=8))
    with pytest.raises(EncoderError, match="those of the encoder have 16"):
        mil_attention_map(emb, Own(dim=8))
    for branch in (2, -1):
        with pytest.raises(IndexError, match="2 branches"):
            mil_attention(emb, Own(), branch)
    none = replace(emb, vectors=emb.vectors[:0], tiles=emb.tiles[:0])
    with pytest.raises(LookupError, match="nothing is encoded"):
        mil_attention(none, Own())
    emb.vectors[3, 0] = np.inf
    with pytest.raises(EncoderError, match="no number for 1 of 240 tiles"):
        mil_attention(emb, Own())


WEIGHTS = arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.floats(0, 1e6, allow_subnormal=False),
).filter(lambda w: w.sum() > 0)


@given(WEIGHTS)
def test_entropy_has_bounds_and_no_order_or_scale(weights: np.ndarray) -> None:
    nats, share = attention_entropy(weights)
    assert 0 <= nats <= np.log(len(weights)) + 1e-9
    assert 0 <= share <= 1
    assert attention_entropy(weights[::-1] * 3).nats == pytest.approx(nats, abs=1e-9)


def test_entropy_at_its_ends() -> None:
    assert attention_entropy(np.ones(1000)).nats == pytest.approx(np.log(1000))
    assert attention_entropy(np.ones(1000)).share == pytest.approx(1)
    assert attention_entropy([0, 5, 0]) == (0, 0)
    assert attention_entropy([1]) == (0, 1)
    assert attention_entropy([0.5, 0.5, 0, 0]).share == pytest.approx(0.5)
    for nonsense in ([], [0, 0], [-1, 2], [np.nan], [np.inf, 1]):
        with pytest.raises(ValueError, match="not negative"):
            attention_entropy(nonsense)


@given(st.integers(1, 60), st.floats(1e-3, 1e4), st.integers(0, 2**31))
def test_attention_follows_the_tiles_and_sums_to_one(n: int, size: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(n, 12)) * size).astype(np.float32)
    head = gated(12, rng)
    order = rng.permutation(n)
    weights = softmax(head.attention(vectors))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(0), 1)
    shuffled = softmax(head.attention(vectors[order]))
    np.testing.assert_allclose(shuffled, weights[order], rtol=1e-4, atol=1e-12)


def test_scores_of_any_size_stay_numbers() -> None:
    scores = np.array([[1e30], [-1e30], [1e30]], np.float32)
    np.testing.assert_array_equal(softmax(scores), [[0.5], [0], [0.5]])


def test_many_tiles_take_little_memory(rng: np.random.Generator) -> None:
    vectors = np.zeros((60_000, 512), np.float16)  # 61 MB, 123 MB as float32
    head = gated(512, rng)
    tracemalloc.start()
    head.attention(vectors)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25e6
