from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scalescope.widgets.scatter.camera import Camera
from napari_scalescope.widgets.scatter.cloud import DEFAULT_COLOUR, PointCloud
from napari_scalescope.widgets.scatter.raster import rasterise

from .clouds import DARK, camera_of, coloured, some_points


def unpacked(picture):
    return np.stack([(picture >> bits) & 255 for bits in (16, 8, 0)], -1).astype(int)


@given(
    some_points,
    st.sampled_from([None, 1.0, 2.0, 3.5, 8.0]),
    st.sampled_from([1.0, 1.25, 2.0]),
    st.booleans(),
    st.floats(1, 30),
)
@settings(deadline=None)
def test_every_point_on_screen_colours_its_pixel(xy, size, ratio, selects, zoom):
    rng = np.random.default_rng(0)
    cloud = coloured(rng, xy)
    if selects:
        cloud.select(rng.random(len(xy)) < 0.5)
    camera = camera_of(cloud).zoomed(zoom, 60, 40)
    picture = rasterise(cloud, camera, background=DARK, point_size=size, ratio=ratio)
    assert picture.shape == (round(80 * ratio), round(120 * ratio))
    _, px, py = cloud.on_screen(camera)
    seen = unpacked(picture)
    for x, y in zip(px.tolist(), py.tolist(), strict=True):
        # A small dot may lie in either of the pixels that its centre is next to.
        row, column = int(y * ratio), int(x * ratio)
        near = seen[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        assert (near != DARK).any()


@given(st.integers(0, 3000), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=30)
def test_no_point_is_lost_where_density_is_drawn(n, seed, selects):
    rng = np.random.default_rng(seed)
    cloud = coloured(rng, rng.normal(size=(3000 + n, 2)))
    if selects:
        cloud.select(rng.random(cloud.n) < rng.random())
    camera = camera_of(cloud, 60, 40, 2)
    seen = (unpacked(rasterise(cloud, camera, background=DARK)) != DARK).any(-1)
    _, px, py = cloud.on_screen(camera)
    assert seen[py.astype(int), px.astype(int)].all()


def test_nothing_is_drawn_elsewhere():
    cloud = PointCloud(np.array([[0, 0], [1e6, 0], [0, -1e6], [np.nan, 0], [0, np.inf]]))
    camera = Camera(0, 0, 1, 101, 101)
    seen = (unpacked(rasterise(cloud, camera, background=DARK, point_size=5)) != DARK).any(-1)
    rows, columns = np.nonzero(seen)
    assert 47 <= rows.min() <= rows.max() <= 53
    assert 47 <= columns.min() <= columns.max() <= 53


def test_no_points_no_picture():
    for xy in (np.empty((0, 2)), np.full((5, 2), np.nan)):
        picture = rasterise(PointCloud(xy), Camera(0, 0, 1, 30, 20), background=DARK)
        assert (unpacked(picture) == DARK).all()


def test_a_dot_has_its_colour_and_its_size():
    cloud = PointCloud(np.zeros((1, 2)))
    for size in (1, 2, 4, 10):
        picture = rasterise(
            cloud, Camera(0, 0, 1, 40, 40), background=DARK, point_size=size, ratio=1
        )
        seen = unpacked(picture)
        strength = (seen[20, 20] - DARK) / np.subtract(DEFAULT_COLOUR, DARK)
        assert strength.min() > 0.7
        share = (seen - DARK).sum() / np.subtract(DEFAULT_COLOUR, DARK).sum()
        assert share == pytest.approx(size**2 * (math.pi / 4 if size > 1 else 1), rel=0.15)


def test_selected_points_are_in_front_and_the_others_fade():
    n = 400
    xy = np.repeat([[0.0, 0.0], [30.0, 0.0]], n // 2, axis=0)
    colours = np.tile(np.array([[200, 40, 40], [40, 200, 40]], np.uint8), (n // 2, 1))
    cloud = PointCloud(xy, colours)
    selected = np.zeros(n, bool)
    selected[1] = True
    cloud.select(selected)
    camera = Camera(0, 0, 1, 100, 60)
    seen = unpacked(rasterise(cloud, camera, background=DARK, point_size=4))
    assert seen[30, 50].tolist() == [40, 200, 40]
    other = seen[30, 80] - DARK
    options = (colours[:2].astype(int) - DARK) / 4
    assert any(np.abs(other - option).max() <= 1 for option in options)


def test_an_empty_selection_fades_nothing():
    cloud = PointCloud(np.zeros((1, 2)))
    before = rasterise(cloud, Camera(0, 0, 1, 9, 9), background=DARK)
    cloud.select(np.zeros(1, bool))
    assert np.array_equal(before, rasterise(cloud, Camera(0, 0, 1, 9, 9), background=DARK))


def test_density_shows_the_mean_colour_the_stronger_the_more_points():
    rng = np.random.default_rng(0)
    n = 20_000
    crowd = np.zeros((n, 2))
    crowd[: n // 2, 0] = 10  # a crowd of two classes on one pixel, another thinly spread
    crowd[n // 2 :] = rng.uniform(-20, 0, (n // 2, 2))
    colours = np.empty((n, 3), np.uint8)
    colours[: n // 2 : 2], colours[1 : n // 2 : 2] = (250, 50, 50), (50, 50, 250)
    colours[n // 2 :] = (250, 250, 250)
    seen = unpacked(
        rasterise(PointCloud(crowd, colours), Camera(0, 0, 2, 100, 100), background=(0, 0, 0))
    )
    assert seen[50, 70].tolist() == pytest.approx([150, 50, 150], abs=1)
    thin = seen[52:88, 12:48, 0]
    assert thin.max() <= 250
    assert thin[thin > 0].min() < 0.7 * 250


def test_few_selected_points_are_not_averaged_away():
    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(size=(50_000, 2)), np.full((50_000, 3), 90, np.uint8))
    colours = np.full((50_000, 3), 90, np.uint8)
    colours[7] = (255, 255, 0)
    cloud.recolour(colours)
    selected = np.zeros(50_000, bool)
    selected[7] = True
    cloud.select(selected)
    picture = rasterise(cloud, camera_of(cloud), background=DARK)
    assert (unpacked(picture) == (255, 255, 0)).all(-1).any()


def test_two_calls_draw_the_same():
    rng = np.random.default_rng(0)
    xy = rng.normal(size=(30_000, 2))
    pictures = [
        rasterise(cloud, camera_of(cloud), background=DARK)
        for cloud in (coloured(np.random.default_rng(1), xy) for _ in range(2))
    ]
    assert np.array_equal(*pictures)


def test_a_deep_zoom_does_not_lose_the_point():
    xy = np.array([[12.345678, -9.87654], [0, 0]], np.float32)
    camera = Camera.fit((-20, -20, 20, 20), 200, 200)
    px, py = camera.to_screen(*xy[0].tolist())
    close = camera.zoomed(1e4, px, py)
    picture = rasterise(PointCloud(xy), close, background=DARK, point_size=4)
    assert (unpacked(picture)[int(py), int(px)] != DARK).any()
