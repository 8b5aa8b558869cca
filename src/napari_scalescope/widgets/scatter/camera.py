"""Between the data and the screen.

Coordinates called *data* are those of the points, y up; coordinates called *screen* are logical
pixels from the upper left corner of the view, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .arrays import Indices, Positions

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Camera:
    """Which part of the data the view shows: everything between data and screen goes through it.

    Both axes share one scale, because distances in an embedding are compared by eye.

    Parameters
    ----------
    x, y : float
        The data coordinates in the middle of the view.
    scale : float
        Logical pixels per unit of data.
    width, height : int
        Size of the view in logical pixels.
    """

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    width: int = 1
    height: int = 1

    @classmethod
    def fit(
        cls,
        bounds: Bounds,
        width: int,
        height: int,
        margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
    ) -> Camera:
        """The camera that shows all of ``bounds`` (x0, y0, x1, y1).

        ``margins`` (left, top, right, bottom; logical px) are kept free where there is room.
        """
        x0, y0, x1, y1 = bounds
        left, top, right, bottom = margins
        free_w = max(width - left - right, 0.5 * width, 1.0)
        free_h = max(height - top - bottom, 0.5 * height, 1.0)
        extent_x, extent_y = x1 - x0, y1 - y0
        if max(extent_x, extent_y) <= max(1e-6 * max(map(abs, bounds)), 1e-12):
            extent_x = extent_y = 1.0  # a single place, as far as single precision can tell
        scale = min(
            free_w / extent_x if extent_x > 0 else math.inf,
            free_h / extent_y if extent_y > 0 else math.inf,
        )
        return cls(
            (x0 + x1) / 2 - (left - right) / 2 / scale,
            (y0 + y1) / 2 + (top - bottom) / 2 / scale,
            scale,
            width,
            height,
        )

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        """Screen position of a place in the data."""
        return (
            (x - self.x) * self.scale + self.width / 2,
            (self.y - y) * self.scale + self.height / 2,
        )

    def to_data(self, px: float, py: float) -> tuple[float, float]:
        """Place in the data under a screen position."""
        return (
            self.x + (px - self.width / 2) / self.scale,
            self.y - (py - self.height / 2) / self.scale,
        )

    def panned(self, dx: float, dy: float) -> Camera:
        """The camera after the data moved by (dx, dy) logical pixels."""
        return replace(self, x=self.x - dx / self.scale, y=self.y + dy / self.scale)

    def zoomed(self, factor: float, px: float, py: float) -> Camera:
        """The camera after zooming in by ``factor``, with what is under (px, py) staying there."""
        x, y = self.to_data(px, py)
        scale = self.scale * factor
        return replace(
            self,
            x=x - (px - self.width / 2) / scale,
            y=y + (py - self.height / 2) / scale,
            scale=scale,
        )

    def resized(self, width: int, height: int) -> Camera:
        """The same centre and scale in a view of another size."""
        return replace(self, width=width, height=height)

    def project(
        self, x: Positions, y: Positions, ratio: float = 1.0, reach: int = 0
    ) -> tuple[Positions, Positions, Indices | slice]:
        """Screen positions of the points in view, and which points these are.

        Parameters
        ----------
        x, y : float32 array (n,)
            The points.
        ratio : float
            Device pixels per logical pixel: positions are in device pixels.
        reach : int
            How far outside of the view a point may be (device px).

        Returns
        -------
        px, py : float32 array
            Screen positions.
        kept : int array or slice
            Where they are among the points; a slice where that is all of them.
        """
        scale = np.float32(self.scale * ratio)
        width, height = self.width * ratio, self.height * ratio
        # The difference first: single precision holds it exactly where the view is zoomed in.
        px = (x - np.float32(self.x)) * scale
        px += np.float32(width / 2)
        py = (np.float32(self.y) - y) * scale
        py += np.float32(height / 2)
        seen = (px >= -reach) & (px < width + reach)
        seen &= (py >= -reach) & (py < height + reach)
        if seen.all():
            return px, py, slice(None)
        kept = np.flatnonzero(seen)
        return px[kept], py[kept], kept
