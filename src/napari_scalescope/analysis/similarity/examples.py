"""The vectors of what somebody points at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...embeddings.embedding_set import EmbeddingSet
from ...embeddings.half import Vectors, unit
from ...geometry import Box

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: The tokens of a region are taken from at most so many of its tiles, evenly spread over it.
TILES_OF_REGION = 64


def vector_at(emb: EmbeddingSet, x: float, y: float) -> Vectors | None:
    """The embedding (D,) of the tile over a level-0 point, None where it is not encoded."""
    tile = emb.grid.tile_at(x, y)
    if tile is None:
        return None
    index = int(emb.index_of([tile])[0])
    return None if index < 0 else emb.take([index])[0]


def token_at(emb: EmbeddingSet, x: float, y: float) -> Vectors | None:
    """The patch token (d,) over a level-0 point, None where none was kept."""
    tile = emb.grid.tile_at(x, y)
    if tile is None or emb.load is None:
        return None
    lattice = emb.part("patch_tokens", [tile])[0].astype(np.float32)
    g = len(lattice)
    box = emb.grid.box(*tile)
    row, col = (min(g - 1, int(p / emb.grid.footprint * g)) for p in (y - box.y, x - box.x))
    token: Vectors = lattice[row, col]
    return None if np.isnan(token).any() else token


def vector_in(emb: EmbeddingSet, region: BaseGeometry) -> Vectors | None:
    """The mean direction (D,) of the tiles whose centre lies in a region (level-0 pixels).

    Where it holds no tile's centre: the embedding of the tile over a point inside. None where
    nothing of it is encoded.
    """
    import shapely

    inside = shapely.contains_xy(region, *emb.centres.T) if len(emb) else np.zeros(0, bool)
    if not inside.any():
        point = region.representative_point()
        return vector_at(emb, point.x, point.y)
    mean: Vectors = unit(emb.take(np.flatnonzero(inside))).mean(0)
    return unit(mean)


def token_in(emb: EmbeddingSet, region: BaseGeometry) -> Vectors | None:
    """The mean direction (d,) of the patch tokens whose centre lies in a region.

    Of at most `TILES_OF_REGION` of its tiles. Where it holds no token's centre: the token over a
    point inside. None where nothing of it has patch tokens.
    """
    import shapely

    grid = emb.grid
    x0, y0, x1, y1 = region.bounds
    tiles = grid.tiles_in(Box(x0, y0, x1 - x0, y1 - y0))
    kept = {tuple(tile) for tile in emb.having("patch_tokens").tolist()}
    tiles = np.array([t for t in tiles.tolist() if tuple(t) in kept], np.int64).reshape(-1, 2)
    if len(tiles):
        x, y, w, h = grid.boxes(tiles).T
        tiles = tiles[shapely.intersects(region, shapely.box(x, y, x + w, y + h))]
    if not len(tiles) or emb.load is None:
        return None
    some = np.unique(np.linspace(0, len(tiles) - 1, TILES_OF_REGION).astype(int))
    total: Vectors | None = None
    done = 0
    for piece in emb.pieces("patch_tokens", tiles[some]):
        g = piece.shape[1]
        boxes = grid.boxes(tiles[some][done : done + len(piece)])
        done += len(piece)
        at = (np.arange(g) + 0.5) / g * grid.footprint
        x = boxes[:, 0, None, None] + at[None, None, :]
        y = boxes[:, 1, None, None] + at[None, :, None]
        inside = shapely.contains_xy(region, *np.broadcast_arrays(x, y))
        inside &= np.isfinite(piece).all(-1)
        if inside.any():
            added = unit(piece[inside]).sum(0)
            total = added if total is None else total + added
    if total is None:
        point = region.representative_point()
        return token_at(emb, point.x, point.y)
    return unit(total)
