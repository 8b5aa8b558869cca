"""`TileGrid`: the tiles of a slide at one resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .boxes import Box, FloatArray, IntArray
from .placement import Placement
from .spans import Edges, Link, tile_edges, tiles_of


class HasExtent(Protocol):
    """What geometry needs to know of a slide."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """(width, height) of level 0 in pixels."""

    @property
    def mpp(self) -> float | None:
        """µm per level-0 pixel."""


@dataclass(frozen=True)
class TileGrid:
    """A regular grid of square tiles at one resolution over one slide.

    A *tile* is the square of tissue given to an encoder. Its footprint on the slide is
    ``tile_px * mpp / slide_mpp`` level-0 pixels, a float: it is never rounded, and the position
    of tile (row, col) is a product, not a sum, so nothing drifts towards the far corner.

    Parameters
    ----------
    mpp : float
        Resolution of the tiles, µm per tile pixel.
    tile_px, stride_px : int
        Side of a tile and distance between neighbours, in tile pixels.
    rows, cols : int
        Size of the grid.
    slide_mpp : float
        Resolution of the slide's level 0.
    """

    mpp: float
    tile_px: int
    stride_px: int
    rows: int
    cols: int
    slide_mpp: float

    def __post_init__(self) -> None:
        if not (self.mpp > 0 and self.slide_mpp > 0 and self.tile_px > 0 and self.stride_px > 0):
            raise ValueError("mpp, slide_mpp, tile_px and stride_px must be positive")
        if self.rows < 1 or self.cols < 1:
            raise ValueError("a grid has at least one tile")

    @classmethod
    def cover(
        cls, slide: HasExtent, mpp: float, tile_px: int = 224, stride_px: int | None = None
    ) -> TileGrid:
        """The smallest grid whose tiles cover the whole slide.

        The last row and column may reach past the slide's edge; what lies there is read as
        white. A slide smaller than one tile gets one tile.

        Raises
        ------
        ValueError
            If the slide's resolution is unknown.
        """
        if slide.mpp is None:
            raise ValueError("the slide's resolution is unknown: no tile grid without µm per px")
        stride_px = tile_px if stride_px is None else stride_px
        scale = mpp / slide.mpp
        w, h = slide.dimensions

        def count(extent: int) -> int:
            rest = (extent - tile_px * scale) / (stride_px * scale)
            return 1 + max(0, math.ceil(rest - 1e-9))

        return cls(mpp, tile_px, stride_px, count(h), count(w), slide.mpp)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return (self.rows, self.cols)

    @property
    def footprint(self) -> float:
        """Side of a tile in level-0 pixels."""
        return self.tile_px * self.mpp / self.slide_mpp

    @property
    def pitch(self) -> float:
        """Distance between neighbouring tiles in level-0 pixels."""
        return self.stride_px * self.mpp / self.slide_mpp

    @property
    def tile_um(self) -> float:
        """Side of a tile in µm."""
        return self.tile_px * self.mpp

    @property
    def placement(self) -> Placement:
        """Where a raster with one cell per tile lies.

        Cells are as wide as the pitch and each is centred on its tile.
        """
        inset = (self.footprint - self.pitch) / 2
        return Placement(inset, inset, self.pitch)

    def box(self, row: int, col: int) -> Box:
        """The footprint of one tile."""
        return Box(col * self.pitch, row * self.pitch, self.footprint, self.footprint)

    def boxes(self, tiles: npt.ArrayLike) -> FloatArray:
        """Footprints (n, 4) as x, y, w, h of ``tiles`` (n, 2) given as row, col."""
        corners = np.asarray(tiles, np.float64)[:, ::-1] * self.pitch
        return np.concatenate([corners, np.full_like(corners, self.footprint)], axis=1)

    def centres(self, tiles: npt.ArrayLike) -> FloatArray:
        """Centres (n, 2) as x, y of ``tiles`` (n, 2) given as row, col."""
        return np.asarray(tiles, np.float64)[:, ::-1] * self.pitch + self.footprint / 2

    @property
    def row_edges(self) -> Edges:
        """Upper edges, centres and lower edges of the rows, level-0 pixels."""
        return tile_edges(self.rows, self.pitch, self.footprint)

    @property
    def col_edges(self) -> Edges:
        """Left edges, centres and right edges of the columns, level-0 pixels."""
        return tile_edges(self.cols, self.pitch, self.footprint)

    def all_tiles(self) -> IntArray:
        """Every tile (rows * cols, 2) as row, col, row by row."""
        return np.indices(self.shape, dtype=np.int64).reshape(2, -1).T

    def tile_at(self, x: float, y: float) -> tuple[int, int] | None:
        """The tile whose centre is nearest to a point, or None outside every footprint."""

        def nearest(p: float, n: int) -> int | None:
            i = min(max(round((p - self.footprint / 2) / self.pitch), 0), n - 1)
            # A point on the edge between two tiles is as near to both and belongs to the second.
            for j in (i, i + 1, i - 1):
                lower = j * self.pitch
                if 0 <= j < n and lower <= p < lower + self.footprint:
                    return j
            return None

        row, col = nearest(y, self.rows), nearest(x, self.cols)
        return None if row is None or col is None else (row, col)

    def tiles_in(self, box: Box, rule: Link = "overlap") -> IntArray:
        """Tiles (n, 2) as row, col whose footprint overlaps ``box``, or whose centre is in it."""
        spans = []
        for lo, extent, tiles in ((box.y, box.h, self.row_edges), (box.x, box.w, self.col_edges)):
            interval = tile_edges(1, 1.0, extent)
            span = tiles_of(Edges(*(edge + lo for edge in interval)), tiles, rule)
            spans.append(np.arange(*span[0], dtype=np.int64))
        return np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 2)

    def outward(self, tiles: npt.ArrayLike, x: float, y: float) -> IntArray:
        """The same tiles, those nearest to a point first."""
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        distance = ((self.centres(tiles) - (x, y)) ** 2).sum(1)
        return tiles[np.argsort(distance, kind="stable")]
