"""Where things are: every conversion of coordinates in ScaleScope is in this file.

The one coordinate system is **level-0 pixels**: x to the right, y down, the origin at the
*corner* of the first pixel, floats. A pixel with index i therefore covers [i, i + 1) and has its
centre at i + 0.5. Lengths on the glass are in micrometres (µm); resolution is µm per pixel
(``mpp``). Arrays are indexed ``[row, column]``, points and boxes are written ``(x, y)``.

napari's world is µm on the same axes (or level-0 pixels for a slide of unknown resolution), so
``world = level0 * mpp``. Because napari puts the *centre* of pixel i at ``i * scale +
translate``, every raster layer carries a translation of half of its own pixel: see `Placement`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Link = Literal["centre", "overlap"]

#: Two footprints that share less than this (level-0 px) only touch.
TOUCH = 1e-6
#: Finest of the resolutions that views are encoded at, µm per pixel.
LADDER_START = 0.25


class Box(NamedTuple):
    """An axis-aligned rectangle ``(x, y, w, h)`` in level-0 pixels (floats)."""

    x: float
    y: float
    w: float
    h: float

    @classmethod
    def from_corners(cls, x0: float, y0: float, x1: float, y1: float) -> Box:
        """The box between two opposite corners, given in any order."""
        return cls(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))

    @classmethod
    def around(cls, centre: tuple[float, float], w: float, h: float | None = None) -> Box:
        """The box of size ``w`` by ``h`` (default: square) centred on ``(x, y)``."""
        h = w if h is None else h
        return cls(centre[0] - w / 2, centre[1] - h / 2, w, h)

    @property
    def x1(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def y1(self) -> float:
        """Lower edge."""
        return self.y + self.h

    @property
    def centre(self) -> tuple[float, float]:
        """Centre as ``(x, y)``."""
        return (self.x + self.w / 2, self.y + self.h / 2)

    @property
    def area(self) -> float:
        """Area in square level-0 pixels."""
        return self.w * self.h

    def intersection(self, other: Box) -> Box | None:
        """The common part of two boxes, or None where they do not overlap."""
        x0, y0 = max(self.x, other.x), max(self.y, other.y)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        return Box(x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in the box (left and upper edges belong to it)."""
        return self.x <= x < self.x1 and self.y <= y < self.y1

    def grown(self, margin: float) -> Box:
        """The box with ``margin`` level-0 pixels added on every side."""
        return Box(self.x - margin, self.y - margin, self.w + 2 * margin, self.h + 2 * margin)


class HasExtent(Protocol):
    """What geometry needs to know of a slide."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """(width, height) of level 0 in pixels."""

    @property
    def mpp(self) -> float | None:
        """µm per level-0 pixel."""


# --- levels -----------------------------------------------------------------------------------


def level_downsample(size0: tuple[int, int], size: tuple[int, int]) -> float:
    """The true downsample of a pyramid level, given both sizes ``(w, h)`` in pixels.

    Writers make levels by a whole factor and cut or round the last column, so the ratio of the
    sizes is a little off (15374 / 3843 = 4.0005) and would shift the far corner of a slide by a
    whole level pixel. Where a whole factor explains both sizes to within one pixel it is taken,
    a power of two before others; else the mean of both ratios.
    """
    ratio = (size0[0] / size[0] + size0[1] / size[1]) / 2
    whole = [
        f
        for f in range(max(1, math.floor(ratio * 0.9)), math.ceil(ratio * 1.1) + 1)
        if all(abs(s - s0 / f) < 1 for s, s0 in zip(size, size0, strict=True))
    ]
    if whole:
        return float(min(whole, key=lambda f: (f & (f - 1) != 0, abs(f - ratio))))
    return ratio


def to_level(xy: npt.ArrayLike, downsample: float) -> FloatArray:
    """Level-0 pixels to pixels of a level, both corner-based floats of any shape."""
    return np.asarray(xy, np.float64) / downsample


def from_level(xy: npt.ArrayLike, downsample: float) -> FloatArray:
    """Pixels of a level to level-0 pixels, both corner-based floats of any shape."""
    return np.asarray(xy, np.float64) * downsample


def to_um(xy: npt.ArrayLike, mpp: float) -> FloatArray:
    """Level-0 pixels to µm from the slide's upper left corner."""
    return np.asarray(xy, np.float64) * mpp


def from_um(xy: npt.ArrayLike, mpp: float) -> FloatArray:
    """µm from the slide's upper left corner to level-0 pixels."""
    return np.asarray(xy, np.float64) / mpp


