"""The feed of an encoder."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scalescope.errors import SlideError
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import read_tiles
from napari_scalescope.slides.tiles import block_order, read_batches, rectangles

from .conftest import smooth_picture
from .memory import coloured_slide, memory_slide


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 3), st.integers(16, 200), st.integers(10, 300), st.integers(1, 40))
def test_every_tile_comes_once_with_its_own_pixels(
    mpp: float, tile: int, stride: int, batch: int
) -> None:
    slide = memory_slide(smooth_picture(400, 300))
    grid = TileGrid.cover(slide, mpp, tile, stride)
    seen = []
    for part in read_tiles(slide, grid, batch=batch, threads=2):
        assert len(part.tiles) <= batch
        assert part.pixels.shape == (len(part.tiles), tile, tile, 3)
        seen += [tuple(t) for t in part.tiles.tolist()]
        for pixels, (row, col) in zip(part.pixels, part.tiles.tolist(), strict=True):
            alone = slide.read(grid.box(row, col), size=(tile, tile))
            np.testing.assert_array_equal(pixels, alone)
    assert sorted(seen) == sorted(tuple(t) for t in grid.all_tiles().tolist())


def test_order_is_kept() -> None:
    slide = memory_slide(smooth_picture(400, 300))
    grid = TileGrid.cover(slide, 0.5, 64)
    order = grid.outward(grid.all_tiles(), 200, 150)
    came = np.concatenate([b.tiles for b in read_tiles(slide, grid, order, batch=7, threads=4)])
    np.testing.assert_array_equal(came, order)


def test_block_order_is_a_permutation_in_blocks() -> None:
    tiles = np.indices((40, 33)).reshape(2, -1).T
    order = block_order(tiles, 16)
    assert sorted(map(tuple, order.tolist())) == sorted(map(tuple, tiles.tolist()))
    blocks = [tuple(b) for b in (order // 16).tolist()]
    assert len(set(blocks)) == sum(a != b for a, b in pairwise(blocks)) + 1


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60), st.integers(1, 4))
def test_what_is_read_together_is_a_full_rectangle(cells: list[Any], side: int) -> None:
    tiles = np.array(cells, np.int64).reshape(-1, 2)
    found = rectangles(tiles, side)
    assert sorted(k for part in found for k in part.ravel().tolist()) == list(range(len(tiles)))
    for part in found:
        rows, cols = tiles[part][..., 0], tiles[part][..., 1]
        np.testing.assert_array_equal(rows - rows[0, 0], np.indices(part.shape)[0])
        np.testing.assert_array_equal(cols - cols[0, 0], np.indices(part.shape)[1])
        assert len(np.unique(rows // side)) == len(np.unique(cols // side)) == 1


def test_neighbours_are_read_together() -> None:
    slide = memory_slide(smooth_picture(640, 640))
    grid = TileGrid.cover(slide, 0.5, 40)
    list(read_tiles(slide, grid, threads=1))
    assert len(slide.reader.reads) == 16  # of 256 tiles


def test_tissue_only() -> None:
    slide = coloured_slide()
    grid = TileGrid.cover(slide, 0.5, 100)
    tiles = np.concatenate([b.tiles for b in read_tiles(slide, grid, tissue=True)])
    assert 0 < len(tiles) < grid.rows * grid.cols
    assert [0, 0] not in tiles.tolist()
    assert [3, 4] in tiles.tolist()


def test_a_damaged_tile_raises_or_is_reported() -> None:
    slide = memory_slide(smooth_picture(400, 300), broken=(130, 130, 10, 10))
    grid = TileGrid.cover(slide, 0.5, 100)
    with pytest.raises(SlideError, match="damaged"):
        list(read_tiles(slide, grid))
    batches = list(read_tiles(slide, grid, errors="report"))
    failed = {(r, c) for b in batches for r, c, _ in b.failed}
    read = {tuple(t) for b in batches for t in b.tiles.tolist()}
    assert (1, 1) in failed
    assert failed | read == {tuple(t) for t in grid.all_tiles().tolist()}
    assert not failed & read


def test_memory_is_bounded_and_reading_runs_ahead() -> None:
    slide = memory_slide(smooth_picture(640, 640))
    grid = TileGrid.cover(slide, 0.5, 32)
    reads = slide.reader.reads
    apart = grid.all_tiles()[(grid.all_tiles() % 2 == 0).all(1)]  # each a read of its own
    feed = read_tiles(slide, grid, apart, batch=10, threads=2)
    next(feed)
    time.sleep(0.3)
    assert 20 <= len(reads) <= 30  # the one in use and two ahead, of ten batches
    feed.close()
    time.sleep(0.1)
    count = len(reads)
    time.sleep(0.2)
    assert len(reads) == count


def test_closing_cancels_what_was_not_read() -> None:
    slide = memory_slide(smooth_picture(640, 640), delay_s=0.02)
    grid = TileGrid.cover(slide, 0.5, 64)
    before = threading.active_count()
    feed = read_batches(
        slide, grid, iter([grid.all_tiles()[:50], grid.all_tiles()[50:]]), threads=2
    )
    next(feed)
    feed.close()
    assert len(slide.reader.reads) < 60
    assert threading.active_count() == before
