"""Any box at any resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scalescope.slides import open_slide
from napari_scalescope.slides import slide as slide_module


@pytest.fixture
def slide(tiff: Callable[..., Any]) -> Any:
    path, _ = tiff(w=701, h=503, compression="deflate", mpp=0.5)
    with open_slide(path) as opened:
        yield opened


def test_level_zero_comes_back_as_it_is(slide: Any) -> None:
    np.testing.assert_array_equal(
        slide.read((100, 50, 200, 150), mpp=0.5), slide.read_level(0, 100, 50, 200, 150)
    )


def test_the_size_is_the_box_over_the_scale(slide: Any) -> None:
    assert slide.read((0, 0, 100.4, 99.5), mpp=0.5).shape == (100, 100, 3)
    assert slide.read((0, 0, 100, 50), mpp=1.3).shape == (19, 38, 3)
    assert slide.read((0, 0, 1, 1), mpp=8).shape == (1, 1, 3)
    assert slide.read((3.3, 4.4, 409.06, 409.06), size=(224, 224)).shape == (224, 224, 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(x=st.integers(-300, 900), y=st.integers(-300, 700))
def test_what_is_outside_is_white(slide: Any, x: int, y: int) -> None:
    w, h = slide.dimensions
    pixels = slide.read((x, y, 120, 80), mpp=0.5)
    column, row = np.arange(x, x + 120), np.arange(y, y + 80)
    inside = ((row >= 0) & (row < h))[:, None] & ((column >= 0) & (column < w))[None]
    assert (pixels[~inside] == 255).all()
    if inside.any():
        np.testing.assert_array_equal(
            pixels[inside],
            slide.read_level(0, 0, 0, w, h)[
                np.clip(row, 0, h - 1)[:, None], np.clip(column, 0, w - 1)[None]
            ][inside],
        )


@pytest.fixture
def flat_jpeg(tiff: Callable[..., Any]) -> Any:
    """One level only, so that whatever is coarser is decoded smaller."""
    path, _ = tiff(w=701, h=503, levels=1, mpp=0.5)
    with open_slide(path) as opened:
        yield opened


@pytest.mark.parametrize("reduce", [2, 4, 8])
def test_a_level_decoded_smaller_is_the_mean_of_its_pixels(flat_jpeg: Any, reduce: int) -> None:
    assert flat_jpeg.reduction_for(0, reduce) == reduce
    assert flat_jpeg.reduction_for(0, reduce * 1.9) == reduce
    w, h = 701 // reduce, 503 // reduce
    whole = flat_jpeg.read_level(0, 0, 0, w * reduce, h * reduce).astype(float)
    mean = whole.reshape(h, reduce, w, reduce, 3).mean((1, 3))
    small = flat_jpeg.read_level(0, 0, 0, w, h, reduce)
    assert np.abs(small - mean).mean() < 0.6
    # a window across pieces and over the edge
    part = flat_jpeg.read_level(0, w - 30, 20, 50, 40, reduce)
    np.testing.assert_array_equal(part[:, :30], small[20:60, w - 30 :])
    assert (part[:, 30:] == 255).all()


def test_what_is_not_jpeg_is_never_decoded_smaller(slide: Any) -> None:
    assert slide.reduction_for(0, 16) == 1
    with pytest.raises(ValueError, match="fraction"):
        slide.read_level(0, 0, 0, 10, 10, 2)


@pytest.mark.parametrize("name", ["slide", "flat_jpeg"])
@pytest.mark.parametrize("mpp", [0.5, 0.71, 1.0, 1.9, 3.3, 8.1])
def test_reduction_is_antialiased(request: pytest.FixtureRequest, name: str, mpp: float) -> None:
    """Against the mean over each output pixel's footprint, the definition of area sampling."""
    slide = request.getfixturevalue(name)
    size = (40, 30) if mpp < 4 else (32, 24)
    scale = mpp / 0.5
    box = (57.25, 33.5, size[0] * scale, size[1] * scale)
    pixels = slide.read(box, mpp=mpp).astype(float)
    whole = slide.read_level(0, 0, 0, *slide.dimensions).astype(float)
    w, h = size
    ys = (box[1] + (np.arange(h * 16) + 0.5) * scale / 16).astype(int)
    xs = (box[0] + (np.arange(w * 16) + 0.5) * scale / 16).astype(int)
    fine = whole[ys[:, None], xs[None]]
    area = fine.reshape(h, 16, w, 16, 3).mean((1, 3))
    assert np.abs(pixels - area).mean() < 1.5


def test_fine_stripes_become_grey_not_moire(tiff: Callable[..., Any], tmp_path: Any) -> None:
    import tifffile

    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    path = tmp_path / "stripes.tif"
    tifffile.imwrite(path, stripes, tile=(128, 128), photometric="rgb")
    with open_slide(path, mpp=0.25) as slide:
        pixels = slide.read((32, 32, 448, 448), mpp=0.83).astype(int)
    assert pixels.std() < 4
    assert abs(pixels.mean() - 127.5) < 2


def test_a_shift_of_the_box_is_a_shift_of_the_picture(slide: Any) -> None:
    """Half-pixel conventions: a whole-pixel step at the output is the same picture moved."""
    a = slide.read((100.0, 80.0, 200.0, 200.0), size=(80, 80))
    b = slide.read((102.5, 80.0, 200.0, 200.0), size=(80, 80))
    np.testing.assert_allclose(a[:, 1:].astype(int), b[:, :-1].astype(int), atol=1)


def test_reading_in_bands_gives_the_same(slide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    box = (-20.0, 13.7, 650.0, 470.0)
    whole = slide.read(box, size=(61, 47))
    monkeypatch.setattr(slide_module, "READ_AT_ONCE", 5000)
    np.testing.assert_allclose(
        slide.read(box, size=(61, 47)).astype(int), whole.astype(int), atol=1
    )


def test_the_coarsest_level_that_is_fine_enough_is_read(slide: Any) -> None:
    assert [slide.level_for(d) for d in (0.5, 1, 1.99, 2, 3.9, 4, 100)] == [0, 0, 0, 1, 1, 2, 2]


def test_thumbnail(slide: Any) -> None:
    assert slide.thumbnail(350).shape == (251, 350, 3)


def test_a_slide_describes_itself(slide: Any) -> None:
    assert "701 × 503 px" in repr(slide)
    assert slide.size_mm == pytest.approx((0.3505, 0.2515))
