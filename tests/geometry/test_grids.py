"""Tile grids: footprints, covering, drift, and tiles of two grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.geometry import (
    Box,
    TileGrid,
    child_spans,
    children,
    parent_spans,
    parents,
)

MPP = st.floats(0.1, 8.0)
TILE = st.integers(16, 512)


@dataclass(frozen=True)
class Extent:
    dimensions: tuple[int, int]
    mpp: float | None


@st.composite
def grids(draw: st.DrawFn, max_side: int = 30_000) -> TileGrid:
    tile = draw(TILE)
    stride = draw(st.integers(max(1, tile // 4), tile * 2))
    slide_mpp = draw(st.floats(0.1, 1.0))
    # Fine enough to be interesting, coarse enough not to have millions of tiles.
    mpp = slide_mpp * draw(st.floats(1.0, 40.0)) * max(1.0, 256 / stride)
    size = (draw(st.integers(1, max_side)), draw(st.integers(1, max_side)))
    return TileGrid.cover(Extent(size, slide_mpp), mpp, tile, stride)


@given(st.integers(1, 200_000), st.integers(1, 200_000), MPP, st.floats(0.1, 1), TILE)
def test_cover_reaches_the_far_edge_and_no_row_is_superfluous(
    w: int, h: int, mpp: float, slide_mpp: float, tile: int
) -> None:
    grid = TileGrid.cover(Extent((w, h), slide_mpp), mpp, tile)
    last = grid.box(grid.rows - 1, grid.cols - 1)
    assert last.x1 >= w - 1e-6
    assert last.y1 >= h - 1e-6
    if grid.cols > 1:
        assert grid.box(0, grid.cols - 2).x1 < w
    if grid.rows > 1:
        assert grid.box(grid.rows - 2, 0).y1 < h


@given(st.integers(1, 4000), MPP, st.floats(0.1, 1), TILE)
def test_footprints_without_overlap_tile_the_plane(
    w: int, mpp: float, slide_mpp: float, tile: int
) -> None:
    grid = TileGrid.cover(Extent((w, 100), slide_mpp), mpp, tile)
    boxes = grid.boxes([(0, c) for c in range(grid.cols)])
    np.testing.assert_allclose(boxes[1:, 0], boxes[:-1, 0] + boxes[:-1, 2], rtol=1e-12)


@pytest.mark.parametrize("slide_mpp", [0.2738, 0.265, 0.4972, 0.25, 0.2498])
@pytest.mark.parametrize("mpp", [0.5, 1.0, 0.3333])
def test_no_drift_at_the_far_corner_of_a_huge_slide(slide_mpp: float, mpp: float) -> None:
    from fractions import Fraction

    grid = TileGrid.cover(Extent((200_000, 200_000), slide_mpp), mpp, 224)
    row = grid.rows - 1
    exact = Fraction(row) * 224 * Fraction(mpp) / Fraction(slide_mpp)
    assert abs(grid.box(row, 0).y - float(exact)) < 1e-6


def test_footprint_is_never_a_division_of_magnifications() -> None:
    # 40x at 0.2738 µm/px is not "twice 20x": 224 px at 0.5 µm/px are 409.06 px of it, not 448.
    grid = TileGrid.cover(Extent((10_000, 10_000), 0.2738), 0.5, 224)
    assert grid.footprint == pytest.approx(409.0577, abs=1e-3)
    assert grid.tile_um == 112.0


def test_a_slide_without_resolution_has_no_grid() -> None:
    with pytest.raises(ValueError, match="unknown"):
        TileGrid.cover(Extent((10, 10), None), 0.5)


@pytest.mark.parametrize("field", ["mpp", "tile_px", "stride_px", "slide_mpp"])
def test_nonsense_is_refused(field: str) -> None:
    good = {
        "mpp": 0.5, "tile_px": 224, "stride_px": 224, "rows": 1, "cols": 1, "slide_mpp": 0.25,
    }  # fmt: skip
    with pytest.raises(ValueError, match="positive"):
        TileGrid(**{**good, field: 0})
    with pytest.raises(ValueError, match="at least one"):
        TileGrid(**{**good, "rows": 0})


@given(grids(), st.data())
def test_tile_at_finds_the_tile_of_every_centre(grid: TileGrid, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, grid.rows - 1))
    col = data.draw(st.integers(0, grid.cols - 1))
    x, y = grid.centres([(row, col)])[0]
    assert grid.tile_at(x, y) == (row, col)


@given(grids(), st.floats(-100, 40_000), st.floats(-100, 40_000))
def test_tile_at_gives_a_tile_that_holds_the_point_or_none(
    grid: TileGrid, x: float, y: float
) -> None:
    tile = grid.tile_at(x, y)
    holders = [t for t in grid.tiles_in(Box(x - 1, y - 1, 2, 2)) if grid.box(*t).contains(x, y)]
    if tile is None:
        # Gaps between tiles, or beyond the grid; between overlapping tiles there is no gap.
        assert not holders or grid.stride_px > grid.tile_px
    else:
        assert grid.box(*tile).contains(x, y)


@pytest.mark.parametrize("edge", [448.0, 896.0, 1344.0])
def test_a_point_on_an_edge_belongs_to_the_tile_that_starts_there(edge: float) -> None:
    grid = TileGrid.cover(Extent((4480, 4480), 0.5), 1.0, 224)
    assert grid.tile_at(edge, 100) == (0, round(edge / 448))
    assert grid.tile_at(4480, 100) is None


@given(grids(), st.floats(-500, 30_000), st.floats(-500, 30_000), st.floats(1, 9000))
def test_tiles_in_a_box_are_those_that_overlap_it(
    grid: TileGrid, x: float, y: float, side: float
) -> None:
    box = Box(x, y, side, side / 2)
    found = {tuple(t) for t in grid.tiles_in(box).tolist()}
    corners = grid.boxes(grid.all_tiles())
    overlap_w = np.minimum(corners[:, 0] + corners[:, 2], box.x1) - np.maximum(corners[:, 0], x)
    overlap_h = np.minimum(corners[:, 1] + corners[:, 3], box.y1) - np.maximum(corners[:, 1], y)
    surely = (overlap_w > 1e-3) & (overlap_h > 1e-3)
    never = (overlap_w < -1e-3) | (overlap_h < -1e-3)
    for tile, yes, no in zip(grid.all_tiles().tolist(), surely, never, strict=True):
        if yes:
            assert tuple(tile) in found
        if no:
            assert tuple(tile) not in found


def test_outward_starts_at_the_point() -> None:
    grid = TileGrid.cover(Extent((2240, 2240), 0.5), 0.5, 224)
    order = grid.outward(grid.all_tiles(), 1120 + 10, 1120 + 10)
    assert order[0].tolist() == [5, 5]
    distance = np.linalg.norm(grid.centres(order) - (1130, 1130), axis=1)
    assert (np.diff(distance) >= 0).all()


@given(grids(), grids(), st.sampled_from(["centre", "overlap"]))
def test_parents_and_children_are_mutual(a: TileGrid, b: TileGrid, rule: str) -> None:
    down = child_spans(a, b, rule)
    up = parent_spans(b, a, rule)
    for axis in (0, 1):
        pairs_down = {(p, c) for p, (lo, hi) in enumerate(down[axis]) for c in range(lo, hi)}
        pairs_up = {(p, c) for c, (lo, hi) in enumerate(up[axis]) for p in range(lo, hi)}
        assert pairs_down == pairs_up


@given(grids(8000), grids(8000), st.data())
def test_children_by_centre_are_those_whose_centre_is_inside(
    coarse: TileGrid, fine: TileGrid, data: st.DataObject
) -> None:
    tile = (
        data.draw(st.integers(0, coarse.rows - 1)),
        data.draw(st.integers(0, coarse.cols - 1)),
    )
    box = coarse.box(*tile)
    found = {tuple(t) for t in children(coarse, tile, fine).tolist()}
    for t, (x, y) in zip(fine.all_tiles().tolist(), fine.centres(fine.all_tiles()), strict=True):
        clear = min(abs(x - box.x), abs(x - box.x1), abs(y - box.y), abs(y - box.y1)) > 1e-6
        if clear:
            assert (tuple(t) in found) == box.contains(x, y)


def test_four_children_per_parent_at_half_the_resolution() -> None:
    extent = Extent((4480, 4480), 0.25)
    coarse, fine = TileGrid.cover(extent, 1.0, 224), TileGrid.cover(extent, 0.5, 224)
    assert children(coarse, (1, 2), fine).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]
    assert parents(fine, (3, 5), coarse).tolist() == [[1, 2]]


def test_overlapping_coarse_tiles_share_children() -> None:
    extent = Extent((4480, 4480), 0.25)
    coarse = TileGrid.cover(extent, 1.0, 224, 112)
    fine = TileGrid.cover(extent, 0.5, 224)
    assert len(parents(fine, (3, 3), coarse, "overlap")) == 4


def test_tiles_that_only_touch_do_not_overlap() -> None:
    grid = TileGrid.cover(Extent((2240, 2240), 0.5), 0.5, 224)
    assert children(grid, (3, 3), grid, "overlap").tolist() == [[3, 3]]
