"""Cosines of many vectors in half precision: the same as those in double precision, nearly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.embeddings import half as module
from napari_scalescope.embeddings.half import HalfVectors, measure, pieces, unit
from napari_scalescope.embeddings.half_at_hand import HalfAtHand


def crowded(n: int = 400, dim: int = 96, length: float = 30.0, seed: int = 0) -> np.ndarray:
    """Vectors as encoders make them: all near one direction, cosines between 0.7 and 1."""
    rng = np.random.default_rng(seed)
    made = rng.normal(size=dim) * 1.8 + rng.normal(size=(n, dim))
    return (made / np.linalg.norm(made, axis=1).mean() * length).astype(np.float16)


def exact(rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
    a, b = (v.astype(np.float64) for v in (rows, directions))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    return a @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


@pytest.mark.parametrize("few", [0, 1 << 22])
@pytest.mark.parametrize("length", [1e-3, 1.0, 30.0, 20_000.0])
def test_cosines(few: int, length: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", few)
    rows = crowded(length=length)
    rng = np.random.default_rng(1)
    for directions in (rows[:3], rng.normal(size=(4, 96)), -rows[:1]):
        found = HalfVectors.measured(rows).cosines(directions)
        assert found.shape == (400, len(directions))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact(rows, directions), atol=2e-4 if few == 0 else 1e-6)
    # Where they crowd, which is where it matters, it is better by far than what 11 bits hold.
    if few == 0 and length >= 1:
        near = HalfVectors.measured(rows).cosines(rows[:1])[:, 0]
        assert np.abs(near - exact(rows, rows[:1])[:, 0]).max() < 5e-5


@pytest.mark.parametrize("few", [0, 1 << 22])
def test_vectors_of_no_length_and_unknown_ones(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW", few)
    rows = crowded(20)
    rows[3], rows[5] = 0, np.nan
    found = HalfVectors.measured(rows).cosines(rows[:1])[:, 0]
    assert found[3] == 0
    assert np.isnan(found).nonzero()[0].tolist() == [5]
    assert found[0] == pytest.approx(1, abs=1e-3)
    assert (HalfVectors.measured(rows).cosines(np.zeros(96)) == 0)[~np.isnan(found)].all()


@given(st.integers(0, 7), st.integers(1, 6))
def test_tiles_in_any_order_and_a_few_at_a_time(seed: int, step: int) -> None:
    rng = np.random.default_rng(seed)
    tiles = np.argwhere(np.ones((5, 6))).astype(np.int64)
    rows = crowded(30, 16, seed=seed)
    table = HalfAtHand((5, 6))
    arrival = rng.permutation(30)
    seen: list[int] = []
    read: list[int] = []

    def stored(new: np.ndarray) -> np.ndarray:
        read.append(len(new))
        return rows[new[:, 0] * 6 + new[:, 1]]

    for i in range(0, 30, step):
        batch = arrival[i : i + step]
        table.replace(tiles[batch], rows[batch])  # as encoding does; nobody asked at first
        seen += batch.tolist()
        half = table.of(tiles[sorted(seen)], stored)
        assert len(half) == len(seen)
        expected = exact(rows[sorted(seen)], rows[:2])
        np.testing.assert_allclose(half.cosines(rows[:2]), expected, atol=1e-5)
        np.testing.assert_array_equal(half.take([0]), rows[[min(seen)]].astype(np.float32))
    assert read == [min(step, 30)]  # what was encoded since is not read again
    # A tile that is encoded again has its new vector, and what is known of it is of the new one.
    table.replace(tiles[[7]], rows[[8]] * 2)
    half = table.of(tiles, stored)
    np.testing.assert_allclose(half.cosines(rows[[8]])[7], 1, atol=1e-3)
    np.testing.assert_allclose(half.lengths, measure(half.rows, half.centre)[0], rtol=1e-5)


def test_nothing_at_all() -> None:
    table = HalfAtHand((3, 3))
    none = table.of(np.empty((0, 2), np.int64), lambda _: np.empty((0, 4), np.float16))
    assert none.cosines(np.ones(4)).shape == (0, 1)


def test_what_becomes_of_them_elsewhere_is_added_to() -> None:
    rows, turn = crowded(40), np.linalg.qr(np.random.default_rng(0).normal(size=(96, 8)))[0]
    asked: list[int] = []

    def space(v: np.ndarray) -> np.ndarray:
        asked.append(len(v))
        np.testing.assert_allclose(np.linalg.norm(v, axis=1), 1, atol=1e-5)
        return v @ turn

    first = HalfVectors.measured(rows[:30]).mapped(space, None)
    asked.clear()
    both = HalfVectors.measured(rows).mapped(space, first)
    assert sum(asked) == 10 + 1
    query = rows[:1].astype(np.float32) @ turn
    np.testing.assert_allclose(both.cosines(query), exact(rows @ turn, query), atol=1e-3)


def test_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 200)
    rows = crowded(11, 96)
    assert [s.start for s in pieces(rows)] == list(range(0, 11, 2))
    np.testing.assert_allclose(
        HalfVectors.of(rows).cosines(rows[:1]), exact(rows, rows[:1]), atol=1e-4
    )
    np.testing.assert_allclose(
        unit(rows), rows / np.linalg.norm(rows.astype(float), axis=1)[:, None], atol=1e-4
    )
