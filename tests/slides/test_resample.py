"""The resampling kernel, beside one that others wrote."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_scalescope.slides.resample import Taps, mixed, resample

from .conftest import smooth_picture

PICTURE = smooth_picture(211, 163)
NOISE = np.random.default_rng(0).integers(0, 256, (163, 211, 3), dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 0.5), st.floats(0.1, 0.5)),
    st.tuples(st.integers(1, 150), st.integers(1, 150)),
)
def test_it_is_pillows_bicubic(
    share: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    """Which is what most encoders were trained on tiles of; at the borders of a picture too."""
    x, y, w, h = share
    box = (x * 211, y * 163, (x + w) * 211, (y + h) * 163)
    for pixels in (PICTURE, NOISE):
        theirs = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, box=box)
        difference = resample(pixels, box, size).astype(int) - np.asarray(theirs)
        assert np.abs(difference).max() <= 1


def test_whole_pixels_come_back_as_they_are() -> None:
    np.testing.assert_array_equal(resample(NOISE, (7, 5, 107, 95), (100, 90)), NOISE[5:95, 7:107])


def test_a_constant_stays_constant() -> None:
    for value in (0, 1, 254, 255):
        flat = np.full((90, 80, 3), value, np.uint8)
        for size in ((33, 47), (80, 90), (200, 170)):
            assert (resample(flat, (0.3, 0.2, 79.9, 89.7), size) == value).all()


@given(st.floats(0, 1e6), st.floats(0.5, 9), st.integers(1, 300))
def test_weights_add_up_to_one(start: float, scale: float, n: int) -> None:
    taps = Taps.of(start, n * scale, n)
    np.testing.assert_allclose(taps.weights.sum(1), 1, atol=1e-6)
    centre = start + (np.arange(n) + 0.5) * scale
    at = (taps.first[:, None] + np.arange(taps.weights.shape[1]) + 0.5) * taps.weights
    np.testing.assert_allclose(at.sum(1), centre, atol=0.02 * max(1, scale) + 1e-6 * start)


@given(st.floats(10, 60), st.floats(30, 60), st.floats(0.6, 3))
def test_what_is_computed_together_is_what_is_computed_alone(
    a: float, b: float, scale: float
) -> None:
    """To the last bit, whatever window it is read from: a store must not depend on batches."""
    one, two = (Taps.of(start, 20 * scale, 20) for start in (a, b))
    down = Taps.of(9.7, 10 * scale, 10)
    together = mixed(NOISE, Taps.joined([one, two]), down)
    for k, part in enumerate((one, two)):
        (x0, x1), (y0, y1) = part.span, down.span
        alone = mixed(NOISE[y0:y1, x0:x1], part.moved(-x0), down.moved(-y0))
        np.testing.assert_array_equal(together[:, k * 20 : k * 20 + 20], alone)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a home that cannot be written to")
def test_it_runs_where_nothing_can_be_kept() -> None:
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from napari_scalescope.slides.resample import resample\n"
        "assert resample(np.zeros((9, 9, 3), np.uint8), (0, 0, 9, 9), (4, 4)).shape == (4, 4, 3)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
