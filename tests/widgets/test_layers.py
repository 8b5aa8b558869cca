"""Values into layers: placed in µm to a fraction of a pixel, changed in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from napari_scalescope.analysis import TileMap
from napari_scalescope.analysis.tile_map import MapClass
from napari_scalescope.embeddings import EmbeddingSet
from napari_scalescope.geometry import Placement, TileGrid
from napari_scalescope.session import Question, Spot
from napari_scalescope.widgets.layers import (
    QUERY,
    REGIONS,
    SELECTION,
    Layers,
    regions_of,
    slide_layer,
    slide_of,
)

from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide
from .conftest import duplicated


@pytest.fixture
def slide() -> Any:
    return memory_slide(smooth_picture(1300, 900), 0.2738)


@pytest.fixture
def layers(qapp: Any, viewer: Any, slide: Any) -> Any:
    data, options, _ = slide_layer(slide)
    viewer.add_image(data, **options)
    made = Layers(viewer)
    made.follow(slide)
    yield made
    data[0].pyramid.close()


def at(x: float, y: float) -> Question:
    """A question about one place."""
    return Question((Spot(x, y),))


def score(shape: tuple[int, int], placement: Placement, value: float = 0.5) -> TileMap:
    return TileMap("Score", np.full(shape, value, np.float32), placement, "score", limits=(0, 1))


def corner(layer: Any, row: float, col: float) -> np.ndarray:
    """World position (y, x) of the upper left corner of a layer's pixel."""
    return np.asarray(layer.data_to_world((row - 0.5, col - 0.5)))


def test_world_is_level0_times_mpp(layers: Any, viewer: Any, slide: Any) -> None:
    image = viewer.layers[0]
    assert slide_of(image) is slide
    for x, y in ((0, 0), (1300, 900), (700, 3)):
        np.testing.assert_allclose(corner(image, y, x), (y * 0.2738, x * 0.2738), atol=1e-9)
    assert [str(u) for u in image.units] == ["micrometer", "micrometer"]


@pytest.mark.parametrize("kind", ["score", "class", "colour"])
def test_maps_lie_where_their_placement_says(layers: Any, viewer: Any, kind: str) -> None:
    grid = TileGrid(0.497, 64, 48, 5, 7, 0.2738)
    values = {
        "score": np.ones((5, 7), np.float32),
        "class": np.ones((5, 7), np.uint8),
        "colour": np.ones((5, 7, 4), np.uint8),
    }[kind]
    layers.show_map(
        TileMap("m", values, grid.placement, kind, classes=(MapClass(1, "a", (1, 2, 3)),))
    )
    layer = layers.map_layer
    box = grid.placement.box((5, 7))
    np.testing.assert_allclose(corner(layer, 0, 0), (box.y * 0.2738, box.x * 0.2738), atol=1e-9)
    np.testing.assert_allclose(corner(layer, 5, 7), (box.y1 * 0.2738, box.x1 * 0.2738), atol=1e-9)
    assert layer.units == viewer.layers[0].units


def test_a_map_is_changed_in_place(layers: Any, viewer: Any) -> None:
    layers.show_map(score((4, 4), Placement(0, 0, 100)))
    layer, count = layers.map_layer, len(viewer.layers)
    layers.show_map(score((8, 6), Placement(50, 20, 30), 0.7))
    assert layers.map_layer is layer
    assert len(viewer.layers) == count
    assert layer.data.shape == (8, 6)
    np.testing.assert_allclose(corner(layer, 0, 0), (20 * 0.2738, 50 * 0.2738))


def test_one_map_is_shown_at_a_time(layers: Any, viewer: Any) -> None:
    layers.show_map(score((4, 4), Placement(0, 0, 100)))
    first = layers.map_layer
    colours = np.full((4, 4, 4), 200, np.uint8)
    layers.show_map(TileMap("PCA", colours, Placement(0, 0, 100), "colour"))
    assert not first.visible
    assert layers.map_layer.name == "PCA"
    layers.show_map(None)
    assert layers.map_layer is None


def test_what_is_unknown_is_transparent(layers: Any) -> None:
    values = np.array([[1.0, np.nan]], np.float32)
    layers.show_map(TileMap("m", values, Placement(0, 0, 9), "score", limits=(0, 1)))
    assert np.isnan(layers.map_layer.data[0, 1])
    classes = np.array([[0, 1]], np.uint8)
    layers.show_map(
        TileMap("c", classes, Placement(0, 0, 9), "class", classes=(MapClass(1, "a", (255, 0, 0)),))
    )
    colours = layers.map_layer.colormap.color_dict
    assert colours[0][3] == 0
    np.testing.assert_allclose(colours[1], (1, 0, 0, 1))


