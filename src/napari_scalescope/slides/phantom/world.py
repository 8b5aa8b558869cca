"""Where every structure of the tissue is: the one place in which layout is decided.

A structure is a field of distances in µm, positive inside and negative outside. The painter
turns the fields into shares of a pixel, the ground truth into a class by the same order: what is
painted and what is true cannot differ.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import numpy.typing as npt

from .blobs import Blobs
from .lattice import Floats, Grid, Ints, Seeds, Where, hashed, key, number, seeds
from .layout import FAR, FINEST, ORDER, Layout, node_grid
from .noise import Noise, walls
from .plan import Plan

#: Kinds of territory. The fourth of every block of four is drawn from the last two.
KINDS = ("tumour", "glandular", "adipose", "fibrous", "mucinous")
_ARRANGEMENTS = np.array(list(permutations(range(4))))
#: How far from nests, glands and vessels fibres run along them, µm.
PULL_REACH = 55.0
#: Distance of fat cells and roundness of their corners, µm.
FAT_CELL, FAT_ROUNDING = 66.0, 4.5


class World:
    """All structures of one phantom.

    Parameters
    ----------
    plan : Plan
        What was decided for the slide as a whole.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        seed = plan.seed
        self._seed = seed
        d = plan.domain
        self._domain_noise = {k: Noise(key(seed, "domain", k), d * 0.55, 3, 0.55) for k in KINDS}
        self._nest = Noise(key(seed, "nest"), 150)
        self._nest_edge = Noise(key(seed, "nest edge"), 60, 3, 0.5)
        self._bands = Noise(key(seed, "bands"), 240, 2, 0.3)
        self._clusters = Noise(key(seed, "clusters"), 62, 2, 0.4)
        self._necrosis = Noise(key(seed, "necrosis"), 420)
        self._necrosis_edge = Noise(key(seed, "necrosis edge"), 45, 2, 0.5)
        self._pool = Noise(key(seed, "pool"), 130)
        self._pool_edge = Noise(key(seed, "pool edge"), 45, 2, 0.5)
        self._septa = Noise(key(seed, "septa"), 330, 2, 0.4)
        self._lobule = Noise(key(seed, "lobule"), 70, 2)
        self._swing = Noise(key(seed, "swing"), 260, 2, 0.5)
        self._wobble = Noise(key(seed, "wobble"), 60, 2, 0.4)

    # --- territories ---

    def kinds(self, ix: Ints, iy: Ints) -> Ints:
        """The kind of territory (index into `KINDS`) of each node of the lattice of domains.

        Every block of 2 × 2 nodes holds tumour, glands, fat and one more in random order, so
        that a few mm of tissue have some of everything. On large slides whole districts lean
        towards one of them.
        """
        block = hashed(ix >> 1, iy >> 1, key(self._seed, "block"))
        order = _ARRANGEMENTS[block % 24]
        slot = ((ix & 1) + 2 * (iy & 1)).astype(np.int64)
        kind = np.take_along_axis(order, np.broadcast_to(slot, order.shape[:-1])[..., None], -1)
        kind = kind[..., 0].astype(np.int64)
        draw = (block >> np.uint32(8)) % 100
        kind = np.where((kind == 3) & (draw < 45), 4, kind)
        if self.plan.short > 8000:
            district = hashed(ix >> 2, iy >> 2, key(self._seed, "district")) % 100
            kind = np.where((kind == 2) & (district < 30), 0, kind)
            kind = np.where((kind == 0) & (district > 75), 1, kind)
        return kind

    def territories(self, where: Where) -> dict[str, Floats]:
        """Distance inside the territory of each kind, µm."""
        d = self.plan.domain
        scores = {}
        for i, name in enumerate(KINDS):

            def values(ix: Ints, iy: Ints, i: int = i) -> Floats:
                here: Floats = (self.kinds(*np.broadcast_arrays(ix, iy)) == i).astype(np.float32)
                return here

            scores[name] = where.spline(d, 0.37, values)
            scores[name] += np.float32(0.1) * self._domain_noise[name].on(where)
        # Each against the best of the others: the second best for the best itself.
        best = second = np.full_like(scores[KINDS[0]], -np.inf)
        for score in scores.values():
            second = np.maximum(second, np.minimum(best, score))
            best = np.maximum(best, score)
        scale = np.float32(1.3 * d)
        return {
            name: (score - np.where(score == best, second, best)) * scale
            for name, score in scores.items()
        }

    def nests(self, where: Where, territory: dict[str, Floats]) -> tuple[Floats, Floats]:
        """Nests of tumour: distance inside them (µm), and how deep inside, unroughened."""
        lean = np.clip(territory["tumour"] / 260, -3.0, 0.5)
        depth = (self._nest.on(where) + lean - np.float32(0.1)) * 90
        # Bands of stroma run through the tumour and part it into nests.
        bands = np.abs(self._bands.on(where)) * 140 - 18 - 10 * self._septa.on(where)
        nests = np.minimum(depth, bands) + self._nest_edge.on(where) * 15
        # In a mucinous territory small clusters float in the mucus.
        afloat = np.clip((territory["mucinous"] - 30) / 60, -1.5, 0)
        clusters = (self._clusters.on(where) + afloat - np.float32(1.35)) * 42
        return np.maximum(nests, clusters), depth

    # --- scattered structures ---

    def _scattered(self, name: str, spacing: float, grid: Grid, margin: float) -> Seeds:
        return seeds(grid.bounds, spacing, key(self._seed, name), margin)

    def glands(self, grid: Grid) -> Blobs:
        """The glands that may reach into a grid."""
        at = self._scattered("gland", 150, grid, 220)
        place = self.territories(at.points)["glandular"]
        at = at.where((place > 10) & (at.random(1) < 0.92))
        a = at.random(2, 38, 66) * at.random(3, 0.95, 1.6)
        b = np.minimum(a, a / at.random(4, 1.0, 2.1))
        lobes = at.random(5, 2, 4.99).astype(np.int64)
        depth = at.random(6, 0.02, 0.3) / np.sqrt(lobes - 1)
        return Blobs(at, a.astype(np.float32), b.astype(np.float32), lobes, depth)

    def aggregates(self, grid: Grid) -> Blobs:
        """Lymphoid aggregates."""
        at = self._scattered("lymphoid", 640, grid, 800)
        if not len(at):
            return self._none(at)
        place = self.territories(at.points)
        near = np.maximum(place["tumour"], np.maximum(place["glandular"], place["fibrous"]))
        chance = np.where(place["adipose"] > 60, 0.1, np.where(near > 200, 0.5, 0.8))
        at = at.where(at.random(1) < chance)
        a = 95 + 230 * at.random(2) ** 2
        b = a / at.random(3, 1.0, 1.9)
        return Blobs(at, a, b, at.random(5, 2, 4.99).astype(np.int64), at.random(6, 0.05, 0.22))

    def vessels(self, grid: Grid) -> Blobs:
        """Arteries and veins."""
        at = self._scattered("vessel", 430, grid, 420)
        if not len(at):
            return self._none(at)
        place = self.territories(at.points)
        nests, _ = self.nests(at.points, place)
        taken = (nests > -25) | (place["glandular"] > 40) | (place["mucinous"] > 10)
        at = at.where(~taken & (at.random(1) < 0.75))
        a = 24 + 130 * at.random(2) ** 2.5
        b = a / (1 + 1.2 * at.random(3) ** 2)
        return Blobs(at, a, b, at.random(5, 2, 3.99).astype(np.int64), at.random(6, 0.0, 0.12))

    @staticmethod
    def _none(at: Seeds) -> Blobs:
        empty = np.zeros(0, np.float32)
        return Blobs(at, empty, empty, np.zeros(0, np.int64), empty)

    # --- all of it ---

    def layout(self, grid: Grid, details: bool = True) -> Layout:
        """Every field over a grid; without ``details``, only what the classes depend on."""
        out = Layout(grid)
        f, plan = out.fields, self.plan
        f["tissue"] = plan.tissue(grid)
        out.softness["tissue"] = plan.softness(grid.detail)
        self._marks(out)
        if out.has("tissue", 40 + 3 * out.softness["tissue"]):
            place = self.territories(grid)
            self._grown(out, place)
            self._scatter(out)
            f["fold"] = self._folds(grid)
            if details:
                self._details(out, place)
        else:
            for name in (*ORDER[1:], "centre", "lumen", "bore", "fold"):
                f[name] = np.full(grid.shape, FAR, np.float32)
            for name in ("fibre c", "fibre s", "inflamed", "blood"):
                f[name] = np.zeros(grid.shape, np.float32)
        return out

    def classes(self, grid: Grid) -> npt.NDArray[np.uint8]:
        """The class at every place of a grid, (h, w) uint8: the ground truth.

        Edges are those of the finest level, whatever the step.
        """
        if min(grid.step, grid.step_y) >= FINEST:
            return self.layout(replace(grid, fineness=FINEST), details=False).classes()
        return self.layout(node_grid(grid, 0), details=False).classes(grid)

    def _grown(self, out: Layout, place: dict[str, Floats]) -> None:
        """What fills territories: nests with their necrosis, pools of mucus, lobules of fat."""
        f, grid, detail = out.fields, out.grid, out.grid.detail
        f["tumour"], depth = self.nests(grid, place)
        nest, edge = self._nest.lost(detail), self._nest_edge.lost(detail)
        out.softness["tumour"] = out.softness["necrosis"] = math.hypot(90 * nest, 15 * edge)
        # Only the middle of large nests dies, and not everywhere.
        necrosis = depth - 135 + 95 * self._necrosis.on(grid) + 16 * self._necrosis_edge.on(grid)
        f["necrosis"] = np.minimum(necrosis, f["tumour"] - 22)

        septa = np.abs(self._septa.on(grid))
        lean = np.clip(place["mucinous"] / 200, -3.0, 0.5)
        f["mucin"] = np.minimum((self._pool.on(grid) + lean) * 85, septa * 190 - 14)
        f["mucin"] += 14 * self._pool_edge.on(grid)
        pool, edge = self._pool.lost(detail), self._pool_edge.lost(detail)
        out.softness["mucin"] = math.hypot(85 * pool, 14 * edge)

        fat = place["adipose"] + 26 * self._lobule.on(grid) - 20
        f["adipose"] = np.minimum(fat, septa * 170 - 9)
        out.softness["adipose"] = 26 * self._lobule.lost(detail)

    def _details(self, out: Layout, place: dict[str, Floats]) -> None:
        """What only the painter asks for."""
        f, grid = out.fields, out.grid
        f["blood"] = Noise(key(self._seed, "blood"), 60).on(grid)
        if out.has("adipose") and grid.step < FAT_CELL / 14:
            f["membrane"] = walls(grid, FAT_CELL, key(self._seed, "fat"), FAT_ROUNDING)
        # Lymphocytes stray from aggregates and gather at the front of the tumour.
        front = np.exp(-(((place["tumour"] + 60) / 160) ** 2))
        f["inflamed"] = np.maximum(0.75 * np.exp(np.minimum(f["lymphoid"], 0) / 45), 0.3 * front)
        f["fibre c"], f["fibre s"] = self._fibres(out)

    def _marks(self, out: Layout) -> None:
        f = out.fields
        f["pen"] = np.full(out.grid.shape, FAR, np.float32)
        f["ink along"] = np.zeros(out.grid.shape, np.float32)
        f["ink across"] = np.zeros(out.grid.shape, np.float32)
        for stroke in self.plan.pens:
            inside, along, across = stroke.on(out.grid)
            if inside.max() > FAR:
                nearer = inside > f["pen"]
                for name, new in (("pen", inside), ("ink along", along), ("ink across", across)):
                    f[name] = np.where(nearer, new, f[name])

    def _folds(self, grid: Grid) -> Floats:
        inside = np.full(grid.shape, FAR, np.float32)
        for stroke in self.plan.folds:
            inside = np.maximum(inside, stroke.on(grid)[0])
        return inside

    def _stamp(self, out: Layout, outer: str, inner: str, blobs: Blobs, inset: Floats) -> None:
        """Fill the field of a structure and of what lies ``inset`` µm inside it."""
        shape = out.grid.shape
        out.fields[outer] = np.full(shape, FAR, np.float32)
        out.fields[inner] = np.full(shape, FAR, np.float32)
        # At coarse steps nobody asks for what is outside, but for the nearest pixel.
        beyond = 60.0 if out.grid.step <= 8 else max(45.0, 0.6 * out.grid.step)
        nothing = np.zeros_like(inset)
        blobs.stamp(out.grid, beyond, [(out.fields[outer], nothing), (out.fields[inner], inset)])

    def _scatter(self, out: Layout) -> None:
        """Glands, lymphoid aggregates and vessels."""
        f, grid = out.fields, out.grid
        wobble = self._wobble.on(grid)
        glands = self.glands(grid)
        self._stamp(out, "gland", "lumen", glands, glands.at.random(7, 19, 27))
        aggregates = self.aggregates(grid)
        depth = np.where(aggregates.at.random(7) < 0.7, 62, 1e4).astype(np.float32)
        self._stamp(out, "lymphoid", "centre", aggregates, depth)
        vessels = self.vessels(grid)
        wall = np.minimum(5 + vessels.b * vessels.at.random(7, 0.08, 0.4), 0.55 * vessels.b)
        self._stamp(out, "vessel", "bore", vessels, wall)
        for names, roughness in (
            (("gland", "lumen"), 5),
            (("lymphoid", "centre"), 14),
            (("vessel", "bore"), 1.5),
        ):
            for name in names:
                f[name] += roughness * wobble

    def _fibres(self, out: Layout) -> tuple[Floats, Floats]:
        """Cosine and sine of twice the angle of the collagen fibres, 0 where they have none.

        Fibres swing with the place and run around nests, glands and vessels, not into them.
        """
        from scipy import ndimage

        grid, f = out.grid, out.fields
        angle = 1.7 * self._swing.on(grid) + np.float32(2 * math.pi * number(self._seed, "fibres"))
        c, s = np.cos(angle), np.sin(angle)
        for name in ("tumour", "gland", "vessel", "lymphoid"):
            if out.has(name, PULL_REACH):
                gy, gx = np.gradient(f[name])
                square = gx * gx + gy * gy + np.float32(1e-6)
                pull = np.clip(1 + f[name] / np.float32(PULL_REACH), 0, 1) ** 2
                c += ((gy * gy - gx * gx) / square - c) * pull
                s += (-2 * gx * gy / square - s) * pull
        if grid.step <= FINEST:
            # Halfway between two glands the direction would turn from one node to the next.
            c, s = (ndimage.uniform_filter(a, 7) for a in (c, s))
        return c, s
