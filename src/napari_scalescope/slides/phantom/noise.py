"""Textures from lattices: smooth noise, streaks, and cells with walls.

A pixel shows the mean of what lies in it. Noise therefore says how much of itself a pixel size
resolves (`seen`), and a threshold taken of it is the expected share above it (`expected`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .lattice import Floats, Grid, Ints, Where, seeds, uniform

#: Standard deviation of a cubic B-spline over independent lattice values of unit variance
#: (square of the 1-D factor, the mean of the sum of squared weights, 151/315).
_SPLINE_SIGMA = 151 / 315
#: The same for two-dimensional interpolation with smoothstep weights.
_STEP_SIGMA = 26 / 35


@dataclass(frozen=True)
class Noise:
    """Smooth noise of zero mean and unit variance, summed over octaves of halving spacing.

    Octaves finer than the pixels they are evaluated for fade out: what remains is the mean over
    what cannot be resolved, and `lost` says how much that is.

    Parameters
    ----------
    key : int
    spacing : float
        Distance of the lattice nodes of the coarsest octave in µm. Blobs are about twice as wide.
    octaves : int
    gain : float
        Amplitude of an octave over that of the coarser one before it.
    """

    key: int
    spacing: float
    octaves: int = 1
    gain: float = 0.5

    def _terms(self, detail: float) -> list[tuple[int, float, float, float]]:
        """Key, spacing, amplitude and resolved share of every octave."""
        norm = math.sqrt(sum(self.gain ** (2 * k) for k in range(self.octaves)))
        terms = []
        for k in range(self.octaves):
            spacing = self.spacing / 2**k
            terms.append((self.key + 7919 * k, spacing, self.gain**k / norm, seen(spacing, detail)))
        return terms

    def on(self, where: Where) -> Floats:
        """Its values on a grid (h, w) or at points (n,), float32."""
        total: Floats | None = None
        for k, spacing, amplitude, share in self._terms(where.detail):
            if share > 0:
                scale = np.float32(math.sqrt(12) * amplitude * share / _SPLINE_SIGMA)

                def values(ix: Ints, iy: Ints, k: int = k, scale: np.float32 = scale) -> Floats:
                    return (uniform(ix, iy, k) - np.float32(0.5)) * scale

                term = where.spline(spacing, (k & 0xFFFF) / 0x10000, values)
                total = term if total is None else total + term
        if total is None:
            return np.zeros(np.broadcast_shapes(where.x.shape, where.y.shape), np.float32)
        return total

    def lost(self, detail: float) -> float:
        """Standard deviation of what pixels of that many µm do not resolve."""
        return math.sqrt(sum(a * a * (1 - share * share) for _, _, a, share in self._terms(detail)))


def seen(size: float, detail: float) -> float:
    """How much of a noise shows when averaged over pixels: 1 if resolved, 0 if averaged away.

    A fit to averages of splines over square pixels. What would have to be summed over many nodes
    a pixel is given up.
    """
    ratio = detail / size
    return math.exp(-0.1 * ratio * ratio) if ratio <= 2 else 0.0


def unseen(size: float, detail: float) -> float:
    """Standard deviation of the rest of a noise of unit variance."""
    return math.sqrt(1 - seen(size, detail) ** 2)


def streaks(u: Floats, v: Floats, along: float, across: float, k: int, detail: float) -> Floats:
    """Noise of zero mean and unit variance, stretched along curved coordinates.

    Parameters
    ----------
    u, v : (h, w) float32
        Curved coordinates in µm: along the streaks and across them.
    along, across : float
        Length and width of a streak in µm.
    k : int
        Key.
    detail : float
        What is finer than this (µm) fades.
    """
    share = seen(across, detail)
    if share == 0 or not u.size:
        return np.zeros(u.shape, np.float32)
    s, t = u * np.float32(1 / along), v * np.float32(1 / across)
    i, j = np.floor(s), np.floor(t)
    s, t = s - i, t - j
    i0, j0 = int(i.min()), int(j.min())
    cols, rows = np.arange(i0, int(i.max()) + 2), np.arange(j0, int(j.max()) + 2)
    scale = np.float32(math.sqrt(12) * share / _STEP_SIGMA)
    table = (uniform(cols[None, :], rows[:, None], k) - np.float32(0.5)) * scale
    n = len(cols)
    flat = table.ravel()
    at = (j - j0).astype(np.int32) * np.int32(n) + (i - i0).astype(np.int32)
    s, t = s * s * (3 - 2 * s), t * t * (3 - 2 * t)
    upper: Floats = flat[at]
    lower: Floats = flat[at + np.int32(n)]
    upper += (flat[at + np.int32(1)] - upper) * s
    lower += (flat[at + np.int32(n + 1)] - lower) * s
    upper += (lower - upper) * t
    return upper


def expected(excess: Floats, softness: float) -> Floats:
    """Share of a pixel where a noise exceeds a threshold.

    The exact step where all of the noise is resolved, and its mean over the unresolved part
    (taken as normal) where not.

    Parameters
    ----------
    excess : array
        The resolved part less the threshold.
    softness : float
        Standard deviation of the unresolved part.
    """
    # A smoothstep of the width of the normal distribution function.
    z: Floats = np.clip(excess * np.float32(0.36 / max(softness, 1e-3)) + np.float32(0.5), 0, 1)
    return z * z * (3 - 2 * z)


def walls(grid: Grid, spacing: float, k: int, rounding: float) -> Floats:
    """Distance (µm) from the walls between the cells around scattered seeds: (h, w) float32.

    Cells are Worley's (1996, "A cellular texture basis function") with rounded corners: where
    three meet, all of them recede.

    Parameters
    ----------
    rounding : float
        By how much, in µm.
    """
    reach = 1.7 * spacing
    nearest = np.full(grid.shape, reach, np.float32)
    crowd = np.full(grid.shape, 1e-9, np.float32)
    at = seeds(grid.bounds, spacing, k, reach, 0.75)
    # Cells differ in size: a seed's head start.
    lead = at.random(1, -0.16, 0.16) * np.float32(spacing)
    for i in range(len(at)):
        window = grid.window(at.x[i], at.y[i], reach)
        if window is None:
            continue
        rows, cols = window
        dx = (grid.x[:, cols] - at.x[i]).astype(np.float32)
        dy = (grid.y[rows] - at.y[i]).astype(np.float32)
        d = np.sqrt(dx * dx + dy * dy) + lead[i]
        np.minimum(nearest[window], d, out=nearest[window])
        crowd[window] += np.exp(d * np.float32(-1 / rounding))
    own = np.exp(nearest * np.float32(-1 / rounding))
    others = np.maximum(crowd - own, own * np.float32(1e-5))
    distance: Floats = (-np.float32(rounding) * np.log(others) - nearest) / 2
    return distance
