"""Examples, hits and outlines on maps whose answers are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.analysis import TileMap, area_above, find_hits, regions_above
from napari_scalescope.analysis.similarity import token_in, unit, vector_at, vector_in
from napari_scalescope.embeddings import EmbeddingSet
from napari_scalescope.geometry import Placement


def score_map(values: np.ndarray, cell: float = 10.0) -> TileMap:
    return TileMap("Similarity", values.astype(np.float32), Placement(5.0, 7.0, cell), "score")


# --- examples ---


def test_a_region_is_the_mean_of_its_tiles(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    f = emb.grid.footprint
    region = shapely.box(2.2 * f, 1.2 * f, 4.9 * f, 2.9 * f)  # holds the centres of 3 x 2 tiles
    tiles = emb.index_of([(r, c) for r in (1, 2) for c in (2, 3, 4)])
    expected = unit(unit(emb.vectors[tiles]).mean(0))
    np.testing.assert_allclose(vector_in(emb, region), expected, atol=1e-6)
    tiny = shapely.box(2.1 * f, 1.1 * f, 2.2 * f, 1.2 * f)
    np.testing.assert_array_equal(vector_in(emb, tiny), vector_at(emb, 2.15 * f, 1.15 * f))
    assert vector_in(emb, shapely.box(-90, -90, -80, -80)) is None


def test_a_region_is_the_mean_of_its_tokens(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray
) -> None:
    emb = make_set(halves)
    f, cell = emb.grid.footprint, emb.grid.footprint / 4
    # Columns 2 and 3 of the tokens of tile (1, 2), and column 0 of tile (1, 3); row 1.
    region = shapely.box(2 * f + 2 * cell, f + cell, 3 * f + cell, f + 2 * cell)
    left, right = (emb.part("patch_tokens", [t])[0].astype(np.float32) for t in ((1, 2), (1, 3)))
    expected = unit(unit(np.stack([left[1, 2], left[1, 3], right[1, 0]])).mean(0))
    found = token_in(emb, region)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert token_in(make_set(halves, parts=False), region) is None
    tiny = shapely.box(2.01 * f, 1.01 * f, 2.02 * f, 1.02 * f)
    assert token_in(emb, tiny) is not None


# --- hits ---


def test_hits_are_no_neighbours() -> None:
    values = np.zeros((20, 30))
    values[4:8, 4:8] = 0.8
    values[5, 6] = 1.0
    values[15, 20:26] = 0.9
    found = find_hits(score_map(values), 3, apart=80.0)
    assert [h.rank for h in found] == [1, 2, 3]
    assert [h.score for h in found] == pytest.approx([1.0, 0.9, 0.0])
    assert found[0].box.centre == (5 + 65, 7 + 55)
    assert found[1].box.centre == (5 + 205, 7 + 155)
    # Without a distance they are the best cells, whichever they are.
    assert [h.score for h in find_hits(score_map(values), 4)] == pytest.approx([1.0, 0.9, 0.9, 0.9])


def test_what_was_asked_about_is_no_hit() -> None:
    values = np.zeros((9, 9))
    values[4, 4], values[4, 5], values[0, 0] = 1.0, 0.9, 0.5
    place = (5 + 42.0, 7 + 48.0)
    first = find_hits(score_map(values), 1, leave_out=[place])[0]
    assert first.score == pytest.approx(0.9)
    far = find_hits(score_map(values), 1, apart=25.0, leave_out=[place, (-500.0, 9e6)])[0]
    assert far.score == pytest.approx(0.5)


def test_hits_end_where_nothing_is_known() -> None:
    values = np.full((4, 4), np.nan)
    values[1, 1] = 0.3
    assert len(find_hits(score_map(values), 5, side=40.0)) == 1
    assert find_hits(score_map(values), 5, side=40.0)[0].box == (5 + 15 - 20, 7 + 15 - 20, 40, 40)
    assert find_hits(score_map(values[:0]), 5) == []
    with pytest.raises(ValueError, match="scores"):
        find_hits(TileMap("c", values, Placement(0, 0, 1), "class"))


@given(st.integers(0, 10_000), st.floats(0, 60))
def test_hits_keep_their_distance_and_their_order(seed: int, apart: float) -> None:
    values = np.random.default_rng(seed).random((7, 11))
    found = find_hits(score_map(values), 77, apart=apart)
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == np.float32(values.max())
    centres = np.array([h.box.centre for h in found])
    gaps = np.linalg.norm(centres[:, None] - centres, axis=-1)[~np.eye(len(found), dtype=bool)]
    assert (gaps > apart - 1e-6).all()
    # None is left out that could be there: each cell is near one that scores at least as much.
    y, x = np.indices(values.shape)
    cells = np.stack([5 + (x + 0.5) * 10, 7 + (y + 0.5) * 10], -1).reshape(-1, 1, 2)
    near = np.linalg.norm(cells - centres, axis=-1) < max(apart, 1e-6)
    better = np.array(scores) >= values.astype(np.float32).reshape(-1, 1)
    assert (near & better).any(1).all()


# --- outlines ---


def test_outlines_of_what_is_above() -> None:
    values = np.zeros((6, 8))
    values[1:4, 1:4] = 0.9
    values[2, 2] = 0.1  # a hole
    values[4, 4] = 0.8  # touches at a corner only
    values[0, 7] = np.nan
    made = score_map(values)
    found = regions_above(made, 0.5, slide_mpp=2.0, label="Alike")
    assert [r.label for r in found] == ["Alike", "Alike"]
    assert [r.geometry.area for r in found] == [800, 100]
    assert len(found[0].geometry.interiors) == 1
    assert found[0].geometry.bounds == (15, 17, 45, 47)
    assert found[1].geometry.bounds == (45, 47, 55, 57)
    assert found[0].measurements["area mm²"] == pytest.approx(800 * 4e-6)
    assert found[0].measurements["Similarity"] == pytest.approx(0.9)
    assert area_above(made, 0.5, 2.0) == pytest.approx(900 * 4e-6)
    assert len(regions_above(made, 0.5, 2.0, smallest=2)) == 1
    assert len(regions_above(made, 0.95, 2.0)) == 0
    assert area_above(made, 0.95, 2.0) == 0


@given(st.integers(0, 10_000), st.floats(0.2, 0.9))
def test_outlines_hold_the_cells_above_and_no_others(seed: int, threshold: float) -> None:
    values = np.random.default_rng(seed).random((6, 7))
    made = score_map(values)
    found = regions_above(made, threshold, 0.5)
    every = shapely.union_all([r.geometry for r in found])
    y, x = np.indices(values.shape)
    inside = shapely.contains_xy(every, 5 + (x + 0.5) * 10, 7 + (y + 0.5) * 10)
    np.testing.assert_array_equal(inside, made.values >= threshold)
    total = sum(r.area_mm2(0.5) for r in found)
    assert total == pytest.approx(area_above(made, threshold, 0.5))
    assert total == pytest.approx(sum(r.measurements["area mm²"] for r in found))
