"""From regions to labels of tiles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...geometry import TileGrid
from ...regions import Regions


def tile_labels(grid: TileGrid, tiles: npt.ArrayLike, regions: Regions) -> npt.NDArray[np.str_]:
    """The class of the region in which each tile's centre lies.

    Parameters
    ----------
    grid : TileGrid
    tiles : (n, 2) ints
    regions : Regions
        Those without a class are left aside.

    Returns
    -------
    (n,) str
        "" where there is none, or two of different classes.
    """
    import shapely

    centres = grid.centres(tiles)
    labels = np.full(len(centres), "", object)
    doubtful = np.zeros(len(centres), bool)
    for region in regions:
        if not region.label:
            continue
        inside = shapely.contains_xy(region.geometry, *centres.T)
        doubtful |= inside & (labels != "") & (labels != region.label)
        labels[inside] = region.label
    labels[doubtful] = ""
    return labels.astype(np.str_)
