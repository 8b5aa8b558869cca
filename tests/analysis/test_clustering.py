from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from napari_scalescope.analysis import Clusters, cluster, suggest_k
from napari_scalescope.analysis.clustering import methods as module
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.errors import AnalysisError
from napari_scalescope.geometry import TileGrid


@pytest.fixture
def thirds() -> np.ndarray:
    classes = np.zeros((12, 20), int)
    classes[:, 10:] = 1
    classes[:4, 16:] = 2
    return classes


@pytest.mark.parametrize("mini", [False, True])
def test_clusters_are_the_classes(
    make_set: Callable[..., EmbeddingSet],
    thirds: np.ndarray,
    mini: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.metrics import adjusted_rand_score

    if mini:
        monkeypatch.setattr(module, "MINI_BATCH_FROM", 10)
    emb = make_set(thirds)
    found = cluster(emb, 3)
    truth = thirds[emb.tiles[:, 0], emb.tiles[:, 1]]
    assert adjusted_rand_score(truth, found.labels) == 1.0
    assert found.sizes.tolist() == [120, 104, 16]  # the largest first
    assert found.areas_mm2 == pytest.approx(found.sizes * 0.032**2)
    assert (truth[found.representatives] == [0, 1, 2]).all()
    np.testing.assert_array_equal(cluster(emb, 3).labels, found.labels)


def test_map_and_regions(make_set: Callable[..., EmbeddingSet], thirds: np.ndarray) -> None:
    emb = make_set(thirds, missing=((0, 0),))
    found = cluster(emb, 3)
    made = found.map()
    assert made.kind == "class"
    assert made.values[0, 0] == 0
    assert made.at(10, 10) is None
    assert made.at(200, 200) == 1
    assert [c.name for c in made.classes] == ["Cluster 1", "Cluster 2", "Cluster 3"]
    regions = found.regions()
    assert regions.counts() == {"Cluster 1": 1, "Cluster 2": 1, "Cluster 3": 1}
    area = sum(r.geometry.area for r in regions)
    assert area == pytest.approx(239 * emb.grid.pitch**2)


def test_more_groups_than_tiles_or_than_distinct_tiles(
    make_set: Callable[..., EmbeddingSet], thirds: np.ndarray
) -> None:
    assert cluster(make_set(thirds[:1, :5]), 8).k == 5
    same = make_set(np.zeros((4, 4), int), noise=0.0)
    assert cluster(same, 3).k == 1


def test_equal_tiles_at_the_start_do_not_cost_groups(
    make_set: Callable[..., EmbeddingSet],
) -> None:
    classes = np.repeat([0, 1, 2, 3], 200).reshape(20, 40)
    emb = make_set(classes, noise=0.01)
    emb.vectors[:400] = emb.vectors[0]  # glass, as at the upper edge of most slides
    found = cluster(emb, 3)
    assert found.k == 3
    assert found.sizes.tolist() == [400, 200, 200]


def test_nonsense(make_set: Callable[..., EmbeddingSet], thirds: np.ndarray) -> None:
    for k in (0, 256):
        with pytest.raises(ValueError, match="between 1 and 255"):
            cluster(make_set(thirds), k)
    with pytest.raises(LookupError):
        cluster(make_set(np.zeros((1, 1), int), missing=((0, 0),)), 2)


@pytest.mark.parametrize("method", ["hdbscan", "leiden"])
@pytest.mark.parametrize("few", [False, True])
def test_other_methods_find_the_classes_and_their_number(
    make_set: Callable[..., EmbeddingSet],
    thirds: np.ndarray,
    method: str,
    few: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where only some of the tiles are grouped, and the others go with them."""
    from sklearn.metrics import adjusted_rand_score

    if few:
        monkeypatch.setattr(module, "HDBSCAN_POINTS", 150)
        monkeypatch.setattr(module, "LEIDEN_POINTS", 150)
        monkeypatch.setattr(module, "NEIGHBOURS", 6)
    emb = make_set(thirds)
    truth = thirds[emb.tiles[:, 0], emb.tiles[:, 1]]
    found = cluster(emb, method=method, resolution=0.2)
    known = found.labels > 0
    assert known.mean() > 0.9
    assert adjusted_rand_score(truth[known], found.labels[known]) > 0.99
    assert found.k == 3
    np.testing.assert_array_equal(cluster(emb, method=method, resolution=0.2).labels, found.labels)


def test_what_is_between_the_groups_stays_clear(make_set: Callable[..., EmbeddingSet]) -> None:
    emb = make_set(np.repeat([0, 1], 120).reshape(12, 20))
    emb.vectors[::24] = np.random.default_rng(5).normal(size=(10, 16)) * 3
    found = cluster(emb, method="hdbscan")
    assert found.k == 2
    assert (found.labels[::24] == 0).mean() > 0.5
    assert np.isinf(found.closeness[found.labels == 0]).all()
    made = found.map()
    assert (made.values == 0).sum() == (found.labels == 0).sum()
    assert "belong to no group and stay clear" in made.legend


def test_leiden_without_igraph_says_how_to_get_it(
    make_set: Callable[..., EmbeddingSet], thirds: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(AnalysisError, match=r"napari-scalescope\[leiden\]"):
        cluster(make_set(thirds), method="leiden")


def test_leiden_leaves_the_random_numbers_of_others_alone(
    make_set: Callable[..., EmbeddingSet], thirds: np.ndarray
) -> None:
    import random

    random.seed(3)
    before = random.getstate()
    cluster(make_set(thirds), method="leiden", seed=7)
    assert random.getstate() == before


@pytest.mark.parametrize("k", [3, 5])
def test_the_number_of_groups_is_suggested(make_set: Callable[..., EmbeddingSet], k: int) -> None:
    emb = make_set(np.arange(400).reshape(20, 20) % k, noise=0.3)
    advice = suggest_k(emb, range(2, 9))
    assert advice.k == k
    assert list(advice.agreement) == list(range(2, 9))
    assert advice.agreement[k] > 0.95
    found = cluster(emb, "suggest")
    assert found.k == k
    assert "suggested" in found.map().legend


def test_nothing_is_suggested_of_noise_or_too_few(
    make_set: Callable[..., EmbeddingSet], rng: np.random.Generator
) -> None:
    emb = make_set(np.zeros((20, 20), int), noise=1.0)
    assert max(suggest_k(emb).agreement.values()) < 0.3
    few = make_set(np.zeros((1, 9), int))
    assert suggest_k(few).k == 1
    assert cluster(few, "suggest").k == 1


# --- several sets ---


def a_set(
    grid: TileGrid, vectors: np.ndarray, slide: str = "a", encoder: str = "e"
) -> EmbeddingSet:
    key = f"{slide} {encoder} {grid}"
    return EmbeddingSet(
        vectors.astype(np.float32), grid.all_tiles(), grid,
        np.full(grid.shape, TileState.ENCODED, np.uint8),
        {"slide": {"fingerprint": slide}, "encoder": {"encoder": encoder},
         "scalescope": {"key": key}},
    )  # fmt: skip


def two_kinds(grid: TileGrid, border: float, **of: str) -> EmbeddingSet:
    """Tiles left of a border (level-0 px) are of one kind, the others of another."""
    right = grid.centres(grid.all_tiles())[:, 0] > border
    noise = np.random.default_rng(grid.rows).normal(size=(len(right), 8)) * 0.05
    return a_set(grid, np.eye(8)[right.astype(int)] + noise, **of)


FINE, COARSE = TileGrid(0.5, 64, 64, 8, 16, 0.25), TileGrid(1.0, 64, 64, 4, 8, 0.25)


def test_scales_of_a_slide_are_grouped_together() -> None:
    fine, coarse = two_kinds(FINE, 1024), two_kinds(COARSE, 1024)
    found = cluster([fine, coarse], 2)
    assert len(found.labels) == len(fine) + len(coarse)
    assert found.of.tolist() == [0] * 128 + [1] * 32
    left = found.map(fine).at(100, 100)
    assert left is not None
    assert found.map(fine).values.shape == (8, 16)
    assert found.map(coarse).values.shape == (4, 8)
    assert found.map(coarse).at(100, 100) == left
    assert found.map(coarse).at(1900, 100) == found.map(fine).at(1900, 100) == 3 - left
    assert "160 tiles at 0.5 and 1 µm/px together" in found.map(coarse).legend
    # Both scales see the same tissue: it counts once.
    half = (1024 * 0.25 / 1000) ** 2
    assert found.areas_mm2 == pytest.approx([half, half])
    with pytest.raises(LookupError):
        found.map(two_kinds(FINE, 500, slide="b"))


def test_areas_of_scales_that_disagree_are_united() -> None:
    found = cluster([two_kinds(FINE, 1024), two_kinds(COARSE, 768)], 2)
    right = found.map().at(1900, 100)
    assert right is not None
    areas = found.areas_mm2 * 1e6 / 0.25**2 / 1024  # as widths in level-0 pixels
    assert areas[right - 1] == pytest.approx(2048 - 768)
    assert areas[2 - right] == pytest.approx(1024)


def test_slides_add_up() -> None:
    found = cluster([two_kinds(FINE, 1024), two_kinds(FINE, 1024, slide="b")], 2)
    assert found.areas_mm2 == pytest.approx([2 * (1024 * 0.25 / 1000) ** 2] * 2)
    assert "on 2 slides" in found.map().legend


@pytest.mark.parametrize(("stride", "side"), [(32, 32), (64, 64), (100, 64)])
def test_overlaps_count_once_and_gaps_not_at_all(
    make_set: Callable[..., EmbeddingSet], halves: np.ndarray, stride: int, side: int
) -> None:
    found = cluster(make_set(halves, stride_px=stride), 2)
    assert found.areas_mm2 == pytest.approx([120 * (side * 0.5 / 1000) ** 2] * 2)


def test_encoders_are_not_mixed() -> None:
    with pytest.raises(AnalysisError, match="no common space"):
        cluster([two_kinds(FINE, 1024), two_kinds(FINE, 1024, encoder="f")], 2)


def test_a_table_says_what_there_is() -> None:
    fine, coarse = two_kinds(FINE, 512), two_kinds(COARSE, 512)
    found = cluster([fine, coarse], 2)
    big, small = found.table()
    assert (big.tiles, small.tiles) == (120, 40)
    assert big.share == 0.75
    assert small.area_mm2 == pytest.approx(512 * 1024 * 0.25**2 / 1e6)
    assert (big.name, big.colour) == (found.names[0], found.colours[0])
    for row in (big, small):
        assert row.box == row.emb.grid.box(*row.tile)
        assert found.map(row.emb).values[row.tile] == row.label
    best = found.typical(small.label, 3)
    assert len(best) == 3
    assert (np.diff(found.closeness[best]) <= 0).all()
    assert found.closeness[best[0]] == found.closeness[found.labels == small.label].max()


def test_tiles_that_came_later_are_in_no_cluster_yet() -> None:
    later = two_kinds(FINE, 1024)
    some = np.arange(0, 128, 2)
    earlier = replace(later, vectors=later.vectors[some], tiles=later.tiles[some])
    found: Clusters = cluster(earlier, 2)
    assert found.has(later)
    labels = found.labels_of(later)
    np.testing.assert_array_equal(labels[some], found.labels)
    assert (labels[1::2] == 0).all()