# --- napari -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Placement:
    """Where a raster lies over the slide: the corner of its first cell and the size of a cell.

    Parameters
    ----------
    x, y : float
        Upper left corner of cell ``[0, 0]`` in level-0 pixels.
    cell : float
        Side of one square cell in level-0 pixels.
    """

    x: float
    y: float
    cell: float

    def napari(self, mpp: float | None) -> dict[str, tuple[float, float]]:
        """``scale`` and ``translate`` (y, x) that put the raster in place in napari's world.

        The world is µm, or level-0 pixels where ``mpp`` is None.
        """
        unit = mpp or 1.0
        half = self.cell / 2
        return {
            "scale": (self.cell * unit, self.cell * unit),
            "translate": ((self.y + half) * unit, (self.x + half) * unit),
        }

    def box(self, shape: Sequence[int]) -> Box:
        """The level-0 box that a raster of ``shape`` (rows, cols, …) covers."""
        return Box(self.x, self.y, shape[1] * self.cell, shape[0] * self.cell)

    def index(self, xy: npt.ArrayLike) -> IntArray:
        """The cell ``(row, col)`` under each point ``(..., 2)`` of level-0 ``(x, y)``."""
        p = (np.asarray(xy, np.float64) - (self.x, self.y)) / self.cell
        return np.floor(p[..., ::-1]).astype(np.int64)


def viewport_box(
    centre: Sequence[float], zoom: float, canvas: Sequence[float], mpp: float | None
) -> Box:
    """The level-0 box that a napari canvas shows.

    Parameters
    ----------
    centre : sequence of float
        ``camera.center``: world coordinates, y and x last.
    zoom : float
        ``camera.zoom``: canvas pixels per world unit.
    canvas : (float, float)
        ``viewer.canvas.size``: (height, width) in logical pixels.
    mpp : float or None
        The slide's resolution, None where it is unknown (then the world is level-0 pixels).
    """
    unit = mpp or 1.0
    h, w = canvas[0] / zoom / unit, canvas[1] / zoom / unit
    return Box.around((centre[-1] / unit, centre[-2] / unit), w, h)


def screen_mpp(zoom: float) -> float:
    """µm per logical screen pixel at a camera zoom (world pixels for an unscaled slide)."""
    return 1.0 / zoom


def scale_for_view(wanted: float, native: float) -> float:
    """The resolution to encode at when the screen shows ``wanted`` µm per pixel.

    Scales that follow the zoom are taken from a ladder, so that what was encoded at nearly the
    same zoom is found again, on this slide and on others: 0.25 µm/px and its doubles. The lowest
    rung is the slide's own resolution; nothing is invented by upsampling. A rung within 5 % of
    the slide's own stands for it.
    """
    first = math.ceil(math.log2(native / LADDER_START / 1.05) - 1e-9)
    lowest = LADDER_START * 2.0**first
    if native < lowest / 1.05 and wanted < math.sqrt(native * lowest):
        return native  # the slide lies between two rungs and is one itself
    return lowest * 2.0 ** max(0, round(math.log2(wanted / lowest)))


# --- tiles ------------------------------------------------------------------------------------


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
        for lo, extent, n in ((box.y, box.h, self.rows), (box.x, box.w, self.cols)):
            start, stop = _span(_edges(self, n), np.array([lo]), np.array([lo + extent]), rule)
            spans.append(np.arange(start[0], max(start[0], stop[0]), dtype=np.int64))
        return np.stack(np.meshgrid(*spans, indexing="ij"), -1).reshape(-1, 2)

    def outward(self, tiles: npt.ArrayLike, x: float, y: float) -> IntArray:
        """The same tiles, those nearest to a point first."""
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        distance = ((self.centres(tiles) - (x, y)) ** 2).sum(1)
        return tiles[np.argsort(distance, kind="stable")]


# --- tiles of two grids -----------------------------------------------------------------------


def _edges(grid: TileGrid, n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lower edges, centres and upper edges of the first n tiles along an axis, increasing."""
    lo = np.arange(n, dtype=np.float64) * grid.pitch
    return lo, lo + grid.footprint / 2, lo + grid.footprint


def _span(
    edges: tuple[FloatArray, FloatArray, FloatArray], lo: FloatArray, hi: FloatArray, rule: Link
) -> tuple[IntArray, IntArray]:
    """For each interval [lo, hi): the range of tiles related to it along one axis."""
    tile_lo, tile_centre, tile_hi = edges
    if rule == "centre":
        return (
            np.searchsorted(tile_centre, lo, "left").astype(np.int64),
            np.searchsorted(tile_centre, hi, "left").astype(np.int64),
        )
    return (
        np.searchsorted(tile_hi - TOUCH, lo, "right").astype(np.int64),
        np.searchsorted(tile_lo, hi - TOUCH, "left").astype(np.int64),
    )


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
    out = []
    for n_coarse, n_fine in ((coarse.rows, fine.rows), (coarse.cols, fine.cols)):
        lo, _, hi = _edges(coarse, n_coarse)
        out.append(np.stack(_span(_edges(fine, n_fine), lo, hi, rule), 1))
    return tuple(out)


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
    out = []
    for n_coarse, n_fine in ((coarse.rows, fine.rows), (coarse.cols, fine.cols)):
        lo, _, hi = _edges(coarse, n_coarse)
        fine_lo, centre, fine_hi = _edges(fine, n_fine)
        if rule == "centre":
            start = np.searchsorted(hi, centre, "right")
            stop = np.searchsorted(lo, centre, "right")
        else:
            start = np.searchsorted(hi - TOUCH, fine_lo, "right")
            stop = np.searchsorted(lo, fine_hi - TOUCH, "left")
        out.append(np.stack([start, stop], 1).astype(np.int64))
    return tuple(out)


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
