"""Where a raster lies in napari, and what its camera shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .boxes import Box, IntArray

#: Finest of the resolutions that views are encoded at, µm per pixel.
LADDER_START = 0.25


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
