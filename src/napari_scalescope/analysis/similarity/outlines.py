"""Outlines of what is more alike than a threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...regions import Colour, Regions, outline
from ..tile_map import TileMap

#: Orange of Okabe and Ito: unlike the colours of the map and those of the stain.
FOUND: Colour = (230, 159, 0)


def area_above(tile_map: TileMap, threshold: float, slide_mpp: float) -> float:
    """Area in mm² of the cells of a map of scores that reach a threshold.

    ``slide_mpp`` is the slide's resolution, µm per level-0 pixel.
    """
    return int((tile_map.values >= threshold).sum()) * _cell_mm2(tile_map, slide_mpp)


def regions_above(
    tile_map: TileMap,
    threshold: float,
    slide_mpp: float,
    *,
    label: str = "",
    colour: Colour = FOUND,
    smallest: int = 1,
) -> Regions:
    """The outlines of the cells of a map of scores that reach a threshold.

    Parameters
    ----------
    tile_map : TileMap
        Of kind "score".
    threshold : float
        In its unit.
    slide_mpp : float
        Resolution of the slide, µm per level-0 pixel.
    label : str
        Class of the regions.
    colour : Colour
    smallest : int
        Pieces of fewer cells are left out.

    Returns
    -------
    Regions
        One per connected piece, holes kept, the largest first. Their measurements are the area
        ("area mm²") and the mean score (by the name of the map).
    """
    from scipy import ndimage

    above = tile_map.values >= threshold
    pieces, count = ndimage.label(above)  # connected by edges, as outlines are
    cells = np.bincount(pieces.ravel(), minlength=count + 1)
    keep = np.flatnonzero(cells >= smallest)
    keep = keep[keep > 0]
    keep = keep[np.argsort(-cells[keep], kind="stable")]
    renumbered = np.zeros(count + 1, np.int32)
    renumbered[keep] = np.arange(1, len(keep) + 1)
    means = ndimage.mean(np.where(above, tile_map.values, 0), pieces, keep) if len(keep) else []
    mm2 = _cell_mm2(tile_map, slide_mpp)
    found = []
    raster, place = renumbered[pieces], tile_map.placement
    for i, (box, mean) in enumerate(zip(ndimage.find_objects(raster), means, strict=True)):
        rows, cols = box
        x, y = (edge.start * place.cell for edge in (cols, rows))
        corner = replace(place, x=place.x + x, y=place.y + y)
        measured = {"area mm²": int(cells[keep[i]]) * mm2, tile_map.name: float(mean)}
        found += [
            replace(region, measurements=measured)
            for region in outline(raster[box], corner, {i + 1: label}, {i + 1: colour})
        ]
    return Regions(found)


def _cell_mm2(tile_map: TileMap, slide_mpp: float) -> float:
    return float((tile_map.placement.cell * slide_mpp / 1000) ** 2)
