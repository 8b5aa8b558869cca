from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.widgets.scatter.cloud import PointCloud, draw_order, pack

from .clouds import coloured


class TestDrawOrder:
    @given(st.integers(0, 5000))
    def test_every_point_is_drawn_once(self, n):
        assert np.array_equal(np.sort(draw_order(n)), np.arange(n))

    def test_appended_points_leave_the_order_of_the_others(self):
        longer = draw_order(1500)
        assert np.array_equal(longer[longer < 1000], draw_order(1000))

    def test_no_class_is_drawn_last(self):
        late = draw_order(100_000)[-1000:]
        assert 0.4 < (late < 50_000).mean() < 0.6


def test_colours_are_packed_as_qt_wants_them():
    assert pack(np.array([[1, 2, 3]], np.uint8)).tolist() == [0xFF010203]


class TestPointCloud:
    def test_the_selected_come_last(self):
        rng = np.random.default_rng(0)
        cloud = coloured(rng, rng.normal(size=(200, 2)))
        mask = rng.random(200) < 0.3
        cloud.select(mask)
        assert cloud.n_selected == mask.sum()
        assert set(cloud.index[cloud.n_behind :]) == set(np.flatnonzero(mask))
        assert cloud.colour.tolist() == [cloud.colour_of(i) for i in cloud.index]

    def test_recolouring_keeps_the_selection(self):
        cloud = PointCloud(np.zeros((4, 2)))
        cloud.select(np.array([1, 0, 0, 1], bool))
        cloud.recolour(np.arange(12, dtype=np.uint8).reshape(4, 3))
        assert cloud.n_selected == 2
        assert cloud.colour.tolist() == [cloud.colour_of(i) for i in cloud.index]

    def test_points_without_coordinates_keep_their_index(self):
        cloud = PointCloud(np.array([[np.nan, 1], [1, 1], [2, np.inf]]))
        assert cloud.n == 3
        assert len(cloud) == 1
        assert cloud.index.tolist() == [1]
        assert cloud.shown.tolist() == [False, True, False]
        assert cloud.bounds == (1, 1, 1, 1)

    def test_hidden_points_are_left_out_of_everything(self):
        cloud = PointCloud(
            np.array([[0, 0], [1, 1], [9, 9]]), np.arange(9, dtype=np.uint8).reshape(3, 3)
        )
        cloud.select(np.array([1, 0, 1], bool))
        cloud.hide(np.array([0, 0, 1], bool))
        assert cloud.bounds == (0, 0, 1, 1)
        assert sorted(cloud.index.tolist()) == [0, 1]
        assert cloud.n_selected == 1
        assert cloud.nearest(9, 9, 1) == -1
        box = np.array([(-1, -1), (10, -1), (10, 10), (-1, 10)], float)
        assert cloud.inside(box).tolist() == [True, True, False]
        cloud.hide(np.zeros(3, bool))
        assert cloud.n_selected == 2
        assert cloud.nearest(9, 9, 1) == 2
