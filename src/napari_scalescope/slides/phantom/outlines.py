"""Class rasters as polygons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...regions import Region, Regions
from .classes import BACKGROUND, CLASSES, TissueClass

#: Outlines are simplified by no more than this, in pixels of the raster.
SIMPLIFIED = 0.35


def outlines(raster: npt.NDArray[np.uint8], cell: tuple[float, float], min_area: float) -> Regions:
    """The connected pieces of every class but the background.

    Parameters
    ----------
    raster : (h, w) uint8
        Ids of `CLASSES`.
    cell : (float, float)
        Width and height of a pixel of the raster in level-0 pixels.
    min_area : float
        Smaller pieces (square level-0 pixels) are left out.

    Returns
    -------
    Regions
        Polygons in level-0 pixels with their holes, class by class, largest first.
    """
    return Regions(
        region
        for tissue in CLASSES
        if tissue.id != BACKGROUND
        for region in _pieces(raster == tissue.id, tissue, cell, min_area)
    )


def _pieces(
    mask: npt.NDArray[np.bool_], tissue: TissueClass, cell: tuple[float, float], min_area: float
) -> list[Region]:
    from scipy import ndimage
    from shapely.geometry import Polygon
    from skimage.measure import find_contours

    labels, n = ndimage.label(mask)
    areas = np.bincount(labels.ravel(), minlength=n + 1) * cell[0] * cell[1]
    windows = ndimage.find_objects(labels)
    regions = []
    for i in sorted(range(1, n + 1), key=lambda i: -areas[i]):
        if areas[i] < min_area:
            break
        rows, cols = windows[i - 1]
        # A rim of zeros closes every outline.
        piece = np.pad(labels[rows, cols] == i, 1)
        origin = np.array([cols.start - 0.5, rows.start - 0.5])
        rings = [(c[:, ::-1] + origin) * cell for c in find_contours(piece, 0.5)]
        shapes = sorted((Polygon(ring) for ring in rings), key=lambda p: -p.area)
        whole = Polygon(shapes[0].exterior, [hole.exterior for hole in shapes[1:]])
        polygon = whole.simplify(SIMPLIFIED * min(cell))
        if polygon.is_valid and not polygon.is_empty:
            regions.append(Region(polygon, tissue.name, colour=tissue.colour))
    return regions
