"""Few dimensions instead of many, and nearest neighbours in them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.analysis import nearest, reduction
from napari_scalescope.analysis.nearest import Nearest, neighbours, some_of
from napari_scalescope.analysis.reduction import reduction as fit


@pytest.mark.parametrize(("n", "dim"), [(40, 12), (12, 40), (900, 300), (300, 900), (3, 600)])
def test_as_pca_of_scikit_learn(n: int, dim: int, rng: np.random.Generator) -> None:
    from sklearn.decomposition import PCA

    x = (rng.normal(size=(n, 8)) * (2.0 ** -np.arange(8))) @ rng.normal(size=(8, dim)) + 1
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    k = min(5, n - 1)
    peer = PCA(k).fit_transform(unit)
    ours = fit([x.astype(np.float32)], k)(x)
    for i in range(k):
        assert abs(np.corrcoef(ours[:, i], peer[:, i])[0, 1]) == pytest.approx(1, abs=1e-3)
        assert ours[:, i].std() == pytest.approx(peer[:, i].std(), rel=1e-2)


def test_same_data_same_axes_whatever_the_length_of_vectors(rng: np.random.Generator) -> None:
    x = rng.normal(size=(600, 300)).astype(np.float32) + 1
    one = fit([x], 10)
    np.testing.assert_array_equal(one(x), fit([x], 10)(x))
    longer = x * rng.uniform(0.5, 2, (600, 1)).astype(np.float32)
    np.testing.assert_allclose(np.abs(fit([longer], 3)(x)), np.abs(one(x)[:, :3]), atol=1e-3)


@pytest.mark.parametrize("dim", [8, 400])
def test_equal_vectors_have_no_axes(dim: int) -> None:
    x = np.ones((50, dim), np.float32)
    assert np.abs(fit([x], 4)(x)).max() < 1e-5


def test_pieces_make_no_difference(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = rng.normal(size=(100, 20)).astype(np.float32)
    whole = fit([x], 4)(x)
    monkeypatch.setattr(reduction, "PIECE", 7)
    np.testing.assert_allclose(fit([x[:60], x[60:]], 4)(x), whole, atol=1e-6)


def test_cells_find_nearly_all_neighbours(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    centres = rng.normal(size=(20, 10))
    points = (centres[rng.integers(0, 20, 3000)] + rng.normal(size=(3000, 10)) * 0.4).astype(
        np.float32
    )
    exact = Nearest(points).of(points[:500], 5)[0]
    monkeypatch.setattr(nearest, "EXACT", 600)
    monkeypatch.setattr(nearest, "CELL", 60)
    found, distance = Nearest(points).of(points[:500], 5)
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact, found, strict=True)]) > 0.95
    np.testing.assert_allclose(
        distance, np.linalg.norm(points[:500, None] - points[found], axis=2), atol=1e-3
    )
    np.testing.assert_array_equal(Nearest(points).of(points[:500], 5)[0], found)


def test_a_point_is_no_neighbour_of_its_own() -> None:
    points = np.zeros((6, 3), np.float32)  # all alike
    points[5] = 1
    index, distance = neighbours(points, 4)
    assert index.shape == (6, 4)
    assert not (index == np.arange(6)[:, None]).any()
    assert (distance[:5] == 0).all()
    assert all(len(set(row)) == 4 for row in index.tolist())


def test_landmarks_are_some_of_the_points() -> None:
    assert some_of(5, 9).tolist() == [0, 1, 2, 3, 4]
    some = some_of(1000, 50, 3)
    assert len(set(some.tolist())) == 50
    assert (np.diff(some) > 0).all()
    np.testing.assert_array_equal(some, some_of(1000, 50, 3))
