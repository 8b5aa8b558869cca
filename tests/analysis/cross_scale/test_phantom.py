"""On tissue whose every point has a known class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import spearmanr

from napari_scalescope import embed, load_encoder, phantom
from napari_scalescope.analysis import cross_scale_agreement, cross_scale_search
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.geometry import IntArray, TileGrid
from napari_scalescope.slides.phantom import CLASSES, PhantomSlide

#: Tokens along a side of the tiles of who knows the truth, µm that the truth is read at.
G, TRUTH_MPP = 4, 8.0


@pytest.fixture(scope="module")
def slide() -> PhantomSlide:
    return phantom((2000, 2000), seed=0, mpp=1.0)


@pytest.fixture(scope="module")
def truth(slide: PhantomSlide) -> np.ndarray:
    """The truth of the slide, with background where tiles reach past its edge."""
    return np.pad(slide.truth(slide.box, TRUTH_MPP), ((0, 64), (0, 64)))


def shares(truth: np.ndarray, grid: TileGrid, tiles: IntArray) -> np.ndarray:
    """Share of each class in each tile (n, classes)."""
    side = round(grid.tile_um / TRUTH_MPP)
    corners = np.rint(tiles * (grid.stride_px * grid.mpp / TRUTH_MPP)).astype(int)
    pieces = [truth[y : y + side, x : x + side].ravel() for y, x in corners]
    return np.array([np.bincount(p, minlength=len(CLASSES)) for p in pieces]) / side**2


def kept_name(coarse: EmbeddingSet, fine: EmbeddingSet, truth: np.ndarray) -> np.ndarray:
    """Share of the fine tiles in each coarse one that are mostly of the same class as it."""
    own = shares(truth, coarse.grid, coarse.tiles).argmax(1)
    names = fine.raster(shares(truth, fine.grid, fine.tiles).argmax(1), fill=-1)
    out = np.empty(len(coarse))
    for i, tile in enumerate(coarse.tiles):
        inside = fine.grid.tiles_in(coarse.grid.box(*tile), "centre")
        found = names[tuple(inside.T)]
        out[i] = (found[found >= 0] == own[i]).mean() if (found >= 0).any() else np.nan
    return out


def knowing(slide: PhantomSlide, truth: np.ndarray, mpp: float) -> EmbeddingSet:
    """Who says of each tile, and of each cell of it, what most of it is: nothing else."""
    grid = TileGrid.cover(slide, mpp, 64)
    cells = TileGrid.cover(slide, mpp, 64 // G)
    every = np.eye(len(CLASSES), dtype=np.float32)

    def load(part: str, tiles: IntArray) -> np.ndarray:
        assert part == "patch_tokens"
        offsets = np.indices((G, G)).reshape(2, -1).T
        wanted = (tiles[:, None] * G + offsets).reshape(-1, 2)
        names = shares(truth, cells, wanted).argmax(1)
        return every[names].reshape(len(tiles), G, G, -1)

    state = np.full(grid.shape, TileState.ENCODED | TileState.TOKENS, np.uint8)
    tiles = grid.all_tiles()
    vectors = every[shares(truth, grid, tiles).argmax(1)]
    return EmbeddingSet(vectors, tiles, grid, state, {}, load)


def test_agreement_falls_where_a_place_is_called_otherwise(
    slide: PhantomSlide, truth: np.ndarray
) -> None:
    fine, coarse = knowing(slide, truth, 1.0), knowing(slide, truth, 4.0)
    made = cross_scale_agreement(coarse, fine, "global", centred=False)
    kept = kept_name(coarse, fine, truth)
    values = made.values[tuple(coarse.tiles.T)]
    np.testing.assert_allclose(values[kept == 1], 1.0, atol=1e-5)
    np.testing.assert_allclose(values[kept == 0], 0.0, atol=1e-5)
    between = (kept > 0) & (kept < 1)
    assert between.sum() > 10
    assert values[between].max() < 1 - 1e-4
    assert spearmanr(values[between], kept[between])[0] > 0.8


def test_local_agreement_is_whole_where_there_is_one_class_only(
    slide: PhantomSlide, truth: np.ndarray
) -> None:
    fine, coarse = knowing(slide, truth, 1.0), knowing(slide, truth, 2.0)
    made = cross_scale_agreement(coarse, fine, "local", centred=False)
    most = shares(truth, coarse.grid, coarse.tiles).max(1)
    values = made.values[tuple(coarse.tiles.T)]
    assert (most == 1).sum() > 20
    np.testing.assert_allclose(values[most == 1], 1.0, atol=1e-5)
    assert (values[most < 0.6] < 1 - 1e-4).mean() > 0.8
    assert spearmanr(values, most)[0] > 0.6


@pytest.fixture(scope="module")
def seen(slide: PhantomSlide) -> Callable[[float], EmbeddingSet]:
    """The built-in encoder's sets, the coarse one in half steps for the sake of numbers."""
    encoder = load_encoder("builtin", device="cpu", precision="fp32")
    sets = {m: embed(slide, encoder, m, stride_px=s) for m, s in ((1.0, 224), (2.0, 112))}
    return sets.__getitem__


def test_the_built_in_encoder_agrees_less_where_meaning_changes(
    truth: np.ndarray, seen: Callable[[float], EmbeddingSet]
) -> None:
    fine, coarse = seen(1.0), seen(2.0)
    made = cross_scale_agreement(coarse, fine, "global")
    values, kept = made.values[tuple(coarse.tiles.T)], kept_name(coarse, fine, truth)
    known = np.isfinite(values) & np.isfinite(kept)
    assert known.sum() > 40
    assert spearmanr(values[known], kept[known])[0] > 0.3


def test_the_built_in_encoder_finds_the_place_again(
    seen: Callable[[float], EmbeddingSet],
) -> None:
    fine, coarse = seen(1.0), seen(2.0)
    for emb, other in ((fine, coarse), (coarse, fine)):
        ranks, places = [], 0
        for place in emb.centres[::3]:
            (answer,) = cross_scale_search(emb, place, [other])
            places = len(answer.tiles)
            if answer.own_rank is not None:
                ranks.append(answer.own_rank)
        assert len(ranks) > 15
        # Without knowing anything the median would be far down the list.
        assert np.median(ranks) <= 0.05 * places
        assert np.mean(np.array(ranks) == 0) > 0.3
