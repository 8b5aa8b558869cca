"""Measures on sets whose answer is known, and against libraries and plain formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group, skew

from napari_scalescope.analysis.measures import (
    MEASURES,
    effective_rank,
    hubness,
    linear_cka,
    nearest,
    neighbour_overlap,
    partition_agreement,
    rsa,
    uniformity,
)


def noise(n: int, d: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, d))


def blobs(n: int = 300, d: int = 16, k: int = 5, seed: int = 0) -> Any:
    dice = np.random.default_rng(seed)
    return dice.normal(size=(k, d))[np.arange(n) % k] * 6 + dice.normal(size=(n, d))


def turned(vectors: Any, seed: int = 0) -> Any:
    return vectors @ ortho_group.rvs(vectors.shape[1], random_state=seed)


PAIRED = {
    "cka": linear_cka,
    "plain cka": lambda a, b: linear_cka(a, b, debiased=False),
    "rsa": rsa,
    "neighbours": lambda a, b: float(neighbour_overlap(a, b).mean()),
    "ari": lambda a, b: partition_agreement(a, b, 5).ari,
    "ami": lambda a, b: partition_agreement(a, b, 5).ami,
}


@pytest.mark.parametrize("measure", PAIRED.values(), ids=PAIRED)
def test_a_set_agrees_with_itself_and_with_its_rotations(measure: Any) -> None:
    v = blobs()
    assert measure(v, v) == pytest.approx(1)
    assert measure(v, 3 * turned(v)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", ["cka", "rsa", "neighbours", "ari", "ami"])
def test_independent_and_permuted_sets_agree_by_chance(name: str) -> None:
    v = blobs()
    other = np.random.default_rng(1).permutation(v)
    chance = 10 / (len(v) - 1) if name == "neighbours" else 0.0
    assert PAIRED[name](v, other) == pytest.approx(chance, abs=0.06)
    assert PAIRED[name](noise(300, 16), noise(300, 16, 1)) == pytest.approx(chance, abs=0.06)


@pytest.mark.parametrize("measure", PAIRED.values(), ids=PAIRED)
def test_agreement_falls_with_noise(measure: Any) -> None:
    v = blobs()
    found = [measure(v, v + s * noise(*v.shape, seed=9)) for s in (0.0, 8.0, 80.0)]
    assert found[0] > found[1] > found[2]


def test_plain_cka_is_fooled_by_many_dimensions_and_debiased_is_not() -> None:
    a, b = noise(60, 500), noise(60, 500, 1)
    assert linear_cka(a, b, debiased=False) > 0.8
    assert abs(linear_cka(a, b)) < 0.1


@pytest.mark.parametrize("shape", [(40, 8), (20, 64)])
def test_cka_is_what_its_formula_says(shape: tuple[int, int]) -> None:
    a, b = noise(*shape) + 3, noise(shape[0], 12, 1)
    b[:, 0] += a[:, 0]
    n = len(a)
    centre = np.eye(n) - 1 / n
    k, el = centre @ a @ a.T @ centre, centre @ b @ b.T @ centre
    plain = (k * el).sum() / np.sqrt((k * k).sum() * (el * el).sum())
    assert linear_cka(a, b, debiased=False) == pytest.approx(plain)

    def hsic(k: Any, el: Any) -> float:
        k, el = k - np.diag(np.diag(k)), el - np.diag(np.diag(el))
        one = np.ones(n)
        return (
            np.trace(k @ el)
            + one @ k @ one * (one @ el @ one) / ((n - 1) * (n - 2))
            - 2 * (one @ k @ el @ one) / (n - 2)
        ) / (n * (n - 3))

    # Of Gram matrices as they are: the estimate centres by itself.
    k, el = a @ a.T, b @ b.T
    assert linear_cka(a, b) == pytest.approx(hsic(k, el) / np.sqrt(hsic(k, k) * hsic(el, el)))


def test_cka_of_sets_without_variation_is_unknown() -> None:
    assert np.isnan(linear_cka(np.ones((10, 3)), noise(10, 3)))


def test_rsa_of_a_sample_is_near_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    v = blobs(600)
    w = v + 2 * noise(*v.shape, seed=3)
    whole = rsa(v, w)
    monkeypatch.setattr("napari_scalescope.analysis.measures.alignment.RSA_TILES", 200)
    assert rsa(v, w) == pytest.approx(whole, abs=0.05)
    assert rsa(v, w) == rsa(v, w)


@settings(max_examples=30)
@given(n=st.integers(3, 40), k=st.integers(1, 10), seed=st.integers(0, 99))
def test_nearest_is_what_sorting_gives(n: int, k: int, seed: int) -> None:
    k = min(k, n - 1)
    v = noise(n, 5, seed).astype(np.float32)
    u = v / np.linalg.norm(v, axis=1, keepdims=True)
    cosine = u @ u.T
    np.fill_diagonal(cosine, -np.inf)
    found = nearest(v, k)
    best = np.sort(cosine, axis=1)[:, ::-1][:, :k]
    np.testing.assert_allclose(np.take_along_axis(cosine, found, 1), best, atol=1e-6)
    np.testing.assert_array_equal(nearest(v, k, rows=[n - 1, 0]), found[[n - 1, 0]])
    some = np.arange(0, n, 2)
    if len(some) > 1:
        cosine[:, 1::2] = -np.inf
        np.testing.assert_array_equal(nearest(v, 1, among=some)[:, 0], cosine.argmax(1))


def test_nearest_agrees_with_scikit_learn() -> None:
    from sklearn.neighbors import NearestNeighbors

    v = blobs(200)
    model = NearestNeighbors(n_neighbors=7, metric="cosine").fit(v)
    np.testing.assert_array_equal(nearest(v, 7), model.kneighbors(return_distance=False))


def test_neighbour_overlap_counts_what_is_shared() -> None:
    line = np.array([[1, 0.0], [1, 0.1], [1, 0.2], [1, 5.0], [1, 6.0]])
    other = line[[0, 1, 3, 2, 4]]  # the third and the fourth tile change places
    # Tile 0 has neighbours {1, 2}, then {1, 3}: one of two.
    assert neighbour_overlap(line, other, 2, rows=[0]) == pytest.approx([0.5])


@pytest.mark.parametrize("call", [lambda a, b: linear_cka(a, b), rsa, neighbour_overlap,
                                  partition_agreement])  # fmt: skip
def test_sets_of_different_tiles_are_refused(call: Any) -> None:
    with pytest.raises(ValueError, match="same tiles"):
        call(noise(20, 3), noise(21, 3))


@pytest.mark.parametrize("k", [0, 5])
def test_neighbours_there_are_none_of_are_refused(k: int) -> None:
    with pytest.raises(ValueError, match="neighbours"):
        nearest(noise(5, 3), k)


@pytest.mark.parametrize(
    ("vectors", "rank"),
    [
        (np.concatenate([np.eye(6), -np.eye(6)]), 6),
        (np.arange(10.0)[:, None] * [[1, 2, 3, 4]], 1),
        (np.concatenate([np.eye(3), -np.eye(3)]) @ np.eye(3, 50), 3),
    ],
)
def test_effective_rank(vectors: Any, rank: float) -> None:
    assert effective_rank(vectors) == pytest.approx(rank)
    assert effective_rank(turned(vectors) + 7) == pytest.approx(rank, rel=1e-3)


def test_effective_rank_of_one_point_is_unknown() -> None:
    assert np.isnan(effective_rank(np.ones((5, 3))))


def test_one_hub_is_seen() -> None:
    ring = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    even = np.stack([np.cos(ring), np.sin(ring)], 1)
    assert hubness(even, 4) == 0
    dice = noise(300, 20)
    counts = np.bincount(nearest(dice, 5).ravel(), minlength=300)
    assert hubness(dice, 5) == pytest.approx(skew(counts))
    # Each on an axis of its own: nothing in common but the tile that has some of all.
    lonely = np.concatenate([np.eye(40), np.full((1, 40), 1.0)])
    assert hubness(lonely + 1e-3 * noise(41, 40), 1) > 3


def test_uniformity_is_that_of_its_pairs() -> None:
    assert uniformity(np.ones((6, 3)) * np.arange(1, 7)[:, None]) == pytest.approx(0, abs=1e-5)
    assert uniformity([[1.0, 0], [-1.0, 0]]) == pytest.approx(-8, abs=1e-5)
    v = noise(30, 5)
    u = v / np.linalg.norm(v, axis=1, keepdims=True)
    squared = ((u[:, None] - u[None]) ** 2).sum(-1)[~np.eye(30, dtype=bool)]
    assert uniformity(v) == pytest.approx(np.log(np.exp(-2 * squared).mean()), abs=1e-5)
    assert uniformity(noise(400, 300)) == pytest.approx(-4, abs=0.1)


def test_every_measure_says_what_it_is() -> None:
    for measure in MEASURES.values():
        assert measure.meaning.endswith(".")
        assert measure.low < measure.high
        assert measure.source in measure.tooltip
