"""Levels, µm, the camera and the half pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.geometry import (
    Box,
    Placement,
    from_level,
    from_um,
    level_downsample,
    scale_for_view,
    to_level,
    to_um,
    viewport_box,
)

COORD = st.floats(-1e5, 2e5)


@given(COORD, COORD, st.floats(1, 256), st.floats(0.05, 20))
def test_conversions_round_trip(x: float, y: float, downsample: float, mpp: float) -> None:
    p = np.array([[x, y]])
    np.testing.assert_allclose(from_level(to_level(p, downsample), downsample), p, atol=1e-7)
    np.testing.assert_allclose(from_um(to_um(p, mpp), mpp), p, atol=1e-7)


@given(st.integers(600, 200_000), st.integers(600, 200_000), st.sampled_from([1, 2, 4, 8, 16, 32]))
def test_a_level_cut_or_rounded_by_a_whole_factor_has_that_factor(w: int, h: int, f: int) -> None:
    for size in ((w // f, h // f), (-(-w // f), -(-h // f)), (round(w / f), round(h / f))):
        assert level_downsample((w, h), size) == f


def test_levels_of_real_scanners() -> None:
    assert level_downsample((15374, 9216), (3843, 2304)) == 4
    assert level_downsample((15374, 9216), (960, 576)) == 16
    assert level_downsample((4443, 3567), (2221, 1783)) == 2
    assert level_downsample((9278, 9916), (580, 620)) == 16


def test_a_level_that_was_resized_freely_has_the_ratio() -> None:
    assert level_downsample((10_000, 8_000), (3000, 2400)) == pytest.approx(10 / 3)


@given(COORD, COORD, st.floats(1, 5000), st.floats(1, 5000))
def test_boxes(x: float, y: float, w: float, h: float) -> None:
    box = Box(x, y, w, h)
    assert box.contains(*box.centre)
    assert Box.from_corners(box.x1, box.y1, x, y) == pytest.approx(box)
    assert box.intersection(box) == pytest.approx(box)
    assert box.intersection(Box(box.x1 + 1, y, w, h)) is None
    assert box.grown(3).area == pytest.approx((w + 6) * (h + 6))
    assert Box.around(box.centre, w, h) == pytest.approx(box, abs=1e-6)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(1, 4000), st.floats(0.05, 20))
def test_placement_puts_cell_corners_where_they_belong(
    x: float, y: float, cell: float, mpp: float
) -> None:
    where = Placement(x, y, cell).napari(mpp)
    # napari draws cell i from (i - 0.5) * scale + translate to (i + 0.5) * scale + translate.
    for axis, origin in ((0, y), (1, x)):
        scale, translate = where["scale"][axis], where["translate"][axis]
        for i in (0, 7):
            assert (i - 0.5) * scale + translate == pytest.approx(
                (origin + i * cell) * mpp, rel=1e-9, abs=1e-6
            )


def test_placement_index_and_box() -> None:
    placement = Placement(100.0, 50.0, 10.0)
    assert placement.index([(100.0, 50.0), (129.9, 50.0), (99.9, 61.0)]).tolist() == [
        [0, 0], [0, 2], [1, -1],
    ]  # fmt: skip
    assert placement.box((3, 4)) == Box(100.0, 50.0, 40.0, 30.0)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0.01, 50), st.floats(0.1, 2))
def test_viewport_has_the_camera_at_its_centre(y: float, x: float, zoom: float, mpp: float) -> None:
    box = viewport_box((0.0, y, x), zoom, (800, 1200), mpp)
    assert box.centre == pytest.approx((x / mpp, y / mpp), abs=1e-6)
    assert box.w * mpp * zoom == pytest.approx(1200)
    assert box.h * mpp * zoom == pytest.approx(800)


def test_viewport_without_resolution_is_in_pixels() -> None:
    assert viewport_box((40.0, 50.0), 2.0, (100, 200), None) == Box(0.0, 15.0, 100.0, 50.0)


@given(st.floats(0.01, 100), st.floats(0.1, 4))
def test_scales_that_follow_the_zoom(wanted: float, native: float) -> None:
    mpp = scale_for_view(wanted, native)
    assert mpp >= native / 1.05
    if wanted > native * 1.5:
        assert 1 / np.sqrt(2) - 1e-9 <= mpp / wanted <= np.sqrt(2) + 1e-9
    assert mpp == native or np.log2(mpp / 0.25) == pytest.approx(round(np.log2(mpp / 0.25)))


@pytest.mark.parametrize(
    ("wanted", "native", "expected"),
    [(0.1, 0.2498, 0.25), (0.6, 0.2498, 0.5), (0.2, 0.69, 0.69), (0.75, 0.69, 0.69),
     (1.2, 0.69, 1.0), (9.0, 0.5, 8.0), (0.3, 0.499, 0.5)],
)  # fmt: skip
def test_rungs_of_the_ladder(wanted: float, native: float, expected: float) -> None:
    assert scale_for_view(wanted, native) == pytest.approx(expected)
