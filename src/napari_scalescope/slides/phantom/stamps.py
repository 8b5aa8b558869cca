"""Drawing many small outlines onto pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .lattice import Floats, Grid, Ints
from .noise import Noise

#: Stamps smaller than this radius (px) are spread over the four nearest pixels.
_DOT = 0.9
#: Stamps of this half-width (px) are stamped in bulk.
_TINY = 4


@dataclass
class Shapes:
    """Outlines ready to be stamped, all (n,): places (µm), semi-axes (µm), and looks."""

    x: Floats
    y: Floats
    a: Floats
    b: Floats
    angle: Floats
    h: Floats
    wobble: Floats
    phase: Floats
    rim: float

    def __len__(self) -> int:
        return len(self.x)


class Sheet:
    """Where cells cover a window of pixels, and how dark they are there.

    Members that overlap hide each other (the darkest wins), so that their order does not matter.

    Parameters
    ----------
    grid : Grid
        The pixels.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._buffer = np.zeros((2, *grid.shape), np.float32)
        self._dots: list[tuple[Ints, Floats, Floats]] = []
        self.empty = True

    def stamp(self, s: Shapes) -> None:
        """Add cells."""
        if not len(s):
            return
        self.empty = False
        p = self.grid.step
        radius = np.sqrt(s.a * s.b) / p
        small = radius < _DOT
        if small.any():
            self._dot(s, np.flatnonzero(small), radius)
        reach = np.ceil(np.maximum(s.a, s.b) * (1 + s.wobble) / p + 1.0).astype(int)
        # Patches of a few sizes, so that those of a size are computed together.
        sizes = np.unique(np.round(1.3 ** np.arange(1, 22)).astype(int) + 1)
        bucket = sizes[np.minimum(np.searchsorted(sizes, reach), len(sizes) - 1)]
        for size in np.unique(bucket[~small]):
            chosen = np.flatnonzero((bucket == size) & ~small)
            batch = max(1, 400_000 // (2 * size + 1) ** 2)
            for start in range(0, len(chosen), batch):
                self._patches(s, chosen[start : start + batch], int(size))

    def _pixel(self, s: Shapes, who: Ints) -> tuple[Floats, Floats]:
        """Position in pixels, centre-based."""
        g = self.grid
        return (s.x[who] - g.x0) / g.step, (s.y[who] - g.y0) / g.step

    def _patches(self, s: Shapes, who: Ints, size: int) -> None:
        p = self.grid.step
        px, py = self._pixel(s, who)
        i, j = np.round(px).astype(int), np.round(py).astype(int)
        offset = np.arange(-size, size + 1)
        one = (slice(None), None, None)
        dx = ((offset[None, :] - (px - i)[:, None]) * p).astype(np.float32)[:, None, :]
        dy = ((offset[None, :] - (py - j)[:, None]) * p).astype(np.float32)[:, :, None]
        c, sn = np.cos(s.angle[who])[one], np.sin(s.angle[who])[one]
        a, b = s.a[who][one], s.b[who][one]
        u, v = (dx * c + dy * sn) / a, (dy * c - dx * sn) / b
        rr = u * u + v * v
        r = np.sqrt(rr) + np.float32(1e-6)
        # The outline bulges in two and three places: cosines of multiples of the angle,
        # without the angle.
        bulge = s.wobble[who][one]
        cp, sp = np.cos(s.phase[who])[one], np.sin(s.phase[who])[one]
        two = (u * u - v * v) * cp + 2 * u * v * sp
        three = (u * (u * u - 3 * v * v) * sp + v * (3 * u * u - v * v) * cp) / r
        r = r * (1 + bulge * (two + three) / (rr + np.float32(0.05)))
        soft = np.float32(1 / max(p, 0.75))
        width = np.minimum(np.sqrt(a * b), 1.6 * b)
        cover = np.clip((1 - r) * width * soft + np.float32(0.5), 0, 1)
        # Towards the membrane: a dark rim around a brighter middle, stronger on one side.
        depth = np.clip((1 - r) * width / np.float32(2.2), 0, 1)
        tilt = np.float32(0.12) * (u * cp + v * sp)
        dark = cover * s.h[who][one] * (1 + np.float32(s.rim) * (np.float32(0.4) - depth) + tilt)
        h, w = self.grid.shape
        if size <= _TINY:
            # Many of a few pixels each: faster all at once than one by one.
            cols, rows = i[one] + offset[None, None, :], j[one] + offset[None, :, None]
            on = (cols >= 0) & (cols < w) & (rows >= 0) & (rows < h)
            index = (rows * w + cols)[on]
            for channel, values in enumerate((cover, dark)):
                np.maximum.at(self._buffer[channel].ravel(), index, values[on])
            return
        stamps = np.stack([cover, dark], axis=1)
        x0, y0 = np.maximum(i - size, 0), np.maximum(j - size, 0)
        x1, y1 = np.minimum(i + size + 1, w), np.minimum(j + size + 1, h)
        for k in np.flatnonzero((x1 > x0) & (y1 > y0)):
            view = self._buffer[:, y0[k] : y1[k], x0[k] : x1[k]]
            dy, dx = size - j[k], size - i[k]
            stamp = stamps[k, :, y0[k] + dy : y1[k] + dy, x0[k] + dx : x1[k] + dx]
            np.maximum(view, stamp, out=view)

    def _dot(self, s: Shapes, who: Ints, radius: Floats) -> None:
        """Add cells as four dots each, whose areas are shared out to the nearest pixels."""
        px, py = self._pixel(s, who)
        area = np.float32(math.pi / 4) * radius[who] ** 2
        half = radius[who] / 2
        for sx, sy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            x, y = px + sx * half, py + sy * half
            i, j = np.floor(x).astype(int), np.floor(y).astype(int)
            fx, fy = x - i, y - j
            h, w = self.grid.shape
            for di, wx in ((0, 1 - fx), (1, fx)):
                for dj, wy in ((0, 1 - fy), (1, fy)):
                    on = (i + di >= 0) & (i + di < w) & (j + dj >= 0) & (j + dj < h)
                    amount = (area * wx * wy)[on]
                    self._dots.append((((j + dj) * w + i + di)[on], amount, amount * s.h[who][on]))

    def result(self, chromatin: Noise | None = None) -> tuple[Floats, Floats]:
        """Share of each pixel that is covered, and the concentration there: (h, w) each.

        Parameters
        ----------
        chromatin : Noise, optional
            Mottles the concentration.
        """
        cover: Floats = self._buffer[0]
        dark: Floats = self._buffer[1]
        if self._dots:
            at, amount, amount_dark = (np.concatenate(a) for a in zip(*self._dots, strict=True))
            shape = self.grid.shape
            dots = np.bincount(at, amount, cover.size).reshape(shape).astype(np.float32)
            dots_dark = np.bincount(at, amount_dark, cover.size).reshape(shape).astype(np.float32)
            free = (1 - cover) / np.maximum(dots, 1)
            cover, dark = cover + free * dots, dark + free * dots_dark
        h: Floats = dark / np.maximum(cover, np.float32(1e-3))
        if chromatin is not None:
            h = h * (1 + np.float32(0.24) * chromatin.on(self.grid))
        return np.minimum(cover, 1), np.maximum(h, 0)
