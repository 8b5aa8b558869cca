"""The fields of every structure over a grid, and the class they make of a place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .classes import ID
from .lattice import Floats, Grid, Points, Where

#: What lies over what, from below. Each covers what came before; all of it lies on tissue.
ORDER = ("stroma", "adipose", "lymphoid", "mucin", "tumour", "necrosis", "gland", "vessel")
#: Far outside of everything, µm.
FAR = np.float32(-1e4)
#: Layout is never computed finer than this (µm) but interpolated: edges bend more slowly.
FINEST = 2.0


def node_grid(grid: Grid, rim: float) -> Grid:
    """The grid a layout for some places is computed on, ``rim`` µm wider.

    Never finer than `FINEST`; then its nodes lie in the same places whatever is asked for.
    """
    rim += 2 * max(grid.step, FINEST)
    if min(grid.step, grid.step_y) >= FINEST:
        n = math.ceil(rim / grid.step)
        x0, y0 = grid.x0 - n * grid.step, grid.y0 - n * grid.step
        return Grid(x0, y0, grid.step, grid.width + 2 * n, grid.height + 2 * n)
    x0, y0, x1, y1 = grid.bounds
    i0, j0 = math.floor((x0 - rim) / FINEST), math.floor((y0 - rim) / FINEST)
    i1, j1 = math.ceil((x1 + rim) / FINEST), math.ceil((y1 + rim) / FINEST)
    return Grid(i0 * FINEST, j0 * FINEST, FINEST, i1 - i0 + 1, j1 - j0 + 1)


@dataclass
class Layout:
    """The fields of every structure over a grid.

    Parameters
    ----------
    grid : Grid
    fields : dict of (h, w) float32
        By the name of a structure, distances inside its edge in µm: the classes, and "tissue",
        "centre" (germinal centres), "lumen" (of glands) and "bore" (of vessels). For painting
        also "fibre c" and "fibre s" (cosine and sine of twice the direction of the collagen, 0
        where it has none), "inflamed" (0 to 1), "blood" (vessels are filled where it is
        positive), "membrane" (distance from the membranes of fat cells, only where there is
        fat), "ink along" and "ink across" (coordinates of a stroke).
    softness : dict of float
        What of an edge the grid does not resolve, standard deviation in µm.
    """

    grid: Grid
    fields: dict[str, Floats] = field(default_factory=dict)
    softness: dict[str, float] = field(default_factory=dict)

    def has(self, name: str, reach: float = 0.0) -> bool:
        """Whether the structure comes within ``reach`` µm of any place of the grid."""
        return bool(self.fields[name].max() > -reach)

    @cached_property
    def _raster(self) -> npt.NDArray[np.uint8]:
        return self.classes()

    def nearest_class(self, points: Points) -> npt.NDArray[np.uint8]:
        """The class at the place of the grid that is nearest to each point: uint8."""
        g = self.grid
        i = np.clip(np.round((points.x - g.x0) / g.step).astype(int), 0, g.width - 1)
        j = np.clip(np.round((points.y - g.y0) / g.step_y).astype(int), 0, g.height - 1)
        found: npt.NDArray[np.uint8] = self._raster[j, i]
        return found

    def at(self, name: str, where: Where) -> Floats:
        """A field interpolated at other places."""
        return self.grid.interpolated(self.fields[name], where)

    def classes(self, where: Where | None = None) -> npt.NDArray[np.uint8]:
        """The class at every place of the grid, or at other places inside it: uint8."""

        def inside(name: str) -> npt.NDArray[np.bool_]:
            values = self.fields[name] if where is None else self.at(name, where)
            return values > 0

        tissue = inside("tissue")
        out = np.where(tissue, np.uint8(ID["stroma"]), np.uint8(ID["background"]))
        for name in (*ORDER[1:], "fold"):
            if self.has(name):
                out[inside(name) & tissue] = ID[name]
        if self.has("pen"):
            out[inside("pen")] = ID["pen"]
        return out
