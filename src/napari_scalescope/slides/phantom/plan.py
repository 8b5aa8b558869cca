"""What is decided once for a slide: where its tissue lies, how it was folded and marked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .lattice import Floats, Grid, Where, key, number
from .layout import FAR
from .noise import Noise

#: Long side, in steps, of the grid on which a slide is planned.
PLAN_STEPS = 128


@dataclass(frozen=True)
class Piece:
    """One piece of tissue before its edge is roughened: a superellipse.

    Parameters
    ----------
    x, y : float
        Centre in µm.
    a, b : float
        Semi-axes in µm.
    angle : float
        Direction of the first axis in radians.
    """

    x: float
    y: float
    a: float
    b: float
    angle: float

    def height(self, where: Where) -> Floats:
        """1 in the centre, 0 on the rim, negative outside; times the shorter semi-axis (µm)."""
        dx, dy = where.x - self.x, where.y - self.y
        c, s = math.cos(self.angle), math.sin(self.angle)
        u = np.abs((dx * c + dy * s) / self.a).astype(np.float32)
        v = np.abs((dy * c - dx * s) / self.b).astype(np.float32)
        r = (u**2.25 + v**2.25) ** np.float32(1 / 2.25)
        return (1 - r) * np.float32(min(self.a, self.b))


@dataclass(frozen=True)
class Stroke:
    """A band along a curve: a fold of the tissue or a line drawn on the glass.

    Parameters
    ----------
    path : (n, 2) float64
        Points of the curve in µm.
    half_width : float
        In µm.
    key : int
        Of its roughness.
    taper : float
        Share of the width that is lost towards both ends.
    """

    path: Floats
    half_width: float
    key: int
    taper: float = 0.0

    def on(self, grid: Grid) -> tuple[Floats, Floats, Floats]:
        """Distance inside the edge, along the curve and across it (µm, (h, w) float32 each).

        The first is positive inside and `FAR` where the band is nowhere near.
        """
        nearest = np.full(grid.shape, -FAR, np.float32)
        along = np.zeros(grid.shape, np.float32)
        across = np.zeros(grid.shape, np.float32)
        reach = 1.6 * self.half_width + 2 * grid.step
        travelled = 0.0
        for p, q in zip(self.path[:-1], self.path[1:], strict=True):
            length = math.dist(p, q)
            x, y = (p + q) / 2
            window = grid.window(x, y, reach + length / 2)
            if window is not None:
                part = grid.part(*window)
                tx, ty = (q - p) / length
                dx = (part.x - p[0]).astype(np.float32)
                dy = (part.y - p[1]).astype(np.float32)
                s = dx * np.float32(tx) + dy * np.float32(ty)
                t = dy * np.float32(tx) - dx * np.float32(ty)
                beyond = np.maximum(np.maximum(-s, s - np.float32(length)), 0)
                distance = np.sqrt(t * t + beyond * beyond)
                nearer = distance < nearest[window]
                nearest[window][nearer] = distance[nearer]
                along[window][nearer] = (s + np.float32(travelled))[nearer]
                across[window][nearer] = t[nearer]
            travelled += length
        inside = np.full(grid.shape, FAR, np.float32)
        near = nearest < reach
        rows, cols = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
        if len(rows):
            here = slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1)
            rough = Noise(self.key, self.half_width * 3, 5, 0.55).on(grid.part(*here))
            width = np.float32(self.half_width) * (1 + np.float32(0.2) * rough)
            if self.taper:
                middle = np.float32(travelled / 2)
                width *= 1 - np.float32(self.taper) * np.abs(along[here] / middle - 1)
            inside[here] = np.where(near[here], width - nearest[here], FAR)
        return inside, along, across


class Plan:
    """Where tissue lies on a slide and what happened to it.

    Parameters
    ----------
    width, height : float
        Size of the slide in µm.
    seed : int

    Attributes
    ----------
    domain : float
        Size of a territory of tissue in µm.
    coverage : float
        Share of the slide that is tissue.
    folds, pens : tuple of Stroke
    ink : {"blue", "green"}
    """

    def __init__(self, width: float, height: float, seed: int) -> None:
        self.width, self.height, self.seed = width, height, seed
        self.short = min(width, height)
        self.domain = float(np.clip(self.short / 3.0, 550, 2400))
        self.coverage = 0.58 + 0.14 * number(seed, "coverage")
        self.ink = "blue" if number(seed, "ink") < 0.5 else "green"
        size = float(np.clip(self.short / 2.6, 150, 6000))
        self._rough = Noise(key(seed, "outline"), size, max(3, round(math.log2(size / 14))), 0.56)
        self._roughness = 0.24 * size
        self._level = 0.0
        step = max(width, height) / PLAN_STEPS
        self._overview = Grid(
            step / 2, step / 2, step, max(2, round(width / step)), max(2, round(height / step))
        )
        # The threshold that makes the share of tissue what it should be.
        self._level = float(np.quantile(self.tissue(self._overview), 1 - self.coverage))

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """One piece on a small or square slide, up to three side by side on a large long one."""
        long = max(self.width, self.height)
        most = 1 if self.short < 6000 else 3 if long > 1.5 * self.short else 2
        n = 1 + int(most * number(self.seed, "pieces"))
        out = []
        for i in range(n):
            shift = [number(self.seed, "piece", i, c) - 0.5 for c in "xytab"]
            along = (i + 0.5 + 0.08 * shift[0]) / n
            x, y, w, h = along, 0.5 + 0.05 * shift[1], 1 / n, 1.0
            if self.height > self.width:
                x, y, w, h = y, x, h, w
            a = 0.52 * w * self.width * (1 + 0.2 * shift[3])
            b = 0.52 * h * self.height * (1 + 0.2 * shift[4])
            out.append(Piece(x * self.width, y * self.height, a, b, 0.5 * shift[2]))
        return tuple(out)

    def tissue(self, where: Where) -> Floats:
        """Distance from the edge of the tissue, positive inside, in µm (about)."""
        top = self.pieces[0].height(where)
        for piece in self.pieces[1:]:
            top = np.maximum(top, piece.height(where))
        # Tissue keeps away from the edge of the glass.
        aside = np.minimum(
            np.minimum(where.x, self.width - where.x), np.minimum(where.y, self.height - where.y)
        )
        rough = self._rough.on(where) * np.float32(self._roughness)
        margin = 0.12 * self.short
        near = np.maximum(margin - aside.astype(np.float32) - np.float32(0.4) * rough, 0)
        wall = np.square(near) * np.float32(6 / margin)
        height: Floats = top + rough - wall - np.float32(self._level)
        return height

    def softness(self, detail: float) -> float:
        """What of the tissue's edge pixels of ``detail`` µm do not resolve, in µm."""
        return self._roughness * self._rough.lost(detail)

    # --- what happened to it ---

    @cached_property
    def folds(self) -> tuple[Stroke, ...]:
        """One fold on a small slide, up to three on a large one."""
        n = 1 + int((1 + 2 * min(1.0, self.short / 20_000)) * number(self.seed, "folds"))
        height = self.tissue(self._overview)
        inside = np.argwhere(height > np.quantile(height, 1 - 0.6 * self.coverage))
        out = []
        for i in range(n):
            j, k = inside[int(number(self.seed, "fold", i) * len(inside))]
            middle = (self._overview.x[0, k], self._overview.y[j, 0])
            length = min(0.55 * self.short, 7000)
            half = min(0.011 * self.short, 70.0)
            out.append(self._stroke(middle, None, length, half, ("fold", i), taper=1.0))
        return tuple(out)

    @cached_property
    def pens(self) -> tuple[Stroke, ...]:
        """One stroke, two on a large slide: across the tissue's edge, most of it over glass."""
        n = 1 if self.short < 8000 else 1 + int(2 * number(self.seed, "pens"))
        grid = self._overview
        height = self.tissue(grid)
        gy, gx = (np.asarray(slope) for slope in np.gradient(height, grid.step))
        x, y = np.broadcast_arrays(grid.x, grid.y)
        m = 0.17 * self.short
        central = (x > m) & (x < self.width - m) & (y > m) & (y < self.height - m)
        rim = np.argwhere(central & (np.abs(height) < 2 * grid.step) & (np.hypot(gx, gy) > 0.05))
        if not len(rim):
            rim = np.argwhere(np.abs(height) <= np.abs(height).min())
        out = []
        for i in range(n):
            j, k = rim[int(number(self.seed, "pen", i) * len(rim))]
            outward = math.atan2(-gy[j, k], -gx[j, k])
            lean = 0.9 * (2 * number(self.seed, "pen lean", i) - 1)
            length = min(0.42 * self.short, 9000.0)
            half = min(0.027 * self.short, 330.0)
            away = 0.16 * length
            middle = (
                x[j, k] + away * math.cos(outward),
                y[j, k] + away * math.sin(outward),
            )
            out.append(self._stroke(middle, outward + lean, length, half, ("pen", i)))
        return tuple(out)

    def _stroke(
        self,
        middle: tuple[float, float],
        angle: float | None,
        length: float,
        half: float,
        name: tuple[str, int],
        taper: float = 0.0,
    ) -> Stroke:
        """A gently bent curve through a place."""
        draw = [number(self.seed, *name, c) for c in ("angle", "bend", "twist", "length")]
        angle = 2 * math.pi * draw[0] if angle is None else angle
        t = np.linspace(-0.5, 0.5, 33)
        length *= 0.75 + 0.5 * draw[3]
        side = (0.5 * (draw[1] - 0.5) * (4 * t * t - 0.3) + 0.5 * (draw[2] - 0.5) * t**3 * 4) * 0.6
        c, s = math.cos(angle), math.sin(angle)
        path = np.stack([c * t - s * side, s * t + c * side], 1) * length + middle
        return Stroke(path, half, key(self.seed, *name, "edge"), taper)
