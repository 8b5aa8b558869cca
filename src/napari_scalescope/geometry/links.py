"""Tiles of two grids of one slide: which belong to which."""

from __future__ import annotations

import numpy as np

from .boxes import IntArray
from .grid import TileGrid
from .spans import Link, intervals_of, tiles_of


def child_spans(coarse: TileGrid, fine: TileGrid, rule: Link = "centre") -> tuple[IntArray, ...]:
    """Which fine rows and columns belong to each coarse row and column.

    A fine tile is a *child* of a coarse tile if its centre lies in the coarse footprint
    (``rule="centre"``) or if the footprints overlap (``rule="overlap"``). Grids may have any
    resolutions and strides. Both axes are independent and the children of a tile are contiguous.

    Returns
    -------
    rows : (coarse.rows, 2) int64
        First and one-past-last fine row of each coarse row.
    cols : (coarse.cols, 2) int64
        The same for columns.
    """
    return (
        tiles_of(coarse.row_edges, fine.row_edges, rule),
        tiles_of(coarse.col_edges, fine.col_edges, rule),
    )


def parent_spans(fine: TileGrid, coarse: TileGrid, rule: Link = "centre") -> tuple[IntArray, ...]:
    """Which coarse rows and columns each fine row and column belongs to.

    The exact converse of `child_spans`: the same comparisons on the same floats, so that p is a
    parent of c if and only if c is a child of p. More than one parent where coarse tiles
    overlap, none where they leave gaps.

    Returns
    -------
    rows : (fine.rows, 2) int64
        First and one-past-last coarse row of each fine row.
    cols : (fine.cols, 2) int64
        The same for columns.
    """
    return (
        intervals_of(fine.row_edges, coarse.row_edges, rule),
        intervals_of(fine.col_edges, coarse.col_edges, rule),
    )


def _related(spans: tuple[IntArray, ...], tile: tuple[int, int]) -> IntArray:
    rows = np.arange(*spans[0][tile[0]], dtype=np.int64)
    cols = np.arange(*spans[1][tile[1]], dtype=np.int64)
    return np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)


def children(
    coarse: TileGrid, tile: tuple[int, int], fine: TileGrid, rule: Link = "centre"
) -> IntArray:
    """The fine tiles (n, 2) as row, col that belong to one coarse tile: see `child_spans`."""
    return _related(child_spans(coarse, fine, rule), tile)


def parents(
    fine: TileGrid, tile: tuple[int, int], coarse: TileGrid, rule: Link = "centre"
) -> IntArray:
    """The coarse tiles (n, 2) as row, col that one fine tile belongs to: see `parent_spans`."""
    return _related(parent_spans(fine, coarse, rule), tile)
