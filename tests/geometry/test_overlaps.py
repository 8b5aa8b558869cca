"""What tiles of two grids have in common, by length and by area."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.geometry import TileGrid, children, overlaps
from napari_scalescope.geometry.spans import TOUCH

SIDE = st.integers(1, 5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[TileGrid, TileGrid]:
    """Two grids of one slide, of any resolutions and strides."""

    def grid() -> TileGrid:
        mpp, tile = draw(st.floats(0.25, 4.0)), draw(st.integers(16, 256))
        stride = draw(st.integers(max(1, tile // 3), tile))
        return TileGrid(mpp, tile, stride, draw(SIDE), draw(SIDE), 0.25)

    return grid(), grid()


@given(pairs())
def test_common_areas_are_those_of_the_boxes(grids: tuple[TileGrid, TileGrid]) -> None:
    coarse, fine = grids
    down, across = overlaps(coarse, fine)
    for row, col in coarse.all_tiles():
        expected = {
            tuple(tile): common.area
            for tile in fine.all_tiles()
            if (common := coarse.box(row, col).intersection(fine.box(*tile))) is not None
        }
        found = {
            (r, c): height * width
            for r, height in zip(down.tiles[row], down.lengths[row], strict=True)
            for c, width in zip(across.tiles[col], across.lengths[col], strict=True)
            if r >= 0 and c >= 0
        }
        assert set(found) == {tuple(t) for t in children(coarse, (row, col), fine, "overlap")}
        for tile in expected.keys() | found.keys():
            slack = TOUCH * (coarse.footprint + fine.footprint) + 1e-6
            assert abs(expected.get(tile, 0.0) - found.get(tile, 0.0)) < slack


@given(pairs(), st.integers(1, 6), st.integers(1, 6))
def test_cells_share_out_what_tiles_have_in_common(
    grids: tuple[TileGrid, TileGrid], g: int, h: int
) -> None:
    down, _ = overlaps(*grids)
    cells = down.cells(g, h)
    np.testing.assert_allclose(cells.sum((1, 3)), down.lengths, atol=1e-6)
    # No cell has more in common than there is of it.
    assert cells.max() <= min(grids[0].footprint / g, grids[1].footprint / h) + 1e-6
    np.testing.assert_allclose(down.cells(g, h, np.array([0])), cells[:1])


@given(st.integers(1, 6), st.integers(1, 4), SIDE, SIDE)
def test_without_gaps_children_make_up_their_parent(
    ratio: int, g: int, rows: int, cols: int
) -> None:
    coarse = TileGrid(0.5 * ratio, 64, 64, rows, cols, 0.25)
    fine = TileGrid(0.5, 64, 64, rows * ratio, cols * ratio, 0.25)
    down, across = overlaps(coarse, fine)
    for along in (down, across):
        assert along.tiles.shape[1] == ratio
        np.testing.assert_allclose(along.cells(g).sum((2, 3)), coarse.footprint / g)


def test_a_cell_of_the_lattice_lies_over_its_quarter() -> None:
    coarse = TileGrid(1.0, 64, 64, 1, 1, 0.5)
    fine = TileGrid(0.5, 64, 64, 2, 2, 0.5)
    cells = overlaps(coarse, fine)[0].cells(4)[0, :, :, 0]
    np.testing.assert_allclose(cells, [[32, 0], [32, 0], [0, 32], [0, 32]])
