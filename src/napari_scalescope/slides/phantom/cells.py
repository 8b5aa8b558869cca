"""Cells small enough to be counted: nuclei, red blood cells, debris.

Each population lives on a jittered lattice of its own. Down to a few µm per pixel every one of
its members is stamped; beyond, only their expected share of a pixel is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .classes import ID
from .lattice import Floats, Grid, Points, Seeds, key, seeds
from .layout import Layout
from .stamps import Shapes

#: Members of this radius (µm) are the largest there are.
LARGEST = 13.0
#: Coarser than this (µm per pixel), members are not stamped one by one.
COUNTED = 4.5


class Fields(Protocol):
    """The fields of a layout at some places."""

    def __getitem__(self, name: str) -> Floats:
        """A field by name."""

    def within(self, name: str, lo: float, hi: float) -> Floats:
        """Share of each place that lies between two values of a field."""


@dataclass(frozen=True)
class Population:
    """One kind of cell.

    Parameters
    ----------
    name : str
    home : str
        The class it lives in.
    field : str
        A field of the layout that is positive where it can be.
    spacing : float
        Of its lattice, µm.
    chance : callable
        From fields to the chance, 0 to 1, that a lattice point is taken.
    radius : (float, float)
        Range of the radius of a disc of the same area, µm.
    aspect : (float, float)
        Range of length over width.
    h : (float, float)
        Range of the concentration of haematoxylin.
    rim : float
        How much darker the membrane is than the middle (vesicular nuclei have bright middles).
    wobble : float
        Irregularity of the outline as a share of the radius.
    nucleoli : float
        Chance of a nucleolus.
    along : str
        What it is aligned with: "" nothing, "fibres", or the edge of a field.
    upright : bool
        Whether it stands on that edge rather than lies along it.
    settle : (str, float, float) or None
        A field, a value of it towards which its members move, and the share of the way they go.
    jitter : float
        Of its lattice.
    far : float or None
        Mean chance, where the pixels are too coarse to know the fields it depends on.
    """

    name: str
    home: str
    field: str
    spacing: float
    chance: Callable[[Fields], Floats | float]
    radius: tuple[float, float]
    aspect: tuple[float, float] = (1.0, 1.3)
    h: tuple[float, float] = (0.8, 1.0)
    rim: float = 0.15
    wobble: float = 0.05
    nucleoli: float = 0.0
    along: str = ""
    upright: bool = False
    settle: tuple[str, float, float] | None = None
    jitter: float = 0.8
    far: float | None = None

    @property
    def fullness(self) -> float:
        """Share of the area that is covered where every lattice point is taken."""
        lo, span = self.radius[0], self.radius[1] - self.radius[0]
        # Means of the first two powers of `_skewed`.
        square = lo * lo + 2 * lo * span * 0.4 + span * span * 0.25
        area = math.pi * square / self.spacing**2
        # Members overlap; less so than if they ignored each other, since lattices keep apart.
        return area / (1 + 0.22 * area * area)

    @property
    def mean_h(self) -> float:
        """Mean concentration of haematoxylin where they are."""
        return (self.h[0] + self.h[1]) / 2 * (1 - 0.15 * self.rim)


def _skewed(random: Floats) -> Floats:
    """Uniform numbers made skew, so that large members are the exception."""
    return random * np.sqrt(random)


POPULATIONS: tuple[Population, ...] = (
    Population(
        "fibroblasts", "stroma", "tissue", 19, lambda f: 0.42 + 0.25 * f["inflamed"],
        (2.1, 2.9), (2.8, 6.5), (0.7, 1.0), wobble=0.1, along="fibres",
    ),
    Population(
        "stray lymphocytes", "stroma", "tissue", 10.5, lambda f: 0.012 + 0.55 * f["inflamed"] ** 2,
        (2.8, 3.5), (1.0, 1.25), (0.95, 1.15),
    ),
    Population(
        "lymphocytes", "lymphoid", "lymphoid", 6.9,
        lambda f: np.where(f["centre"] > 0, 0.3, 0.93), (2.8, 3.5), (1.0, 1.25), (0.95, 1.2),
    ),
    Population(
        "centre cells", "lymphoid", "centre", 10.5, lambda f: 0.85,
        (3.6, 5.0), (1.0, 1.4), (0.45, 0.75), rim=0.5, wobble=0.08, nucleoli=0.4,
    ),
    Population(
        "tumour nuclei", "tumour", "tumour", 12.4, lambda f: 0.93,
        (4.2, 8.2), (1.0, 1.8), (0.45, 1.05), rim=0.3, wobble=0.12, nucleoli=0.7, jitter=0.7,
    ),
    Population(
        "mitoses", "tumour", "tumour", 42, lambda f: 0.22,
        (2.6, 3.6), (1.8, 3.2), (1.3, 1.6), rim=0.0, wobble=0.22,
    ),
    Population(
        "tumour-infiltrating lymphocytes", "tumour", "tumour", 17,
        lambda f: 0.03 + 0.3 * f["inflamed"] * (f["tumour"] < 40),
        (2.7, 3.3), (1.0, 1.2), (1.0, 1.2),
    ),
    Population(
        "epithelial nuclei", "gland", "gland", 5.6, lambda f: f.within("gland", 3.0, 9.5),
        (2.7, 3.4), (1.5, 2.3), (0.65, 0.95), rim=0.3, nucleoli=0.15,
        along="gland", upright=True, settle=("gland", 7.0, 0.75), jitter=0.5,
    ),
    Population(
        "endothelium", "vessel", "vessel", 8, lambda f: 0.7 * f.within("bore", -4.5, 1.0),
        (1.9, 2.4), (2.5, 4.5), (0.85, 1.05), along="bore", settle=("bore", -1.2, 0.75),
    ),
    Population(
        "smooth muscle", "vessel", "vessel", 13, lambda f: 0.8 * f.within("bore", -1e3, -4.0),
        (2.1, 2.6), (3.0, 6.0), (0.65, 0.9), along="vessel",
    ),
    Population(
        "adipocyte nuclei", "adipose", "adipose", 34, lambda f: 0.5 * f.within("membrane", 0.0, 9),
        (2.2, 2.9), (1.6, 3.4), (0.7, 0.95),
        along="membrane", settle=("membrane", 0.9, 0.95), far=0.23,
    ),
    Population(
        "debris", "necrosis", "necrosis", 6.5, lambda f: 0.3,
        (0.5, 1.7), (1.0, 1.8), (0.6, 1.1), wobble=0.15,
    ),
    Population(
        "ghosts", "necrosis", "necrosis", 14.5, lambda f: 0.45,
        (3.8, 5.6), (1.0, 1.6), (0.16, 0.34), rim=0.3, wobble=0.1,
    ),
    Population(
        "pyknotic nuclei", "necrosis", "necrosis", 11,
        lambda f: 0.06 + 0.5 * f.within("necrosis", 0, 18),
        (2.0, 3.0), (1.0, 1.5), (1.1, 1.4), wobble=0.12,
    ),
    Population(
        "muciphages", "mucin", "mucin", 46, lambda f: 0.35,
        (2.6, 3.6), (1.0, 1.4), (0.7, 1.0), wobble=0.08,
    ),
)  # fmt: skip

#: Biconcave discs about 7 µm across. What counts as haematoxylin elsewhere is their own colour.
RED_CELLS = Population(
    "red cells", "vessel", "bore", 6.6, lambda f: 0.96 * (f["blood"] > 0) * (f["bore"] > 3.0),
    (2.9, 3.6), (1.0, 1.35), (0.75, 1.1), rim=0.35, wobble=0.04,
)  # fmt: skip


@dataclass(frozen=True)
class _At:
    """The `Fields` at some points, looked up when asked for."""

    layout: Layout
    points: Points

    def __getitem__(self, name: str) -> Floats:
        return self.layout.at(name, self.points)

    def within(self, name: str, lo: float, hi: float) -> Floats:
        values = self[name]
        return ((values > lo) & (values < hi)).astype(np.float32)


def members(population: Population, layout: Layout, grid: Grid, seed: int) -> Seeds:
    """Who of a population may show on a grid of pixels."""
    k = key(seed, "population", population.name)
    at = seeds(grid.bounds, population.spacing, k, LARGEST, population.jitter)
    if not len(at):
        return at
    at = at.where(layout.nearest_class(at.points) == ID[population.home])
    if population.field != population.home:
        at = at.where(layout.at(population.field, at.points) > 0)
    return at.where(at.random(1) < population.chance(_At(layout, at.points)))


def _slope(layout: Layout, name: str, at: Points) -> tuple[Floats, Floats]:
    """Direction (x, y) in which a field rises, of unit length."""
    d = layout.grid.step
    gx = layout.at(name, Points(at.x + d, at.y)) - layout.at(name, Points(at.x - d, at.y))
    gy = layout.at(name, Points(at.x, at.y + d)) - layout.at(name, Points(at.x, at.y - d))
    norm = np.sqrt(gx * gx + gy * gy) + np.float32(1e-6)
    return gx / norm, gy / norm


def shapes(population: Population, at: Seeds, layout: Layout) -> Iterator[Shapes]:
    """The outlines of members, and of their nucleoli."""
    x: Floats = at.x
    y: Floats = at.y
    lo, hi = population.radius
    r = lo + (hi - lo) * _skewed(at.random(2))
    stretch = np.sqrt(at.random(3, *population.aspect))
    angle = at.random(4, 0, 2 * math.pi)
    if population.settle is not None:
        name, value, share = population.settle
        gx, gy = _slope(layout, name, at.points)
        move = share * (value - layout.at(name, at.points))
        x = x + move * gx
        y = y + move * gy
    if population.along:
        here = Points(x, y)
        if population.along == "fibres":
            turn = np.arctan2(layout.at("fibre s", here), layout.at("fibre c", here)) / 2
        else:
            gx, gy = _slope(layout, population.along, here)
            turn = np.arctan2(gy, gx) + (0 if population.upright else math.pi / 2)
        angle = turn + at.random(5, -0.3, 0.3)
    h = at.random(6, *population.h)
    wobble = at.random(7, 0.3, 1.0) * np.float32(population.wobble)
    phase = at.random(8, 0, 2 * math.pi)
    yield Shapes(x, y, r * stretch, r / stretch, angle, h, wobble, phase, population.rim)
    if population.nucleoli:
        has = at.random(9) < population.nucleoli
        off = at.random(10, 0, 0.5)[has] * r[has]
        way = at.random(11, 0, 2 * math.pi)[has]
        size = r[has] * (0.12 + 0.2 * at.random(12)[has] ** 2)
        yield Shapes(
            x[has] + off * np.cos(way), y[has] + off * np.sin(way), size, size, way,
            np.minimum(h[has] + 0.35, 1.25), 0 * size, way, 0.0,
        )  # fmt: skip
