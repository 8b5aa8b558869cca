"""Patch tokens of many tiles laid side by side."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray, Placement, TileGrid

Raster = npt.NDArray[np.float32]

#: Cells of a mosaic of which less than this share lies in any tile are left empty.
COVERED = 0.5


def mosaic(
    values: npt.NDArray[np.floating], tiles: IntArray, grid: TileGrid
) -> tuple[Raster, Placement]:
    """One raster at token resolution from the token lattices of tiles.

    Where tiles overlap, the tokens of a place are averaged under a window that falls evenly from
    the middle of a tile to its border, so that one tile fades into the next over all of what they
    share. A plain mean would leave half of what two tiles differ by as a step at each border.
    Where the stride is no whole number of tokens, lattices are moved by the rest, linearly between
    cells.

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
    # In whole numbers, so that a stride of whole tokens leaves no rest.
    whole, rest = np.divmod(np.asarray(tiles, np.int64) * (grid.stride_px * g), grid.tile_px)
    origin = whole.min(0)
    lattices = np.asarray(values, np.float32)
    at, moved = whole - origin, (rest / grid.tile_px).astype(np.float32)
    lay = _beside if grid.stride_px == grid.tile_px else _blended
    cell = grid.footprint / g
    placement = Placement(float(origin[1] * cell), float(origin[0] * cell), cell)
    return lay(lattices, at, moved), placement


def _beside(lattices: Raster, at: IntArray, _moved: Raster) -> Raster:
    """Tiles that only touch."""
    g, depth = lattices.shape[1], lattices.shape[3:]
    rows, cols = at.max(0) // g + 1
    raster = np.full((rows, g, cols, g, *depth), np.nan, np.float32)
    row, col = (at // g).T
    raster[row, :, col] = lattices
    return raster.reshape(rows * g, cols * g, *depth)


def _blended(lattices: Raster, at: IntArray, moved: Raster) -> Raster:
    """Tiles that overlap, or leave gaps."""
    n, g, depth = len(lattices), lattices.shape[1], lattices.shape[3:]
    window = np.broadcast_to((_window(g)[:, None] * _window(g))[..., None], (n, g, g, 1))
    # The last channel is the weight.
    pieces = np.concatenate([lattices.reshape(n, g, g, -1) * window, window], -1)
    shape = at.max(0) + g + 1
    total = np.zeros((*shape, pieces.shape[-1]), np.float32)
    covered = np.zeros(shape, np.float32)
    for (y, x), (down, right), piece in zip(at, moved, pieces, strict=True):
        for dy, along in ((0, 1 - down), (1, down)):
            for dx, share in ((0, along * (1 - right)), (1, along * right)):
                if share > 0:
                    total[y + dy : y + dy + g, x + dx : x + dx + g] += piece * share
        area = covered[y : y + g + 1, x : x + g + 1]
        np.maximum(area, _covered(g, down)[:, None] * _covered(g, right), out=area)
    known = covered >= COVERED
    with np.errstate(invalid="ignore", divide="ignore"):
        blended = total[..., :-1] / total[..., -1:]
    blended[~known] = np.nan
    rows, cols = (int(np.flatnonzero(known.any(axis))[-1]) + 1 for axis in (1, 0))
    return np.asarray(blended[:rows, :cols].reshape(rows, cols, *depth), np.float32)


def _window(g: int) -> Raster:
    """How much each of g tokens along a side counts: the distance to the border."""
    steps = np.arange(g) + 0.5
    return np.asarray(np.minimum(steps, g - steps), np.float32)


def _covered(g: int, moved: float) -> Raster:
    """How much of each of g + 1 cells lies in g tokens that were moved by part of a cell."""
    share = np.ones(g + 1, np.float32)
    share[0], share[g] = 1 - moved, moved
    return share
