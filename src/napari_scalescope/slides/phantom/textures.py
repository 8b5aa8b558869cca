"""What each class is painted with: concentrations of the dyes over a window of pixels.

A texture answers with `Matter`. Every threshold is taken by `noise.expected`, so that a coarse
pixel shows the mean of what a fine one would.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .lattice import Floats, Grid, Ints, key, seeds
from .layout import Layout
from .noise import Noise, expected, seen, streaks, unseen, walls
from .world import FAT_CELL, FAT_ROUNDING

#: Directions that fibres are blended from.
DIRECTIONS = 6
#: Specks of dust do not show in pixels larger than this, µm.
DUSTLESS = 16.0


class Matter(NamedTuple):
    """What light passes through.

    Parameters
    ----------
    h, e : (h, w) float32
        Concentrations of haematoxylin and eosin.
    clear : (h, w) float32 or None
        Share of each pixel where there is nothing but glass.
    mucus : (h, w) float32 or None
        Amount of mucus.
    """

    h: Floats
    e: Floats
    clear: Floats | None = None
    mucus: Floats | None = None


class Spot:
    """A window of pixels with the layout interpolated to it.

    Parameters
    ----------
    grid : Grid
        Centres of the pixels.
    layout : Layout
        Over a grid that contains them.
    seed : int
    """

    def __init__(self, grid: Grid, layout: Layout, seed: int) -> None:
        self.grid, self.layout, self.seed = grid, layout, seed
        self.step = grid.step
        self._fields: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Floats:
        if name not in self._fields:
            self._fields[name] = self.layout.at(name, self.grid)
        return self._fields[name]

    def part(self, rows: slice, cols: slice) -> Spot:
        """A window of the window."""
        spot = Spot(self.grid.part(rows, cols), self.layout, self.seed)
        spot._fields = {name: values[rows, cols] for name, values in self._fields.items()}
        return spot

    def noise(self, name: str, spacing: float, octaves: int = 1, gain: float = 0.5) -> Floats:
        """Noise of zero mean and unit variance."""
        return Noise(key(self.seed, name), spacing, octaves, gain).on(self.grid)

    def streaks(self, name: str, along: float, across: float) -> Floats:
        """Noise of zero mean and unit variance, stretched along the collagen fibres.

        A blend of the two of `DIRECTIONS` nearest to the fibres, each of them straight but for a
        little waviness: fibres keep their width, interweave where they turn, and never close to
        rings as the contours of a curved coordinate would.
        """
        out = np.zeros(self.grid.shape, np.float32)
        if seen(across, self.step) > 0:
            for i, (at, weight, u, v) in enumerate(self._directions):
                k = key(self.seed, name, i)
                out.ravel()[at] += weight * streaks(u, v, along, across, k, self.step)
        return out

    @cached_property
    def _directions(self) -> list[tuple[Ints, Floats, Floats, Floats]]:
        """For each direction: pixels that need it, its weight there, coordinates along and across.

        At most two have a part in a pixel, but where fibres have no direction all are mixed.
        """
        c, s = self["fibre c"], self["fibre s"]
        norm = np.sqrt(c * c + s * s)
        least = norm * np.float32(math.cos(2 * math.pi / DIRECTIONS))
        tangled = np.maximum(np.float32(0.35) - norm, 0)
        angles = [math.pi * i / DIRECTIONS for i in range(DIRECTIONS)]
        weights = []
        for angle in angles:
            like = c * np.float32(math.cos(2 * angle)) + s * np.float32(math.sin(2 * angle))
            weights.append(np.maximum(like - least, 0) + tangled)
        # The variance of independent noises adds up by the squares of their weights.
        total = np.sqrt(np.maximum(sum(w * w for w in weights), np.float32(1e-6)))
        x, y = self.grid.x[0].astype(np.float32), self.grid.y[:, 0].astype(np.float32)
        out = []
        for angle, weight in zip(angles, weights, strict=True):
            at = np.flatnonzero(weight)
            if len(at):
                row, col = np.divmod(at, self.grid.width)
                cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
                u = np.take(x * cos, col) + np.take(y * sin, row)
                v = np.take(y * cos, row) - np.take(x * sin, col) + np.take(self._waves, at)
                out.append((at, np.take(weight, at) / np.take(total, at), u, v))
            else:
                nothing = np.zeros(0, np.float32)
                out.append((at, nothing, nothing, nothing))
        return out

    @cached_property
    def _waves(self) -> Floats:
        """How far fibres are displaced sideways, µm."""
        return 5 * self.noise("waves", 55, 2, 0.5) + 1.6 * self.noise("ripples", 17)

    def inside(self, name: str, offset: float = 0.0) -> Floats:
        """Share of each pixel that is at least ``offset`` µm inside a structure."""
        width = max(self.step, 0.9)
        share: Floats = np.clip((self[name] - np.float32(offset)) / width + np.float32(0.5), 0, 1)
        return share

    def within(self, name: str, lo: float, hi: float) -> Floats:
        """Share of each pixel between two distances inside a structure."""
        return self.inside(name, lo) - self.inside(name, hi)

    def over(self, noise: Floats, threshold: Floats | float, size: float, edge: float) -> Floats:
        """Share of each pixel where a noise of that size exceeds a threshold.

        ``edge`` is the softness of the edge in units of the noise where all of it is resolved.
        """
        return expected(noise - threshold, math.hypot(unseen(size, self.step), edge))

    def size(self, noise: Floats, size: float) -> Floats:
        """Mean absolute value over each pixel of a noise of that size (in µm)."""
        return np.sqrt(noise * noise + np.float32(2 / math.pi * unseen(size, self.step) ** 2))


def stroma(s: Spot) -> Matter:
    """Wavy bundles of collagen, parted by clefts."""
    slow = s.noise("loose", 260, 2)
    bundle = s.streaks("bundle", 110, 11)
    fibre = s.streaks("fibre", 60, 3.6)
    fibril = s.streaks("fibril", 34, 1.5)
    cleft = s.streaks("cleft", 44, 6.5)
    # Looser towards the edge of the tissue.
    edge = np.minimum(-s["tissue"], 0)
    threshold = 1.15 - 0.5 * slow - 0.4 * np.exp(edge / 60) - 0.9 * np.exp(edge / 9)
    parting = 0.72 * cleft - 0.55 * bundle + 0.3 * fibre + 0.16 * fibril
    clear = s.over(parting, threshold, 6.5, 0.14)
    # Shrinkage parts nests from the stroma around them.
    gap = s.within("tumour", -5, 0) + s.within("gland", -3, 0)
    clear = np.maximum(clear, gap * s.over(s.noise("shrinkage", 55, 2), 0.75, 55, 0.2))
    # Ground substance: pale, between fibres rather than where there is nothing.
    pale = s.over(0.7 * fibre + 0.5 * cleft - 0.3 * bundle, 0.75 - 0.4 * slow, 4.0, 0.3)
    e = 0.36 + 0.06 * bundle + 0.06 * fibre + 0.045 * fibril + 0.04 * slow
    e = e * (1 - 0.5 * pale)
    h = 0.045 + 0.012 * bundle + 0.02 * pale
    return Matter(h, np.maximum(e, 0.05), clear)


def fat(s: Spot) -> Matter:
    """Thin membranes around nothing."""
    if s.step > FAT_CELL / 10:
        wall = np.full(s.grid.shape, 0.11, np.float32)
    else:
        from_wall = walls(s.grid, FAT_CELL, key(s.seed, "fat"), FAT_ROUNDING)
        thin = 0.75 + 0.25 * s.noise("membrane", 14)
        width = max(s.step, 0.7)
        wall = np.clip((thin - from_wall) / width + np.float32(0.5), 0, 1)
    rim = s.within("adipose", 0.0, 1.6)
    wall = np.maximum(wall, rim)
    e = 0.2 + 0.04 * s.noise("fat", 3)
    return Matter(np.full_like(e, 0.05), e, 1 - wall)


def lymphoid(s: Spot) -> Matter:
    """The little that shows between lymphocytes."""
    mottle = s.noise("reticulum", 5, 2)
    centre = s.inside("centre")
    h = 0.10 + 0.02 * mottle + 0.03 * centre
    e = 0.20 + 0.05 * mottle + 0.05 * centre
    clear = s.over(mottle, 1.15 + 0.5 * centre, 5, 0.25)
    return Matter(h, np.maximum(e, 0), clear)


def mucin(s: Spot) -> Matter:
    """Pale strings of mucus."""
    strings = 1 - 1.1 * s.size(s.streaks("strings", 150, 16), 16)
    threads = 1 - 1.2 * s.size(s.streaks("threads", 90, 5), 5)
    cloud = s.noise("cloud", 60, 3)
    amount = 0.45 + 0.25 * strings + 0.2 * threads + 0.2 * cloud
    e = 0.02 + 0.02 * np.maximum(threads, 0)
    return Matter(np.full_like(e, 0.0), e, None, np.maximum(amount, 0.1))


def tumour(s: Spot) -> Matter:
    """Scant purple cytoplasm."""
    grain = s.noise("cytoplasm", 2.6, 2, 0.7)
    patch = s.noise("patches", 90, 3)
    border = np.abs(s.noise("borders", 8.5, 2, 0.4))
    border = s.over(-border, -0.13, 6, 0.06) * np.float32(0.35)
    h = (0.17 + 0.035 * grain + 0.025 * patch) * (1 - border)
    e = (0.33 + 0.055 * grain + 0.04 * patch) * (1 - border)
    clear = s.over(s.noise("cracks", 9, 2), 2.0, 9, 0.25)
    return Matter(np.maximum(h, 0.02), np.maximum(e, 0.05), clear)


def necrosis(s: Spot) -> Matter:
    """Granular, eosinophilic, without structure."""
    grain = s.noise("grain", 2.6, 2, 0.8)
    clump = s.noise("clumps", 26, 3)
    e = 0.50 + 0.10 * grain + 0.08 * clump
    h = 0.07 + 0.03 * clump + 0.02 * grain
    clear = s.over(s.noise("crumbling", 16, 3), 1.7, 16, 0.3)
    return Matter(np.maximum(h, 0), np.maximum(e, 0.08), clear)


def gland(s: Spot) -> Matter:
    """Columnar cells around a lumen."""
    grain = s.noise("cytoplasm", 3.2, 2)
    apical = np.clip(s["gland"] / 20, 0, 1)
    vacuole = s.over(s.noise("vacuoles", 4.5), 1.15, 4.5, 0.2) * s.within("gland", 11, 22)
    brush = s.within("lumen", -2.2, 0)
    secretion = s.over(s.noise("secretion", 42, 3), 0.9, 42, 0.25)
    lumen = s.inside("lumen")
    h = 0.17 - 0.06 * apical + 0.025 * grain
    e = 0.30 + 0.05 * grain + 0.03 * apical + 0.14 * brush
    h = h * (1 - 0.6 * vacuole) * (1 - lumen) + lumen * np.float32(0.03)
    e = e * (1 - 0.6 * vacuole) * (1 - lumen) + lumen * (0.13 + 0.03 * grain)
    return Matter(np.maximum(h, 0), np.maximum(e, 0), lumen * (1 - secretion))


def vessel(s: Spot) -> Matter:
    """Layers of smooth muscle around a bore that is empty or filled with plasma."""
    x = np.broadcast_to(s.grid.x.astype(np.float32), s.grid.shape) + s.grid.y.astype(np.float32)
    layer = streaks(x, s["vessel"], 45, 3.0, key(s.seed, "muscle"), s.step)
    sheet = streaks(x, s["vessel"], 70, 8.0, key(s.seed, "sheets"), s.step)
    bore = s.inside("bore")
    filled = s.over(s["blood"] + np.float32(0.35), 0.0, 60, 0.1)
    e = 0.44 + 0.09 * layer + 0.05 * sheet
    h = 0.09 + 0.015 * sheet
    e = e * (1 - bore) + bore * 0.10
    split = s.over(0.8 * layer + 0.5 * sheet, 1.75, 3.0, 0.2) * (1 - bore)
    return Matter(h * (1 - bore), np.maximum(e, 0), np.maximum(bore * (1 - filled), split))


TEXTURES: Mapping[str, Callable[[Spot], Matter]] = {
    "stroma": stroma,
    "adipose": fat,
    "lymphoid": lymphoid,
    "mucin": mucin,
    "tumour": tumour,
    "necrosis": necrosis,
    "gland": gland,
    "vessel": vessel,
}


def ink(s: Spot) -> Floats:
    """Thickness of the ink of a marker: streaks along the stroke, a dark rim, dried patches."""
    along, across = s["ink along"], s["ink across"]
    strand = streaks(along, across, 900, 26, key(s.seed, "ink strand"), s.step)
    hair = streaks(along, across, 260, 7, key(s.seed, "ink hair"), s.step)
    patch = s.noise("ink patches", 90, 4, 0.6)
    rim = np.exp(-np.maximum(s["pen"], 0) / 7)
    amount = 0.58 + 0.12 * strand + 0.07 * hair + 0.12 * patch + 0.25 * rim
    bare = s.over(0.6 * strand + 0.5 * patch + 0.4 * hair, 1.45, 10, 0.2)
    thickness: Floats = np.maximum(amount, 0.15) * (1 - 0.85 * bare) * s.inside("pen")
    return thickness


def dust(grid: Grid, seed: int) -> Floats:
    """Share of the light that specks on the glass let through: (h, w)."""
    out = np.ones(grid.shape, np.float32)
    if grid.step > DUSTLESS:
        return out
    at = seeds(grid.bounds, 420, key(seed, "dust"), 30)
    at = at.where(at.random(1) < 0.16)
    size, shade = 0.8 + 5 * at.random(2) ** 5, at.random(3, 0.2, 0.75)
    stretch, angle = at.random(4, 1, 2.4), at.random(5, 0, math.pi)
    for i in range(len(at)):
        window = grid.window(at.x[i], at.y[i], float(size[i] * stretch[i]) + 2 * grid.step + 2)
        if window is None:
            continue
        rows, cols = window
        dx, dy = grid.x[:, cols] - at.x[i], grid.y[rows] - at.y[i]
        c, sn = np.cos(angle[i]), np.sin(angle[i])
        u, v = (dx * c + dy * sn) / stretch[i], dy * c - dx * sn
        inside = (size[i] - np.sqrt(u * u + v * v)) / max(grid.step, 1.2) + 0.5
        # A speck smaller than a pixel darkens it by its share.
        share = min(1.0, math.pi * float(size[i]) ** 2 * float(stretch[i]) / grid.step**2)
        out[window] *= 1 - shade[i] * np.clip(inside, 0, 1).astype(np.float32) * share
    return out
