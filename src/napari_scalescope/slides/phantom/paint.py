"""From layout to light: which share of a pixel is what, and what lets through how much.

Concentrations add up along a ray and are turned into light by Beer and Lambert's law; the light
of the parts of one pixel adds up by their area. Because the second holds at every scale, a coarse
level painted directly agrees with a fine one averaged.
"""

from __future__ import annotations

import math

import numpy as np

from .cells import COUNTED, POPULATIONS, RED_CELLS, members, shapes
from .lattice import Floats, Grid, key
from .layout import ORDER, Layout, node_grid
from .noise import Noise
from .stain import INKS, MUCUS, Stain, tinted
from .stain import RED_CELLS as RED
from .stamps import Sheet
from .textures import TEXTURES, Spot, dust, ink
from .world import World

#: Shares smaller than this are not painted.
TRACE = 0.004
#: Width of edges in µm, where they are not sharp.
SOFT = {"mucin": 5.0, "necrosis": 9.0, "lymphoid": 4.0, "tumour": 2.0}
#: The second layer of a fold is the tissue this far away, µm.
FOLDED_FROM = (61.0, 43.0)
#: Coarser than this (µm per pixel), it is taken from the same place.
FOLDED_TO = 4.5


class Painter:
    """Paints a world in a stain.

    Parameters
    ----------
    world : World
    stain : Stain
    """

    def __init__(self, world: World, stain: Stain) -> None:
        self.world, self.stain = world, stain
        self.seed = world.plan.seed

    def light(self, grid: Grid) -> Floats:
        """Share of the light let through at the pixels of a grid: (3, h, w) float32."""
        layout = self._layout(grid)
        out = self._tissue(grid, layout)
        spot = Spot(grid, layout, self.seed)
        if layout.has("fold", grid.step) and layout.has("tissue", grid.step):
            out *= self._second_layer(spot, out)
        if layout.has("pen", grid.step):
            rows, cols = _extent(spot.inside("pen"))
            if rows.stop:
                amount = ink(spot.part(rows, cols))
                out[:, rows, cols] *= tinted(INKS[self.world.plan.ink], amount)
        out *= dust(grid, self.seed)
        return out

    def _layout(self, grid: Grid) -> Layout:
        # Cells are looked up a little outside of the pixels they reach into.
        return self.world.layout(node_grid(grid, 20.0 if grid.step <= COUNTED else 0.0))

    def _second_layer(self, spot: Spot, first: Floats) -> Floats:
        """What a fold lays over the first layer of tissue."""
        inside = spot.inside("fold") * spot.inside("tissue")
        rows, cols = _extent(inside)
        if rows.stop == 0:
            return np.ones((3, 1, 1), np.float32)
        grid = spot.grid.part(rows, cols)
        moved = Grid(
            grid.x0 + FOLDED_FROM[0], grid.y0 + FOLDED_FROM[1], grid.step, grid.width, grid.height
        )
        if grid.step <= FOLDED_TO:
            over = self._tissue(moved, self._layout(moved))
        else:
            over = first[:, rows, cols]
        # The bends are seen side on: darker towards the edges.
        bend = np.exp(np.minimum(-spot["fold"][rows, cols], 0) / 7) * np.float32(0.16)
        over = 1 - (1 - over * (1 - bend)) * inside[rows, cols]
        out = np.ones((3, *spot.grid.shape), np.float32)
        out[:, rows, cols] = over
        return out

    # --- one layer of tissue ---

    def _tissue(self, grid: Grid, layout: Layout) -> Floats:
        out = np.ones((3, *grid.shape), np.float32)
        if not layout.has("tissue", 2 * grid.step + 3 * layout.softness["tissue"]):
            return out
        spot = Spot(grid, layout, self.seed)
        shares = self._shares(spot)
        out *= 1 - sum(shares.values())
        for name, share in shares.items():
            rows, cols = _extent(share)
            here = spot.part(rows, cols)
            out[:, rows, cols] += share[rows, cols] * self._matter(name, here)
        if grid.step <= COUNTED:
            self._cells(out, spot, shares)
        else:
            self._cell_density(out, spot, shares)
        return out

    def _shares(self, spot: Spot) -> dict[str, Floats]:
        """Share of each pixel that each class covers, of those that cover any."""
        layout = spot.layout
        left = self._cover(spot, "tissue")
        shares: dict[str, Floats] = {}
        for name in reversed(ORDER[1:]):
            if layout.has(name, spot.step + 2 * layout.softness.get(name, 0)):
                share = self._cover(spot, name) * left
                if share.max() > TRACE:
                    shares[name] = share
                    left = left - share
        if left.max() > TRACE:
            shares["stroma"] = left
        return shares

    @staticmethod
    def _cover(spot: Spot, name: str) -> Floats:
        width = math.hypot(
            max(spot.step, SOFT.get(name, 1.0)), 2.5 * spot.layout.softness.get(name, 0.0)
        )
        cover: Floats = np.clip(spot[name] * np.float32(1 / width) + np.float32(0.5), 0, 1)
        return cover

    def _matter(self, name: str, spot: Spot) -> Floats:
        matter = TEXTURES[name](spot)
        light = self.stain.light(matter.h, matter.e)
        if matter.mucus is not None:
            light *= tinted(MUCUS, matter.mucus * np.float32(self.stain.h))
        if matter.clear is not None:
            light += (1 - light) * matter.clear
        return light

    # --- cells ---

    def _cells(self, out: Floats, spot: Spot, shares: dict[str, Floats]) -> None:
        sheet = Sheet(spot.grid)
        for population in POPULATIONS:
            if spot.layout.has(population.field, -0.5):
                at = members(population, spot.layout, spot.grid, self.seed)
                for shape in shapes(population, at, spot.layout):
                    sheet.stamp(shape)
        if not sheet.empty:
            chromatin = Noise(key(self.seed, "chromatin"), 1.1, 2, 0.6)
            cover, h = sheet.result(chromatin)
            _lay(out, cover, self._dyed(h))
        if "vessel" in shares and spot.layout.has("bore", -2.0):
            sheet = Sheet(spot.grid)
            at = members(RED_CELLS, spot.layout, spot.grid, self.seed)
            for shape in shapes(RED_CELLS, at, spot.layout):
                sheet.stamp(shape)
            if not sheet.empty:
                cover, amount = sheet.result()
                _lay(out, cover, tinted(RED, amount))

    def _dyed(self, h: Floats) -> Floats:
        """Light through a nucleus of a concentration."""
        return self.stain.light(h, 0.10)

    def _cell_density(self, out: Floats, spot: Spot, shares: dict[str, Floats]) -> None:
        """What cells do to pixels too coarse to show them."""
        for home, share in shares.items():
            rows, cols = _extent(share)
            here = spot.part(rows, cols)
            view = out[:, rows, cols]
            everyone = (*POPULATIONS, RED_CELLS) if home == "vessel" else POPULATIONS
            for population in everyone:
                if population.home == home:
                    chance = population.chance(here) if population.far is None else population.far
                    cover = share[rows, cols] * chance * np.float32(population.fullness)
                    h = np.array(population.mean_h, np.float32)
                    _lay(view, cover, tinted(RED, h) if population is RED_CELLS else self._dyed(h))


def _lay(light: Floats, cover: Floats, over: Floats) -> None:
    """Lay something over what light already passed, in place."""
    if over.ndim == 1:
        over = over[:, None, None]
    light += (over - light) * cover


def _extent(share: Floats) -> tuple[slice, slice]:
    """The smallest window that holds every share worth painting."""
    some = share > TRACE
    rows, cols = np.flatnonzero(some.any(1)), np.flatnonzero(some.any(0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