def test_the_slide_keeps_the_focus(layers: Any, viewer: Any, slide: Any) -> None:
    layers.show_map(score((4, 4), Placement(0, 0, 100)))
    layers.show_examples(at(100, 100))
    assert slide_of(viewer.layers.selection.active) is slide


def test_selection_and_query(layers: Any, viewer: Any) -> None:
    grid = TileGrid(0.5, 64, 64, 4, 6, 0.2738)
    emb = EmbeddingSet(
        np.zeros((1, 2), np.float32), np.array([[1, 2]]), grid, np.zeros(grid.shape, np.uint8)
    )
    layers.show_selection(emb, np.array([[1, 2], [3, 3]]))
    layer = viewer.layers[SELECTION]
    assert (layer.data[..., 3] == 0).sum() == 2  # all others are dimmed
    layers.show_selection(emb, np.empty((0, 2), int))
    assert not layer.visible
    layers.show_examples(at(700.0, 300.0))
    point = viewer.layers[QUERY]
    np.testing.assert_allclose(point.data_to_world(point.data[0]), (300 * 0.2738, 700 * 0.2738))
    layers.show_examples(Question())
    assert not point.visible


def test_drawn_regions_are_level0_pixels(layers: Any, viewer: Any) -> None:
    layer = layers.regions_layer()
    assert layers.regions_layer() is layer
    layer.add_polygons(np.array([[10, 20], [10, 120], [60, 120], [60, 20]], float))
    layer.add_ellipses(np.array([[100, 100], [100, 300], [200, 300], [200, 100]], float))
    layer.add_paths(np.array([[0, 0], [50, 50], [0, 50]], float))
    regions = layers.regions()
    assert len(regions) == 2  # a path encloses nothing
    assert regions[0].geometry.equals(shapely.box(20, 10, 120, 60))
    assert regions[1].geometry.area == pytest.approx(np.pi * 100 * 50, rel=0.01)
    np.testing.assert_allclose(layer.data_to_world((10, 20)), (10 * 0.2738, 20 * 0.2738))


def test_an_outline_that_crosses_itself_is_mended(layers: Any) -> None:
    layer = layers.regions_layer()
    layer.add_polygons(np.array([[0, 0], [0, 10], [10, 0], [10, 10]], float))
    geometry = regions_of(layer)[0].geometry
    assert geometry.is_valid
    assert geometry.area == pytest.approx(50)


def test_drawn_regions_stay_on_top(layers: Any, viewer: Any) -> None:
    layers.regions_layer()
    layers.show_map(score((4, 4), Placement(0, 0, 100)))
    assert viewer.layers[-1].name == REGIONS


@pytest.mark.parametrize(
    ("outline", "area"),
    [
        # a lasso that went out and back on one line, and one that never left its line
        ([[0, 0], [0, 100], [50, 100], [50, 160], [50, 100], [100, 100], [100, 0]], 100 * 100),
        ([[0, 0], [10, 10], [20, 20]], None),
        # and one that went around twice
        ([[0, 0], [0, 9], [9, 9], [9, 0], [-1, 0], [-1, 10], [10, 10], [10, -1], [0, -1]], 120),
    ],
)
def test_only_what_an_outline_encloses_is_a_region(
    layers: Any, outline: list[list[float]], area: float | None
) -> None:
    layer = layers.regions_layer()
    layer.add_polygons(np.array(outline, float))
    regions = regions_of(layer)
    assert [r.geometry.area for r in regions] == ([] if area is None else [pytest.approx(area)])
    assert all(r.geometry.geom_type in ("Polygon", "MultiPolygon") for r in regions)


def other_slide(mpp: float | None = 0.5) -> Any:
    return memory_slide(smooth_picture(300, 200), mpp, name="other")


def test_another_slide_takes_the_old_maps_away(layers: Any, viewer: Any) -> None:
    layers.show_map(score((4, 4), Placement(0, 0, 100)))
    layers.show_examples(at(5, 5))
    layers.follow(other_slide())
    assert [layer.name for layer in viewer.layers] == ["memory"]


def test_every_slide_has_regions_of_its_own(layers: Any, viewer: Any, slide: Any) -> None:
    square = np.array([[10, 20], [10, 120], [60, 120], [60, 20]], float)
    layers.regions_layer().add_polygons(square)
    other = other_slide(0.1)
    layers.follow(other)
    assert len(layers.regions()) == 0
    second = layers.regions_layer()
    assert [x.name for x in viewer.layers] == ["memory", REGIONS, f"{REGIONS} – other"]
    # Drawn where the mouse was, in µm.
    second.add_polygons(np.array([second.world_to_data(yx) for yx in square]))
    assert layers.regions()[0].geometry.bounds == pytest.approx((200, 100, 1200, 600))
    layers.follow(slide)
    assert layers.regions_layer().name == REGIONS
    assert layers.regions()[0].geometry.bounds == pytest.approx((20, 10, 120, 60))


