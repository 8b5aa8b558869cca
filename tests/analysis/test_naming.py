"""Clusters that are found again keep their names and colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scalescope.analysis import Clusters, Known, as_known, keep_names
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.geometry import TileGrid
from napari_scalescope.regions import palette


def clusters(raster: np.ndarray, names: list[str] | None = None, mpp: float = 0.5) -> Clusters:
    """Clusters as a raster of labels from 1, 0 for tiles that are not encoded."""
    grid = TileGrid(mpp, 64, 64, *raster.shape, 0.25)
    tiles = np.argwhere(raster > 0)
    labels = raster[raster > 0]
    k = int(labels.max(initial=0))
    emb = EmbeddingSet(
        np.zeros((len(tiles), 2), np.float32), tiles, grid,
        np.where(raster > 0, TileState.ENCODED, 0).astype(np.uint8),
    )  # fmt: skip
    return Clusters(
        labels,
        tuple(names or [f"Cluster {i + 1}" for i in range(k)]),
        tuple(palette(k)),
        np.zeros(len(labels), np.float32),
        (emb,),
    )


rasters = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 5, (7, 9))
)


@settings(max_examples=60, deadline=None)
@given(rasters, st.permutations(range(1, 5)))
def test_the_same_clusters_in_another_order_keep_everything(
    raster: np.ndarray, order: list[int]
) -> None:
    raster.flat[:4] = range(1, 5)  # all are there
    before = clusters(raster, ["Tumour", "Stroma", "Cluster 3", "Fat"])
    again = keep_names(clusters(np.array([0, *order])[raster]), as_known(before))
    for old, new in enumerate(order, 1):
        assert again.names[new - 1] == before.names[old - 1]
        assert again.colours[new - 1] == before.colours[old - 1]


@settings(max_examples=60, deadline=None)
@given(rasters, rasters)
def test_names_and_colours_are_never_given_twice(one: np.ndarray, other: np.ndarray) -> None:
    found = keep_names(clusters(other), as_known(clusters(one)))
    assert len(set(found.names)) == found.k
    assert len(set(found.colours)) == found.k
    np.testing.assert_array_equal(found.labels, clusters(other).labels)


@settings(max_examples=30, deadline=None)
@given(rasters, st.integers(0, 2**32 - 1))
def test_a_few_tiles_that_change_sides_change_no_name(raster: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    big = np.kron(np.maximum(raster, 1), np.ones((6, 6), int))
    before = clusters(big)
    changed = big.copy()
    few = rng.random(big.shape) < 0.1
    changed[few] = rng.integers(1, before.k + 1, few.sum())
    again = keep_names(clusters(changed), as_known(before))
    common = [((big == i + 1) & (changed == i + 1)).sum() for i in range(before.k)]
    kept = [again.names[i] == before.names[i] for i in range(before.k)]
    assert all(same for same, tiles in zip(kept, common, strict=True) if tiles > 40)


def test_the_larger_half_keeps_the_name_and_the_other_gets_a_new_one() -> None:
    raster = np.ones((10, 10), int)
    raster[:, 7:] = 2
    whole = clusters(raster, ["Tumour", "Cluster 2"])
    parted = raster.copy()
    parted[:3, :7] = 3
    found = keep_names(clusters(parted), as_known(whole))
    assert found.names == ("Tumour", "Cluster 2", "Cluster 1")
    assert found.colours[:2] == whole.colours
    assert found.colours[2] not in whole.colours


def test_a_cluster_elsewhere_is_another() -> None:
    left, right = np.zeros((4, 10), int), np.zeros((4, 10), int)
    left[:, :5], right[:, 5:] = 1, 1
    found = keep_names(clusters(right), as_known(clusters(left, ["Tumour"])))
    assert found.names == ("Cluster 1",)
    assert found.colours != clusters(left).colours


def test_names_that_are_taken_are_not_given() -> None:
    left, right = np.zeros((4, 10), int), np.zeros((4, 10), int)
    left[:, :5], right[:, 5:] = 1, 1
    found = keep_names(clusters(right), as_known(clusters(left, ["Tumour"])), ["Cluster 1"])
    assert found.names == ("Cluster 2",)


def test_names_outlive_another_resolution() -> None:
    fine = np.repeat([1, 2], 8).reshape(1, 16).repeat(8, 0)
    before = clusters(fine, ["Tumour", "Stroma"])
    coarse = keep_names(clusters(3 - fine[::2, ::2], mpp=1.0), as_known(before))
    assert coarse.names == ("Stroma", "Tumour")


def test_another_slide_has_other_names() -> None:
    raster = np.ones((4, 4), int)
    known = [replace(k, slide="another") for k in as_known(clusters(raster, ["Tumour"]))]
    assert keep_names(clusters(raster), known).names == ("Cluster 1",)
    assert keep_names(clusters(raster), []).names == ("Cluster 1",)


def test_a_name_that_was_away_comes_back() -> None:
    raster = np.ones((10, 10), int)
    raster[:, 6:] = 2
    two = clusters(raster, ["Stroma", "Tumour"])
    (known,) = as_known(two)
    one = keep_names(clusters(np.ones((10, 10), int)), [known])
    assert one.names == ("Stroma",)
    away = Known(known.map, frozenset({"Tumour"}))
    assert keep_names(clusters(raster), [*as_known(one), away]).names == ("Stroma", "Tumour")


def test_renaming_and_merging() -> None:
    raster = np.repeat([1, 2, 3], 4).reshape(3, 4)
    found = clusters(raster)
    merged = found.renamed({"Cluster 1": "Tumour", "Cluster 3": "Tumour"})
    assert merged.names == ("Tumour", "Cluster 2")
    assert merged.colours == found.colours[:2]
    assert merged.sizes.tolist() == [8, 4]
    assert merged.areas_mm2.sum() == pytest.approx(found.areas_mm2.sum())
    into = found.renamed({"Cluster 1": "Cluster 3"})
    assert into.names == ("Cluster 3", "Cluster 2")
    assert into.colours == (found.colours[2], found.colours[1])
