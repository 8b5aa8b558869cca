"""Patch tokens of many tiles laid side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray, Placement, TileGrid


def mosaic(
    values: npt.NDArray[np.floating], tiles: IntArray, grid: TileGrid
) -> tuple[npt.NDArray[np.float32], Placement]:
    """One raster at token resolution from the token lattices of tiles.

    Where tiles overlap, tokens of the same place are averaged; where the stride is no whole
    number of tokens, they go to the nearest cell.

    Parameters
    ----------
    values : (n, g, g) or (n, g, g, d)
        One lattice per tile.
    tiles : (n, 2) int
        Row and column of each tile, n at least 1.
    grid : TileGrid

    Returns
    -------
    raster : (rows, cols) or (rows, cols, d) float32
        Covers the tiles given and no more; NaN where there is none.
    placement : Placement
    """
    g = values.shape[1]
    cell_px = grid.tile_px / g
    corners = np.rint(tiles * (grid.stride_px / cell_px)).astype(np.int64)
    origin = corners.min(0)
    corners -= origin
    shape = tuple(corners.max(0) + g)
    depth = values.shape[3:]
    total = np.zeros((*shape, *depth), np.float32)
    count = np.zeros(shape, np.float32)
    for (y, x), lattice in zip(corners, values, strict=True):
        total[y : y + g, x : x + g] += lattice
        count[y : y + g, x : x + g] += 1
    count = count.reshape(*shape, *([1] * len(depth)))
    with np.errstate(invalid="ignore", divide="ignore"):
        raster = np.where(count > 0, total / count, np.float32(np.nan))
    cell = grid.footprint / g
    return raster, Placement(float(origin[1] * cell), float(origin[0] * cell), cell)