def test_regions_are_found_again_when_the_slide_is_opened_again(layers: Any, viewer: Any) -> None:
    layer = layers.regions_layer()
    layer.name = "mine"
    layer.add_polygons(np.array([[10, 20], [10, 120], [60, 120], [60, 20]], float))
    again = memory_slide(smooth_picture(1300, 900), 0.5)  # at another resolution
    session = Layers(viewer)
    session.follow(again)
    assert session.regions_layer() is layer
    np.testing.assert_allclose(layer.data_to_world((10, 20)), (5, 10))
    assert session.regions()[0].geometry.bounds == (20, 10, 120, 60)
    # The layer of the slide opened first still shows that one, at its own resolution.
    np.testing.assert_allclose(corner(viewer.layers[0], 0, 1000), (0, 273.8))


def test_layers_of_the_user_are_left_alone(layers: Any, viewer: Any, slide: Any) -> None:
    points = viewer.add_points(np.ones((50, 2)), name=QUERY)
    labels = viewer.add_labels(np.zeros((5, 5), int), name=REGIONS)
    dimmed = viewer.add_image(np.zeros((5, 5)), name=SELECTION)
    layers.show_examples(at(5, 5))
    assert len(points.data) == 50
    assert len(layers.regions()) == 0
    assert layers.regions_layer() is not labels
    layers.follow(other_slide())
    assert {points, labels, dimmed} <= set(viewer.layers)


def test_copies_the_user_made_of_an_overlay_are_theirs(
    layers: Any, viewer: Any, slide: Any
) -> None:
    layers.show_map(score((4, 4), Placement(0, 0, 100), 0.1))
    copy = duplicated(viewer, layers.map_layer)
    layers.show_map(score((4, 4), Placement(0, 0, 100), 0.9))
    assert layers.map_layer is not copy
    assert copy.data.max() == pytest.approx(0.1)
    slide.set_mpp(0.5)
    layers.rescale()
    np.testing.assert_allclose(corner(copy, 4, 4), (200, 200))  # it stays on its tissue
    layers.follow(other_slide())
    assert copy in viewer.layers


def test_a_later_session_takes_over_what_is_there(layers: Any, viewer: Any, slide: Any) -> None:
    layers.show_map(score((4, 4), Placement(0, 0, 100)))
    layers.show_examples(at(5, 5))
    before = list(viewer.layers)
    session = Layers(viewer)
    session.follow(slide)
    session.show_map(score((4, 4), Placement(0, 0, 100), 0.9))
    session.show_examples(at(7, 7))
    assert list(viewer.layers) == before


def test_setting_the_resolution_touches_only_that_slide(
    layers: Any, viewer: Any, slide: Any
) -> None:
    layers.regions_layer()
    other = other_slide(None)
    data, options, _ = slide_layer(other)
    shown = viewer.add_image(data, **options)
    layers.follow(other)
    layers.regions_layer()
    solid = viewer.add_points(np.ones((5, 3)))
    flat = viewer.add_points(np.ones((5, 2)), scale=(3, 3))
    layers.show_examples(at(5, 6))
    other.set_mpp(0.5)
    layers.rescale()
    np.testing.assert_allclose(corner(shown, 7, 9), (3.5, 4.5))
    np.testing.assert_allclose(corner(viewer.layers[0], 7, 9), (7 * 0.2738, 9 * 0.2738))
    np.testing.assert_allclose(viewer.layers[REGIONS].scale, 0.2738)
    np.testing.assert_allclose(viewer.layers[f"{REGIONS} – other"].scale, 0.5)
    assert {str(u) for u in solid.units + flat.units} == {"pixel"}
    np.testing.assert_allclose(flat.scale, 3)
    data[0].pyramid.close()


def test_without_resolution_the_world_is_pixels(qapp: Any, viewer: Any) -> None:
    slide = memory_slide(smooth_picture(300, 200), None)
    data, options, _ = slide_layer(slide)
    viewer.add_image(data, **options)
    image = viewer.layers[0]
    np.testing.assert_allclose(corner(image, 7, 9), (7, 9))
    assert [str(u) for u in image.units] == ["pixel", "pixel"]
    layers = Layers(viewer)
    layers.follow(slide)
    layers.show_examples(at(5, 6))
    slide.set_mpp(0.5)
    layers.rescale()
    np.testing.assert_allclose(corner(image, 7, 9), (3.5, 4.5))
    assert len({str(layer.units) for layer in viewer.layers}) == 1
    data[0].pyramid.close()
