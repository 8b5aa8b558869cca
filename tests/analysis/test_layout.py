"""Tiles in the plane: placed, refined, aligned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_scalescope.analysis import Projection, lay_out, lay_out_aligned, same_place
from napari_scalescope.analysis import projection as module
from napari_scalescope.analysis.projection import fitted_to
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.errors import AnalysisError
from napari_scalescope.geometry import TileGrid

from .test_clustering import COARSE, FINE, a_set


def of_kinds(
    grid: TileGrid, kinds: int = 4, dim: int = 12, noise: float = 0.1, seed: int = 0, **of: str
) -> tuple[EmbeddingSet, np.ndarray]:
    """A set in stripes of so many kinds, and the kind of each tile."""
    width = grid.cols * grid.pitch
    kind = (grid.centres(grid.all_tiles())[:, 0] / width * kinds).astype(int)
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(kinds, dim))[kind] + rng.normal(size=(len(kind), dim)) * noise
    return a_set(grid, vectors, **of), kind


def some_of(emb: EmbeddingSet, some: np.ndarray) -> EmbeddingSet:
    return replace(emb, vectors=emb.vectors[some], tiles=emb.tiles[some])


def own_kind(xy: np.ndarray, kind: np.ndarray, among: np.ndarray, of: np.ndarray) -> float:
    """Share of points whose nearest among others is of their kind."""
    nearest = np.linalg.norm(xy[:, None] - among[None], axis=2).argmin(1)
    return float((of[nearest] == kind).mean())


@pytest.mark.parametrize("method", ["pca", "umap", "tsne"])
def test_new_tiles_land_among_their_kind_and_the_others_stay(method: str) -> None:
    emb, kind = of_kinds(FINE)
    old = np.arange(128) % 4 != 0
    made = lay_out(some_of(emb, old), method, seed=2)
    assert made.seed == 2
    assert made.method == method
    grown = made.with_more(emb)
    np.testing.assert_array_equal(grown.xy[old], made.xy)
    np.testing.assert_array_equal(grown.xy[~old], made.place(emb.vectors[~old]))
    assert own_kind(grown.xy[~old], kind[~old], made.xy, kind[old]) == 1
    assert len(grown.of) == 128
    if method != "pca":
        np.testing.assert_allclose(grown.xy[grown.at], made.xy[made.at])
        assert grown.with_more(emb).xy.shape == (128, 2)


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_many_are_placed_among_landmarks(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL_FROM", 100)
    monkeypatch.setattr(module, "LANDMARKS", {"umap": 60, "tsne": 60})
    emb, kind = of_kinds(FINE)
    made = lay_out(emb, method)
    assert len(made.at) == 60
    assert not made.complete
    rest = np.setdiff1d(np.arange(128), made.at)
    assert own_kind(made.xy[rest], kind[rest], made.xy[made.at], kind[made.at]) > 0.95
    np.testing.assert_array_equal(made.xy, lay_out(emb, method).xy)
    if method == "umap":
        refined = lay_out(emb, start=made, every=True)
        assert refined.complete
        assert refined.grown
        assert own_kind(refined.xy, kind, made.xy, kind) > 0.95  # each where it was


def test_what_is_placed_between_two_groups_joins_the_nearer() -> None:
    emb, kind = of_kinds(FINE, kinds=2)
    made = lay_out(emb)
    a, b = (emb.vectors[kind == i].mean(0) for i in (0, 1))
    ends = [made.xy[kind == i].mean(0) for i in (0, 1)]
    apart = np.linalg.norm(ends[0] - ends[1])
    for share, end in ((0.4, 0), (0.6, 1)):
        (xy,) = made.place((a * (1 - share) + b * share)[None])
        assert np.linalg.norm(xy - ends[end]) < 0.4 * apart


def test_scales_and_slides_are_put_into_one_map() -> None:
    fine, kind = of_kinds(FINE)
    coarse, own = of_kinds(COARSE)
    other, _ = of_kinds(FINE, slide="b", seed=0)
    made = lay_out([fine, coarse, other])
    assert made.sets == (fine, coarse, other)
    assert np.bincount(made.of).tolist() == [128, 32, 128]
    xy = [made.xy[made.of == i] for i in range(3)]
    assert own_kind(xy[1], own, xy[0], kind) == 1
    assert own_kind(xy[2], kind, xy[0], kind) == 1


def test_encoders_are_not_put_into_one_map() -> None:
    with pytest.raises(AnalysisError, match="no common space"):
        lay_out([of_kinds(FINE)[0], of_kinds(FINE, encoder="f")[0]])


def test_maps_of_two_encoders_are_aligned() -> None:
    one, kind = of_kinds(FINE, encoder="e")
    other, _ = of_kinds(FINE, dim=30, seed=5, encoder="f")
    a, b = lay_out_aligned([one, other])
    near = np.linalg.norm(a.xy - b.xy, axis=1).mean() / a.xy.std()
    alone = lay_out(other)
    assert near < 0.5 * np.linalg.norm(a.xy - alone.xy, axis=1).mean() / a.xy.std()
    assert own_kind(b.xy, kind, a.xy, kind) > 0.95
    np.testing.assert_array_equal(b.xy, lay_out_aligned([one, other])[1].xy)


def test_maps_without_common_tiles_are_not_aligned() -> None:
    one, other = of_kinds(FINE)[0], of_kinds(FINE, slide="b")[0]
    np.testing.assert_array_equal(lay_out_aligned([one, other])[1].xy, lay_out(other).xy)


def test_the_same_place_at_two_resolutions() -> None:
    fine, coarse = of_kinds(FINE)[0], of_kinds(COARSE)[0]
    match = same_place(fine, coarse)
    for i in (0, 17, 127):
        row, col = fine.tiles[i] // 2
        assert coarse.tiles[match[i]].tolist() == [row, col]
    assert (same_place(fine, of_kinds(COARSE, slide="b")[0]) == -1).all()
    hole = some_of(coarse, np.arange(1, 32))
    assert same_place(fine, hole)[0] == -1


def test_fitting_undoes_what_was_turned_mirrored_scaled_and_shifted(
    rng: np.random.Generator,
) -> None:
    xy = rng.normal(size=(50, 2)).astype(np.float32)
    turned = (xy @ np.array([[0.6, 0.8], [0.8, -0.6]]) * 3 + (5, -2)).astype(np.float32)
    np.testing.assert_allclose(fitted_to(turned, xy), xy, atol=1e-5)


def test_refining_keeps_the_map_where_it_is() -> None:
    emb, kind = of_kinds(FINE)
    made: Projection = lay_out(some_of(emb, np.arange(128) % 2 == 0))
    again = lay_out(emb, start=made)
    assert again.grown
    assert not made.grown
    placed = made.with_more(emb)
    assert own_kind(again.xy, kind, placed.xy, kind) > 0.9


def test_nothing_encoded() -> None:
    empty = EmbeddingSet(
        np.empty((0, 4), np.float32), np.empty((0, 2), np.int64), FINE,
        np.full(FINE.shape, TileState.NOT_YET, np.uint8),
    )  # fmt: skip
    with pytest.raises(LookupError):
        lay_out(empty)
