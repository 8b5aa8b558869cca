"""Regions and the outlines of rasters."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_scalescope.geometry import Placement
from napari_scalescope.regions import PALETTE, Region, Regions, outline, palette

CLASSES = arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2)
)


@given(CLASSES, st.floats(-100, 1e5), st.floats(0.5, 500))
def test_outlines_are_exact(raster: np.ndarray, origin: float, cell: float) -> None:
    from scipy import ndimage

    placement = Placement(origin, -origin, cell)
    regions = outline(raster, placement, {1: "a", 2: "b"}, {1: (1, 2, 3)})
    for value, name in ((1, "a"), (2, "b")):
        pieces = regions.of(name)
        assert len(pieces) == ndimage.label(raster == value)[1]
        area = sum(p.geometry.area for p in pieces)
        assert area == pytest.approx((raster == value).sum() * cell**2, rel=1e-6, abs=1e-6)
        rows, cols = np.nonzero(raster == value)
        if len(rows):
            x, y = origin + (cols + 0.5) * cell, -origin + (rows + 0.5) * cell
            assert shapely.contains_xy(shapely.union_all([p.geometry for p in pieces]), x, y).all()
        assert all(p.geometry.is_valid for p in pieces)
        assert all(p.colour == ((1, 2, 3) if name == "a" else None) for p in pieces)


def test_holes_are_kept() -> None:
    raster = np.ones((5, 5), int)
    raster[2, 2] = 0
    region = outline(raster, Placement(0, 0, 10), {1: "a"}, {})[0]
    assert len(region.geometry.interiors) == 1
    assert len(region.geometry.exterior.coords) == 5  # no vertex more than needed


def test_collections() -> None:
    square = shapely.box(0, 0, 2000, 1000)
    regions = Regions(
        [Region(square, "a"), Region(square, "b"), Region(square), Region(square, "a")]
    )
    assert regions.labels == ["a", "b"]
    assert regions.counts() == {"a": 2, "b": 1, "": 1}
    assert len(regions.of("a")) == 2
    assert isinstance(regions[1:], Regions)
    assert "2 a" in repr(regions)
    assert "unclassified" in repr(regions)
    assert regions[0].area_mm2(0.5) == pytest.approx(0.5)
    assert regions[0].labelled("c", (9, 9, 9)).id == regions[0].id
    assert len({r.id for r in regions}) == 4


def test_palettes_have_no_colour_twice() -> None:
    assert palette(8) == list(PALETTE)
    for n in (1, 20, 30):
        assert len(set(palette(n))) == n
    assert all(0 <= c <= 255 for colour in palette(40) for c in colour)
