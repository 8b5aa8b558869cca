from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_scalescope.analysis import (
    TileMap,
    attention_map,
    pca_map,
    similarity,
    similarity_map,
    text_map,
)
from napari_scalescope.analysis.similarity import token_at, vector_at
from napari_scalescope.embeddings import EmbeddingSet, embedding_set


def test_cosine_to_the_nearest_positive_less_that_to_the_nearest_negative() -> None:
    vectors = np.array([[1, 0], [0, 2], [3, 3], [0, 0]], float)
    np.testing.assert_allclose(similarity(vectors, [1, 0]), [1, 0, np.sqrt(0.5), 0], atol=1e-6)
    np.testing.assert_allclose(
        similarity(vectors, [[1, 0], [0, 1]]), [1, 1, np.sqrt(0.5), 0], atol=1e-6
    )
    np.testing.assert_allclose(similarity(vectors, [1, 0], [0, 5])[:2], [1, -1], atol=1e-6)


@pytest.mark.parametrize("tokens", [False, True])
def test_a_click_finds_its_own_kind(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, tokens: bool
) -> None:
    emb = make_set(halves)
    place = tuple(emb.grid.centres([(5, 3)])[0])
    made = similarity_map(emb, place, tokens=tokens)
    left, right = np.split(made.values, 2, axis=1)
    assert left.min() > right.max()
    assert made.at(*place) == pytest.approx(1.0, abs=2e-2)
    assert made.limits[0] < made.limits[1] <= 1.0001
    assert made.unit == "cosine"


def test_vectors_positives_and_negatives(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    left, right = emb.vectors[0], emb.vectors[-1]
    made = similarity_map(emb, positives=left[None], negatives=right[None])
    assert made.unit == "cosine difference"
    assert made.values[:, :10].min() > 0 > made.values[:, 10:].max()
    with pytest.raises(ValueError, match="needs a query"):
        similarity_map(emb)


def test_places_that_are_not_encoded(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves, missing=((5, 3),))
    place = tuple(emb.grid.centres([(5, 3)])[0])
    assert vector_at(emb, *place) is None
    assert vector_at(emb, -1e6, 0) is None
    assert token_at(emb, -1e6, 0) is None
    with pytest.raises(LookupError, match="not encoded"):
        similarity_map(emb, place)
    made = similarity_map(emb, tuple(emb.grid.centres([(0, 0)])[0]))
    assert np.isnan(made.values[5, 3])
    assert made.at(*place) is None


def test_the_token_under_the_point(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    lattice = emb.part("patch_tokens", [(2, 3)])[0].astype(np.float32)
    box = emb.grid.box(2, 3)
    for row, col in ((0, 0), (3, 1), (3, 3)):
        x = box.x + (col + 0.5) / 4 * box.w
        y = box.y + (row + 0.5) / 4 * box.h
        np.testing.assert_array_equal(token_at(emb, x, y), lattice[row, col])


@pytest.mark.parametrize("make", [similarity_map, attention_map, pca_map])
def test_a_map_of_tokens_is_the_same_however_it_is_read(
    make_set: Callable[..., EmbeddingSet],
    halves: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[..., TileMap],
) -> None:
    emb = make_set(halves, noise=0.0)
    options: dict[str, Any] = {} if make is attention_map else {"tokens": True}
    if make is similarity_map:
        options["query"] = tuple(emb.grid.centres([(5, 3)])[0])
    whole = make(emb, **options)
    monkeypatch.setattr(embedding_set, "PIECE_BYTES", 5000)
    np.testing.assert_allclose(make(emb, **options).values, whole.values, atol=1e-5)


def test_a_text_is_compared_where_texts_are(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(16, 16)))[0][:, :8]
    vector = (emb.vectors[0] @ turn).astype(np.float32)
    made = text_map(emb, "left half", vector, lambda v: v @ turn)
    left, right = np.split(made.values, 2, axis=1)
    assert left.min() > right.max()
    np.testing.assert_allclose(
        made.values[emb.tiles[:, 0], emb.tiles[:, 1]],
        similarity(emb.vectors @ turn, vector),
        atol=1e-6,
    )
    assert made.name == "“left half”"
    assert "text “left half”" in made.legend
    assert "0 to 0.4" in made.legend
    assert made.unit == "cosine to the text"
