"""Image, map, labels, shapes and export lie in the same place, to half a level-0 pixel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.analysis import TileMap
from napari_scalescope.analysis.tile_map import MapClass
from napari_scalescope.exchange import export, read_regions
from napari_scalescope.exchange.tiff import write_pyramidal_tiff
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import Slide, open_slide, read_tiles
from napari_scalescope.widgets.layers import Layers, slide_layer

from .markers import GLASS, PLACES, SIGMA, SIZE, WRITERS, spots

#: Real scanners', none of which fits another by a power of two.
RESOLUTIONS = (0.2738, 0.265, 0.4972)
HALF_A_PIXEL = 0.5


EVERY_PAIR = [(name, mpp) for name in WRITERS for mpp in RESOLUTIONS]
#: Every format once and every resolution several times, for what does not depend on the format.
SOME_PAIRS = [(name, RESOLUTIONS[i % len(RESOLUTIONS)]) for i, name in enumerate(WRITERS)]


def _opened(pair: tuple[str, float], folder: Path) -> Iterator[Slide]:
    format_name, mpp = pair
    name, write = WRITERS[format_name]
    write(folder / name, mpp)
    given = mpp if format_name == "PNG" else None  # it can only say whole dots per metre
    with open_slide(folder / name, mpp=given) as opened:
        yield opened


@pytest.fixture(params=EVERY_PAIR, ids=str, scope="module")
def slide(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Slide]:
    yield from _opened(request.param, tmp_path_factory.mktemp("marked"))


@pytest.fixture(params=SOME_PAIRS, ids=str, scope="module")
def worked_on(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Slide]:
    yield from _opened(request.param, tmp_path_factory.mktemp("marked"))


def assert_in_place(level0: np.ndarray, what: str, within: float = HALF_A_PIXEL) -> None:
    away = np.abs(np.asarray(level0) - PLACES).max()
    assert away < within, f"{what} is {away:.2f} level-0 pixels away"


def darkness(slide: Slide, mpp: float, tile_px: int) -> tuple[TileGrid, np.ndarray]:
    """Mean grey of every tile of a grid, as a raster."""
    grid = TileGrid.cover(slide, mpp, tile_px)
    values = np.full(grid.shape, GLASS, np.float32)
    for batch in read_tiles(slide, grid):
        values[batch.tiles[:, 0], batch.tiles[:, 1]] = batch.pixels.mean((1, 2, 3))
    return grid, values


def in_level0(layer: Any, index_xy: np.ndarray, mpp: float) -> np.ndarray:
    """From places in a layer's pixels (corner-based) through napari's world."""
    world = np.array([layer.data_to_world((y - 0.5, x - 0.5)) for x, y in index_xy])
    return world[:, ::-1] / mpp


def test_the_file_says_its_resolution(slide: Slide, request: pytest.FixtureRequest) -> None:
    _, mpp = request.node.callspec.params["slide"]
    assert slide.require_mpp() == pytest.approx(mpp, rel=1e-6)
    filled_up = slide.format == "Philips TIFF"
    assert slide.dimensions == (tuple(-(-n // 512) * 512 for n in SIZE) if filled_up else SIZE)


def test_every_stored_level(slide: Slide) -> None:
    for k, level in enumerate(slide.levels):
        pixels = slide.read_level(k, 0, 0, level.width, level.height)
        d = level.downsample
        assert_in_place(spots(pixels, PLACES / d, 4 * SIGMA / d) * d, f"level {k}")


def test_any_resolution(slide: Slide) -> None:
    for wanted in (slide.mpp, 0.5, 0.77, 1.0, 2.0, 3.1):
        pixels = slide.read(slide.box, mpp=wanted)
        sx, sy = slide.dimensions[0] / pixels.shape[1], slide.dimensions[1] / pixels.shape[0]
        found = spots(pixels, PLACES / (sx, sy), 4 * SIGMA / sx) * (sx, sy)
        assert_in_place(found, f"read at {wanted} µm/px")


def test_every_level_in_napari(slide: Slide, viewer: Any) -> None:
    levels, options, _ = slide_layer(slide)
    layer = viewer.add_image(levels, **options)
    pyramid = levels[0].pyramid
    assert pyramid.wait(30)
    for k, level in enumerate(levels):
        np.asarray(level[:, :])
        assert pyramid.wait(60)
        pixels = np.asarray(level[:, :])
        # napari takes the ratio of the shapes for the downsample, and draws corners on corners
        d = layer.downsample_factors[k][0]
        found = spots(pixels, PLACES / d, 4 * SIGMA / d) * d
        assert_in_place(in_level0(layer, found, slide.require_mpp()), f"pyramid level {k}")
    viewer.layers.clear()
    pyramid.close()


@pytest.mark.parametrize("tile_um", [6.0, 9.3])
def test_maps_and_labels(worked_on: Slide, viewer: Any, tile_um: float) -> None:
    layers = Layers(viewer)
    layers.follow(worked_on)
    grid, values = darkness(worked_on, tile_um / 14, 14)
    cell = grid.pitch
    ink = np.rint(np.clip(GLASS - values, 0, None)).astype(np.uint8)
    classes = [MapClass(int(v), str(v), (9, 9, 9)) for v in np.unique(ink) if v]
    for kind, raster in (("score", values), ("class", ink)):
        layers.show_map(
            TileMap("ink", raster, grid.placement, kind, "", (0.0, 255.0),  # type: ignore[arg-type]
                    classes=tuple(classes), mpp=grid.mpp)
        )  # fmt: skip
        layer = layers.map_layer
        assert layer is not None
        shown = layer.data if kind == "score" else GLASS - layer.data.astype(float)
        found = spots(shown, PLACES / cell, 5 * SIGMA / cell, noise=1)
        assert_in_place(
            in_level0(layer, found, worked_on.require_mpp()), f"{kind} map of {tile_um} µm tiles"
        )


def test_shapes_and_their_export(worked_on: Slide, viewer: Any, tmp_path: Path) -> None:
    layers = Layers(viewer)
    layers.follow(worked_on)
    layer = layers.regions_layer()
    assert layer is not None
    for x, y in PLACES * worked_on.require_mpp():  # as a hand draws them: in the world
        corners = [(y - 20, x - 20), (y - 20, x + 20), (y + 20, x + 20), (y + 20, x - 20)]
        layer.add(np.array([layer.world_to_data(c) for c in corners]), shape_type="polygon")
    drawn = layers.regions()
    centres = [(r.geometry.centroid.x, r.geometry.centroid.y) for r in drawn]
    assert_in_place(np.array(centres), "what is drawn", 1e-3)
    read = read_regions(export(drawn, tmp_path / "drawn.geojson"))
    centres = [(r.geometry.centroid.x, r.geometry.centroid.y) for r in read]
    assert_in_place(np.array(centres), "what is exported", 1e-2)
    for region, place in zip(read, PLACES, strict=True):
        x0, y0, x1, y1 = region.geometry.bounds
        part = worked_on.read((x0, y0, x1 - x0, y1 - y0), mpp=worked_on.mpp)
        found = spots(part, np.array([[(x1 - x0) / 2, (y1 - y0) / 2]]), (x1 - x0) / 2 - 2)
        assert np.abs(found + np.array([x0, y0]) - place).max() < HALF_A_PIXEL


@pytest.mark.parametrize("coarser", [1.0, 1.83])
def test_a_slide_written_anew(worked_on: Slide, tmp_path: Path, coarser: float) -> None:
    path = tmp_path / "again.tif"
    write_pyramidal_tiff(worked_on, path, mpp=worked_on.require_mpp() * coarser, quality=95)
    with open_slide(path) as again:
        for k, level in enumerate(again.levels):
            pixels = again.read_level(k, 0, 0, level.width, level.height)
            d = level.downsample * coarser
            assert_in_place(spots(pixels, PLACES / d, 4 * SIGMA / d) * d, f"written level {k}")
