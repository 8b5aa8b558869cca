"""Lattices of tiles as one raster: in the right place, and without seams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.analysis.mosaic import mosaic
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides.phantom import phantom

G, TILE = 14, 224


def grid(rows: int, cols: int, stride_px: int) -> TileGrid:
    return TileGrid(0.5, TILE, stride_px, rows, cols, 0.25)


def field(at: TileGrid, value: object) -> np.ndarray:
    """Lattices (n, g, g) of a function of the place (x, y), in tokens from the slide's corner."""
    token = at.tile_px / G
    corner = at.all_tiles() * (at.stride_px / token)
    steps = np.arange(G) + 0.5
    y = corner[:, 0, None, None] + steps[:, None]
    x = corner[:, 1, None, None] + steps
    return np.asarray(value(*np.broadcast_arrays(x, y)), np.float32)  # type: ignore[operator]


def plain_mean(lattices: np.ndarray, at: TileGrid) -> np.ndarray:
    """What blending is compared with. Strides of whole tokens only."""
    step = at.stride_px * G // at.tile_px
    shape = (np.array(at.shape) - 1) * step + G
    total, count = np.zeros(shape), np.zeros(shape)
    for (row, col), lattice in zip(at.all_tiles() * step, lattices, strict=True):
        total[row : row + G, col : col + G] += lattice
        count[row : row + G, col : col + G] += 1
    return total / count


def steepest(raster: np.ndarray) -> float:
    """The largest step between neighbouring cells."""
    return float(max(np.abs(np.diff(raster, axis=a)).max() for a in (0, 1)))


@pytest.mark.parametrize("stride_px", [112, 160])
def test_tiles_that_differ_by_an_offset_leave_no_seam(
    stride_px: int, rng: np.random.Generator
) -> None:
    at = grid(6, 7, stride_px)
    offsets = rng.uniform(-1, 1, (len(at.all_tiles()), 1, 1))
    lattices = np.broadcast_to(offsets, (len(offsets), G, G)).astype(np.float32)
    largest = float(np.ptp(offsets))
    overlap = G - stride_px * G // TILE
    # What two tiles differ by, spread evenly over what they share.
    bound = 1.01 * largest / overlap
    assert steepest(mosaic(lattices, at.all_tiles(), at)[0]) < bound
    assert steepest(plain_mean(lattices, at)) > bound


@given(st.integers(40, 260), st.integers(1, 5), st.integers(1, 5))
def test_a_constant_stays_one_at_any_stride(stride_px: int, rows: int, cols: int) -> None:
    at = grid(rows, cols, stride_px)
    raster, placement = mosaic(field(at, lambda x, y: 3 + 0 * x), at.all_tiles(), at)
    known = np.isfinite(raster)
    np.testing.assert_allclose(raster[known], 3, rtol=1e-5)
    assert known[0, 0]
    covered = placement.box(raster.shape)
    last = at.box(rows - 1, cols - 1)
    assert abs(covered.x1 - last.x1) <= placement.cell / 2 + 1e-6
    assert abs(covered.y1 - last.y1) <= placement.cell / 2 + 1e-6


@pytest.mark.parametrize("stride_px", [100, 150, 90])
def test_strides_of_no_whole_token_are_resampled(stride_px: int) -> None:
    at = grid(5, 6, stride_px)
    raster, placement = mosaic(field(at, lambda x, y: x + 10 * y), at.all_tiles(), at)
    rows, cols = np.indices(raster.shape)
    true = (cols + 0.5) + 10 * (rows + 0.5)
    inside = (slice(1, -2), slice(1, -2))
    worst = np.nanmax(np.abs(raster - true)[inside])
    # The nearest cell is up to half a token off, in both directions.
    step = stride_px * G / TILE
    off = np.abs(np.rint(np.arange(5) * step) - np.arange(5) * step).max()
    nearest = 11 * off
    assert worst < 0.6 * nearest
    assert placement.cell == at.footprint / G


def test_gaps_between_tiles_stay_empty() -> None:
    at = grid(2, 2, 2 * TILE)
    raster, _ = mosaic(field(at, lambda x, y: x), at.all_tiles(), at)
    assert raster.shape == (3 * G, 3 * G)
    assert np.isnan(raster[G : 2 * G]).all()
    assert np.isfinite(raster[:G, :G]).all()


@pytest.mark.parametrize("stride_px", [224, 112, 96, 300])
def test_the_truth_of_the_phantom_comes_back_in_its_place(stride_px: int) -> None:
    slide = phantom((2000, 1600), seed=5, mpp=0.5)
    at = TileGrid.cover(slide, 1.0, TILE, stride_px)
    truth = slide.truth((0, 0, *np.array(slide.dimensions) * 1.5), 2.0)  # room for the last tiles
    scale = 0.5 / 2.0
    token = at.footprint / G
    steps = (np.arange(G) + 0.5) * token
    boxes = at.boxes(at.all_tiles())
    x = boxes[:, 0, None, None] + steps[None, None, :]
    y = boxes[:, 1, None, None] + steps[None, :, None]
    lattices = (truth[(y * scale).astype(int), (x * scale).astype(int)] == 1).astype(np.float32)
    raster, place = mosaic(lattices, at.all_tiles(), at)
    rows, cols = np.indices(raster.shape)
    px, py = place.x + (cols + 0.5) * place.cell, place.y + (rows + 0.5) * place.cell
    expected = truth[(py * scale).astype(int), (px * scale).astype(int)] == 1
    known = np.isfinite(raster)
    right = (raster > 0.5)[known] == expected[known]
    assert right.mean() > 0.97
    moved = (raster > 0.5)[:, 2:][known[:, 2:]] == expected[:, :-2][known[:, 2:]]
    assert moved.mean() < right.mean() - 0.02
