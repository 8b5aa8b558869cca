"""Tiles of two grids of one slide: which belong to which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .boxes import FloatArray, IntArray
from .grid import TileGrid
from .spans import Edges, Link, intervals_of, tiles_of


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


@dataclass(frozen=True, eq=False)
class Overlaps:
    """What tiles of one grid have in common with those of another, along one axis.

    Areas are products of the lengths along both axes, so that footprints of any resolutions and
    strides are weighed exactly. `overlaps` makes it.

    Parameters
    ----------
    coarse, fine : Edges
        Of the rows, or of the columns, of both grids.
    tiles : (n, k) int64
        The fine rows (columns) that overlap each coarse one, -1 where there are fewer than k.
    """

    coarse: Edges
    fine: Edges
    tiles: IntArray

    @classmethod
    def of(cls, coarse: Edges, fine: Edges) -> Overlaps:
        """Those of two sets of edges."""
        spans = tiles_of(coarse, fine, "overlap")
        counts = spans[:, 1] - spans[:, 0]
        step = np.arange(max(1, int(counts.max(initial=0))))
        tiles = np.where(step < counts[:, None], spans[:, :1] + step, -1)
        return cls(coarse, fine, tiles)

    @property
    def lengths(self) -> FloatArray:
        """Level-0 pixels that each pair has in common: (n, k)."""
        return self.cells(1, 1)[:, 0, :, 0]

    def cells(self, g: int, h: int = 1, rows: IntArray | None = None) -> FloatArray:
        """The same of the cells of their lattices: g cells to a coarse tile, h to a fine one.

        Parameters
        ----------
        g, h : int
            Patch tokens along a side.
        rows : (m,) int, optional
            Of which coarse rows (columns); default all.

        Returns
        -------
        (m, g, k, h) float64
            Level-0 pixels; 0 where `tiles` is -1.
        """
        rows = np.arange(len(self.tiles)) if rows is None else rows
        related = self.tiles[rows]
        known = related >= 0
        a0, a1 = self.coarse.lo[rows], self.coarse.hi[rows]
        b0, b1 = self.fine.lo[related], self.fine.hi[related]
        a = a0[:, None] + (a1 - a0)[:, None] * np.arange(g + 1) / g
        b = b0[..., None] + (b1 - b0)[..., None] * np.arange(h + 1) / h
        lo = np.maximum(a[:, :-1, None, None], b[:, None, :, :-1])
        hi = np.minimum(a[:, 1:, None, None], b[:, None, :, 1:])
        common: FloatArray = np.maximum(hi - lo, 0.0) * known[:, None, :, None]
        return common


def overlaps(coarse: TileGrid, fine: TileGrid) -> tuple[Overlaps, Overlaps]:
    """What the tiles of two grids have in common, along rows and along columns."""
    return (
        Overlaps.of(coarse.row_edges, fine.row_edges),
        Overlaps.of(coarse.col_edges, fine.col_edges),
    )
