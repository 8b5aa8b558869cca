"""What is drawn in a Shapes layer, as regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...regions import Region, Regions

if TYPE_CHECKING:
    from napari.layers import Shapes
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry


def regions_of(layer: Shapes) -> Regions:
    """The polygons, rectangles and ellipses of a Shapes layer as regions (level-0 pixels).

    Lines and paths enclose nothing and are left out, and so are the parts of an outline that
    enclose nothing. Outlines that cross themselves are mended.
    """
    import shapely

    found = []
    for i, (data, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        if kind in ("line", "path"):
            continue
        corners = np.asarray(data)[:, -2:][:, ::-1]
        if kind == "ellipse":
            corners = _ellipse(corners)
        # "structure" keeps what a hand went around twice, where "linework" makes a hole of it.
        polygon = shapely.make_valid(
            shapely.Polygon(corners), method="structure", keep_collapsed=False
        )
        if not polygon.is_empty:
            label = str(layer.features["class"].iloc[i] or "") if "class" in layer.features else ""
            found.append(Region(polygon, label="" if label == "nan" else label))
    return Regions(found)


def polygons_of(geometry: BaseGeometry) -> list[Polygon]:
    """The polygons of a geometry; lines and points enclose nothing and are left out."""
    import shapely

    parts = shapely.get_parts(geometry)
    return [p for p in parts if isinstance(p, shapely.Polygon) and not p.is_empty]


def keyhole(polygon: Polygon) -> np.ndarray:
    """One outline (n, 2) as y, x for a polygon with holes, which a Shapes layer does not know.

    A cut as wide as nothing goes to each hole and back, where it is nearest to what is there
    already; `regions_of` makes holes of them again.
    """
    ring = np.array(polygon.exterior.coords[:-1])
    holes = [np.array(hole.coords[:-1]) for hole in polygon.interiors]
    while holes:
        cuts = []
        for hole in holes:
            apart = ((ring[:, None] - hole) ** 2).sum(-1)
            row, col = np.unravel_index(int(apart.argmin()), apart.shape)
            cuts.append((float(apart[row, col]), int(row), int(col)))
        k = int(np.argmin([cut[0] for cut in cuts]))
        _, i, j = cuts[k]
        around = np.roll(holes.pop(k), -j, axis=0)
        ring = np.concatenate([ring[: i + 1], around, around[:1], ring[i:]])
    return ring[:, ::-1]


def _ellipse(corners: np.ndarray, n: int = 64) -> np.ndarray:
    """The outline of an ellipse given by the corners of the box around it."""
    centre = corners.mean(0)
    a, b = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)[:, None]
    return centre + np.cos(t) * a + np.sin(t) * b
