from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_scalescope.widgets.scatter.cloud import PointCloud
from napari_scalescope.widgets.scatter.picking import PointGrid, inside_polygon

from .clouds import coordinates, some_points


class TestPointGrid:
    @given(some_points, coordinates, coordinates, st.floats(0, 3000))
    def test_finds_the_true_nearest(self, xy, x, y, radius):
        grid = PointGrid(xy[:, 0], xy[:, 1], np.arange(len(xy)))
        distance = np.hypot(xy[:, 0].astype(float) - x, xy[:, 1].astype(float) - y)
        assume((np.abs(distance - radius) > 1e-6 * (1 + radius)).all())
        found = grid.nearest(x, y, radius)
        if distance.min() > radius:
            assert found == -1
        else:
            assert distance[found] == pytest.approx(distance.min(), abs=1e-9)

    def test_many_points_and_one_far_away(self):
        rng = np.random.default_rng(0)
        xy = rng.normal(size=(20_000, 2)).astype(np.float32)
        xy[0] = 1e5  # everything else shares a bucket
        grid = PointGrid(xy[:, 0], xy[:, 1], np.arange(len(xy)))
        for x, y in rng.normal(size=(50, 2)):
            nearest = int(np.argmin(((xy.astype(float) - (x, y)) ** 2).sum(1)))
            assert grid.nearest(x, y, 1.0) == nearest

    def test_the_lowest_index_among_equals(self):
        xy = np.zeros((5, 2), np.float32)
        assert PointGrid(xy[:, 0], xy[:, 1], np.array([9, 4, 7, 5, 6])).nearest(0, 0, 1) == 4

    def test_nothing_to_find(self):
        empty = np.empty(0, np.float32)
        assert PointGrid(empty, empty, np.empty(0, np.intp)).nearest(0, 0, 1) == -1

    def test_points_that_are_not_shown_cannot_be_found(self):
        cloud = PointCloud(np.array([[np.nan, 0], [5, 5]]))
        assert cloud.nearest(0, 0, 1) == -1
        assert cloud.nearest(5, 5, 1) == 1


def star(rng, n, centre=(0.0, 0.0)):
    """A polygon that does not cross itself."""
    angle = np.sort(rng.random(n)) * 2 * np.pi
    radius = rng.uniform(0.2, 1, n)
    return np.stack([np.cos(angle) * radius, np.sin(angle) * radius], 1) + centre


class TestInsidePolygon:
    @given(st.integers(3, 60), st.integers(0, 2**32 - 1), st.sampled_from([4, 64, 1024]))
    @settings(deadline=None, max_examples=60)
    def test_agrees_with_shapely_on_every_point(self, corners, seed, resolution):
        rng = np.random.default_rng(seed)
        vertices = star(rng, corners)
        polygon = shapely.Polygon(vertices)
        assume(polygon.is_valid)
        xy = rng.uniform(-1.2, 1.2, (3000, 2)).astype(np.float32)
        shapely.prepare(polygon)
        expected = shapely.contains_xy(polygon, xy.astype(np.float64))
        found = inside_polygon(xy[:, 0], xy[:, 1], vertices, resolution)
        assert np.array_equal(found, expected)

    @given(
        hnp.arrays(
            np.float64, st.tuples(st.integers(3, 12), st.just(2)), elements=st.integers(-9, 9)
        )
    )
    @settings(deadline=None)
    def test_any_polygon_whatever_the_resolution(self, vertices):
        rng = np.random.default_rng(0)
        xy = rng.uniform(-10, 10, (500, 2)).astype(np.float32)
        masks = [inside_polygon(xy[:, 0], xy[:, 1], vertices, r) for r in (1, 7, 200)]
        assert np.array_equal(masks[0], masks[1])
        assert np.array_equal(masks[0], masks[2])

    def test_a_loop_that_crosses_itself_has_no_hole(self):
        turns = np.arange(5) * 2 / 5 * 2 * np.pi
        pentagram = np.stack([np.sin(turns), np.cos(turns)], 1)
        assert inside_polygon(np.zeros(1, np.float32), np.zeros(1, np.float32), pentagram).all()

    def test_direction_does_not_matter(self):
        rng = np.random.default_rng(0)
        vertices = star(rng, 20)
        xy = rng.uniform(-1, 1, (1000, 2)).astype(np.float32)
        there = inside_polygon(xy[:, 0], xy[:, 1], vertices)
        assert np.array_equal(there, inside_polygon(xy[:, 0], xy[:, 1], vertices[::-1]))
        assert there.any()

    @pytest.mark.parametrize(
        "vertices",
        [
            np.empty((0, 2)),
            [(0, 0), (1, 1)],
            [(0, 0), (1, 0), (2, 0)],
            [(0, 0), (0, 0), (0, 0)],
            [(0, 0), (1, np.nan), (1, 1)],
        ],
    )
    def test_what_has_no_area_has_nothing_inside(self, vertices):
        x = np.zeros(3, np.float32)
        assert not inside_polygon(x, x, np.asarray(vertices, float)).any()

    def test_points_that_are_not_shown_are_outside(self):
        x = np.array([np.nan, 0.5, np.inf], np.float32)
        square = np.array([(0, 0), (1, 0), (1, 1), (0, 1.0)])
        assert inside_polygon(x, np.full(3, 0.5, np.float32), square).tolist() == [0, 1, 0]
