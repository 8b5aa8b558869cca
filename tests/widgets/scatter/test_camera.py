from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.widgets.scatter.camera import Camera

from .clouds import coordinates, some_points


@given(coordinates, coordinates, st.floats(0.01, 1000))
def test_screen_and_data_are_inverse(x, y, scale):
    camera = Camera(3.0, -4.0, scale, 300, 200)
    assert camera.to_data(*camera.to_screen(x, y)) == pytest.approx((x, y), abs=1e-6)


@given(st.floats(0.1, 10), st.floats(0, 300), st.floats(0, 200))
def test_zooming_leaves_the_place_under_the_cursor(factor, px, py):
    camera = Camera(3.0, -4.0, 7.0, 300, 200)
    place = camera.to_data(px, py)
    assert camera.zoomed(factor, px, py).to_screen(*place) == pytest.approx((px, py))


def test_panning_moves_the_data_with_the_hand():
    camera = Camera(3.0, -4.0, 7.0, 300, 200)
    x, y = camera.to_screen(1, 1)
    assert camera.panned(10, -20).to_screen(1, 1) == pytest.approx((x + 10, y - 20))


@given(some_points)
def test_fit_shows_everything_inside_the_margins(xy):
    bounds = (*xy.min(0).tolist(), *xy.max(0).tolist())
    camera = Camera.fit(bounds, 300, 200, (10, 20, 30, 40))
    for x, y in ((bounds[0], bounds[1]), (bounds[2], bounds[3])):
        px, py = camera.to_screen(x, y)
        assert 10 - 1e-6 <= px <= 270 + 1e-6
        assert 20 - 1e-6 <= py <= 160 + 1e-6


def test_y_goes_up():
    camera = Camera(0, 0, 1, 100, 100)
    assert camera.to_screen(0, 10)[1] < camera.to_screen(0, -10)[1]
