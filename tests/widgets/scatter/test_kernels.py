"""The compiled loops do what numpy does, to the bit, whatever the points and the view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scalescope.widgets.scatter import kernels
from napari_scalescope.widgets.scatter.cloud import PointCloud
from napari_scalescope.widgets.scatter.picking import inside_polygon
from napari_scalescope.widgets.scatter.raster import rasterise

from .clouds import DARK, camera_of

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    thread = kernels.warm_up()
    if thread is not None:
        thread.join()
    assert kernels._ready.wait(120)


@contextmanager
def used(compiled: bool) -> Iterator[None]:
    """With the compiled loops for any number of points, or without them."""
    before = kernels.MANY
    kernels.MANY = 0 if compiled else kernels.MOST
    try:
        yield
    finally:
        kernels.MANY = before


def points(rng: np.random.Generator, n: int) -> np.ndarray:
    """Crowded, thin, equal, far away and not there."""
    xy = rng.normal(size=(n, 2)) * rng.choice([0.01, 1, 50], (n, 1))
    xy[rng.random(n) < 0.1] = xy[0]
    xy[rng.random(n) < 0.02] = np.nan
    return xy.astype(np.float32)


@given(
    st.integers(1, 4000),
    seeds,
    st.sampled_from([None, 1.0, 2.0, 3.5]),
    st.sampled_from([1.0, 1.25, 2.0]),
    st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    st.sampled_from([0.5, 1.0, 17.0]),
)
@settings(max_examples=60)
def test_the_same_picture(n, seed, size, ratio, chosen, zoom):
    rng = np.random.default_rng(seed)
    xy = points(rng, n)
    if np.isnan(xy).any(1).all():
        return
    colours = rng.integers(0, 256, (n, 3), np.uint8)
    mask = rng.random(n) < chosen
    pictures = []
    for compiled in (False, True):
        with used(compiled):
            cloud = PointCloud(xy, colours)
            cloud.select(mask)
            camera = camera_of(cloud, 60, 40).zoomed(zoom, 20, 10)
            pictures.append(rasterise(cloud, camera, background=DARK, point_size=size, ratio=ratio))
            pictures[-1] = pictures[-1].copy(), cloud.index, cloud.colour, cloud.n_behind
    (plain, *order), (made, *made_order) = pictures
    assert np.array_equal(plain, made)
    for array, other in zip(order, made_order, strict=True):
        assert np.array_equal(array, other)


@given(st.integers(3, 40), seeds, st.sampled_from([3, 64, 1024]), st.booleans())
@settings(max_examples=60)
def test_the_same_points_in_a_polygon(corners, seed, resolution, whole):
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(corners, 2)) * 2
    xy = points(rng, 3000)
    if whole:  # points on corners and edges
        vertices, xy = np.rint(vertices), np.rint(xy)
    found = []
    for compiled in (False, True):
        with used(compiled):
            found.append(inside_polygon(xy[:, 0], xy[:, 1], vertices, resolution))
    assert np.array_equal(*found)


def test_they_are_for_many_points_and_no_more_than_can_be_counted():
    assert not kernels.fit(kernels.MANY - 1)
    assert kernels.fit(kernels.MANY)
    assert not kernels.fit(kernels.MOST + 1)


def test_they_are_compiled_once():
    assert kernels.warm_up() is None


def test_none_was_compiled_for_arrays_of_another_kind():
    # That would happen while somebody waits for a frame.
    loops = [loop for loop in vars(kernels).values() if hasattr(loop, "signatures")]
    assert len(loops) == 8
    assert {
        loop.__name__: len(loop.signatures) for loop in loops if len(loop.signatures) != 1
    } == {}
