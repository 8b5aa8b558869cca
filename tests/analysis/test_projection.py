from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_scalescope.analysis import project
from napari_scalescope.embeddings import EmbeddingSet


def separation(xy: np.ndarray, labels: np.ndarray) -> float:
    """Distance between the classes' centres in units of their spread."""
    a, b = xy[labels == 0], xy[labels == 1]
    return float(np.linalg.norm(a.mean(0) - b.mean(0)) / (a.std(0).max() + b.std(0).max()))


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_classes_come_apart_and_the_same_input_gives_the_same_map(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, method: str
) -> None:
    emb = make_set(halves)
    xy = project(emb, method, seed=3)
    assert xy.shape == (240, 2)
    assert xy.dtype == np.float32
    labels = halves[emb.tiles[:, 0], emb.tiles[:, 1]]
    assert separation(xy, labels) > 2
    np.testing.assert_array_equal(xy, project(emb, method, seed=3))


def test_a_handful_of_tiles_is_shown_by_pca(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves[:2, 8:12])
    np.testing.assert_array_equal(project(emb, "umap"), project(emb, "pca"))
    assert project(np.empty((0, 7), np.float32)).shape == (0, 2)
