"""Levels that never make the viewer wait."""

from __future__ import annotations

import copy
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

from napari_scalescope.slides.pyramid import CHUNK, Pyramid

from .conftest import halved, smooth_picture
from .memory import memory_slide


@pytest.fixture
def picture() -> np.ndarray:
    return smooth_picture(2500, 1700)


def settled(pyramid: Pyramid, read: object) -> np.ndarray:
    """What a read gives once everything has arrived."""
    np.asarray(read())  # type: ignore[operator]
    assert pyramid.wait(20)
    return np.asarray(read())  # type: ignore[operator]


def test_levels_halve_exactly_down_to_an_overview(picture: np.ndarray) -> None:
    pyramid = Pyramid(memory_slide(picture))
    shapes = [level.shape for level in pyramid.levels]
    assert max(shapes[-1]) <= 1000
    for finer, coarser in pairwise(shapes):
        assert (finer[0], finer[1]) == (2 * coarser[0], 2 * coarser[1])
    assert shapes[0][0] >= 1700
    assert shapes[0][1] >= 2500
    pyramid.close()


def test_pixels_of_every_level(picture: np.ndarray) -> None:
    pyramid = Pyramid(memory_slide(picture))
    expected = picture
    for level in pyramid.levels:
        h, w = expected.shape[:2]
        pixels = settled(pyramid, lambda level=level: level[:, :])[:h, :w].astype(int)
        assert np.abs(pixels - expected)[: h - 1, : w - 1].mean() < 1.0
        expected = halved(expected)
    pyramid.close()


def test_stored_levels_are_used_and_the_ones_between_are_made(picture: np.ndarray) -> None:
    quarter = halved(halved(picture))
    slide = memory_slide([picture, quarter])
    pyramid = Pyramid(slide)
    pyramid.wait(10)
    slide.reader.reads.clear()
    settled(pyramid, lambda: pyramid.levels[1][:400, :400])
    assert {r[0] for r in slide.reader.reads} == {0}
    slide.reader.reads.clear()
    np.testing.assert_array_equal(np.asarray(pyramid.levels[2])[:400, :600], quarter[:400, :600])
    pyramid.close()


def test_a_pyramid_that_was_resized_freely_is_resampled(picture: np.ndarray) -> None:
    from PIL import Image

    third = np.asarray(Image.fromarray(picture).resize((833, 567), Image.Resampling.BOX))
    pyramid = Pyramid(memory_slide([picture, third]))
    pyramid.wait(10)
    overview = np.asarray(pyramid.levels[-1]).astype(int)
    expected = halved(halved(picture)).astype(int)
    h, w = expected.shape[:2]
    assert np.abs(overview[:h, :w] - expected).mean() < 2.5
    pyramid.close()


def test_reading_never_waits_and_is_never_black(picture: np.ndarray) -> None:
    slide = memory_slide(picture, delay_s=0.05)
    pyramid = Pyramid(slide, threads=1)
    pyramid.wait(30)
    started = time.perf_counter()
    first = np.asarray(pyramid.levels[0][:1024, :1024])
    assert time.perf_counter() - started < 10  # it answers although nothing has been read
    assert not slide.reader.reads or pyramid.idle is False
    blurred = np.abs(first.astype(int) - picture[:1024, :1024]).mean()
    assert first.min() > 0
    assert blurred < 20  # the overview, enlarged
    pyramid.wait(30)
    sharp = np.asarray(pyramid.levels[0][:1024, :1024])
    np.testing.assert_array_equal(sharp, picture[:1024, :1024])
    pyramid.close()


@pytest.mark.parametrize("coarser", [1, 2])
@pytest.mark.parametrize(
    "part", [(0, 1700, 0, 2500), (512, 1024, 1024, 1536), (300, 1701, 77, 1300), (5, 6, 511, 514)]
)
def test_what_is_missing_is_the_nearest_coarser_pixels_enlarged(
    picture: np.ndarray, coarser: int, part: tuple[int, int, int, int]
) -> None:
    slide = memory_slide(picture)
    pyramid = Pyramid(slide, threads=1)
    level = pyramid.levels[coarser]
    known = settled(pyramid, lambda: level[:, :])
    slide.reader.delay_s = 1
    y0, y1, x0, x1 = part
    enlarged = known.repeat(1 << coarser, axis=0).repeat(1 << coarser, axis=1)
    seen = np.asarray(pyramid.levels[0][y0:y1, x0:x1])
    np.testing.assert_array_equal(seen, enlarged[y0:y1, x0:x1])
    pyramid.close()


def test_before_anything_has_arrived_it_is_glass() -> None:
    gate = threading.Event()
    slide = memory_slide(np.zeros((1500, 1500, 3), np.uint8))
    read = slide.reader.read

    def late(*args: int) -> np.ndarray:
        gate.wait(10)
        return read(*args)

    slide.reader.read = late
    pyramid = Pyramid(slide)
    assert (np.asarray(pyramid.levels[0][:100, :100]) == 255).all()
    overview = np.asarray(pyramid.levels[-1])
    assert (overview == 255).all()
    gate.set()
    assert pyramid.wait(10)
    # napari keeps the array it was given: it is filled in, not replaced.
    assert (overview == 0).all()
    pyramid.close()


def test_nearest_to_the_centre_of_the_view_comes_first() -> None:
    slide = memory_slide(smooth_picture(CHUNK * 5, CHUNK * 5))
    pyramid = Pyramid(slide, threads=1)
    pyramid.wait(20)
    slide.reader.reads.clear()
    slide.reader.delay_s = 0.01
    np.asarray(pyramid.levels[0][:, :])
    pyramid.wait(30)
    first = slide.reader.reads[0]
    assert (first[1] // CHUNK, first[2] // CHUNK) == (2, 2)
    pyramid.close()


def test_what_an_earlier_view_wanted_is_dropped() -> None:
    slide = memory_slide(smooth_picture(CHUNK * 8, CHUNK * 8))
    pyramid = Pyramid(slide, threads=1)
    pyramid.wait(20)
    slide.reader.reads.clear()
    slide.reader.delay_s = 0.15
    for i in range(20):
        y = (i % 4) * CHUNK
        np.asarray(pyramid.levels[0][y : y + 4 * CHUNK, :])
    np.asarray(pyramid.levels[0][: CHUNK - 1, : CHUNK - 1])
    pyramid.wait(30)
    assert len(slide.reader.reads) < 10  # and not some hundred
    pyramid.close()


def test_it_counts_the_tiles_that_arrive(picture: np.ndarray) -> None:
    pyramid = Pyramid(memory_slide(picture))
    assert pyramid.wait(10)
    before = pyramid.arrived
    np.asarray(pyramid.levels[0][:CHUNK, : 2 * CHUNK])
    assert pyramid.wait(10)
    assert pyramid.arrived == before + 2
    pyramid.close()


def test_a_copy_of_a_level_shows_the_same_pyramid(picture: np.ndarray) -> None:
    pyramid = Pyramid(memory_slide(picture))
    copies = copy.deepcopy(pyramid.levels)
    assert all(level.pyramid is pyramid for level in copies)
    pyramid.close()


def test_the_cache_has_a_budget() -> None:
    slide = memory_slide(smooth_picture(CHUNK * 6, CHUNK * 6))
    budget = 6 * CHUNK * CHUNK * 3
    pyramid = Pyramid(slide, max_bytes=budget)
    for y in range(0, CHUNK * 6, CHUNK):
        settled(pyramid, lambda y=y: pyramid.levels[0][y : y + CHUNK, :])
    assert pyramid._bytes <= budget
    assert sum(t.nbytes for t in pyramid._tiles.values()) == pyramid._bytes
    pyramid.close()


def test_a_damaged_place_is_hatched_and_named(picture: np.ndarray) -> None:
    pyramid = Pyramid(memory_slide(picture, broken=(600, 600, 20, 20)))
    pixels = settled(pyramid, lambda: pyramid.levels[0][CHUNK : 2 * CHUNK, CHUNK : 2 * CHUNK])
    assert set(np.unique(pixels)) == {180, 220}
    assert pyramid.problems == ["memory is damaged. Make it again."]
    pyramid.close()


def test_what_nobody_foresaw_is_hatched_and_named_too(
    picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = memory_slide(picture)
    read = slide.reader.read

    def sometimes(level: int, x: int, y: int, w: int, h: int) -> np.ndarray:
        if (x, y) == (CHUNK, CHUNK):
            raise KeyError("a bug")
        return read(level, x, y, w, h)

    monkeypatch.setattr(slide.reader, "read", sometimes)
    pyramid = Pyramid(slide)
    pixels = settled(pyramid, lambda: pyramid.levels[0][: 2 * CHUNK, : 2 * CHUNK])
    assert set(np.unique(pixels[CHUNK:, CHUNK:])) == {180, 220}
    np.testing.assert_array_equal(pixels[:CHUNK, :CHUNK], picture[:CHUNK, :CHUNK])
    assert "a bug" in pyramid.problems[0]
    pyramid.close()


def test_closing_ends_the_threads_and_reading_afterwards_does_not_hang(
    picture: np.ndarray,
) -> None:
    before = threading.active_count()
    pyramid = Pyramid(memory_slide(picture, delay_s=0.01))
    np.asarray(pyramid.levels[0][:, :])
    pyramid.close()
    assert threading.active_count() == before
    assert np.asarray(pyramid.levels[0][:10, :10]).shape == (10, 10, 3)


def test_a_small_slide_is_one_level() -> None:
    pyramid = Pyramid(memory_slide(smooth_picture(300, 200)))
    assert [level.shape for level in pyramid.levels] == [(200, 300, 3)]
    assert pyramid.wait(10)
    np.testing.assert_array_equal(np.asarray(pyramid.levels[0]), smooth_picture(300, 200))
    pyramid.close()


def test_it_is_the_array_like_napari_expects(picture: np.ndarray) -> None:
    pyramid = Pyramid(memory_slide(picture))
    level = pyramid.levels[0]
    assert (level.ndim, level.dtype, level.chunks) == (3, np.uint8, (CHUNK, CHUNK, 3))
    assert level.size == np.prod(level.shape)
    window = level[100:200, 300:500]
    assert (window.shape, window.ndim, window.dtype) == ((100, 200, 3), 3, np.uint8)
    assert window[..., 0].shape == (100, 200)
    assert level[100:200:2, 300:500:4, :].shape == (50, 50, 3)
    assert np.asarray(level[100:200:2, 300:500:4]).shape == (50, 50, 3)
    assert np.asarray(level[5]).shape == (level.shape[1], 3)
    assert np.asarray(level[5, 6]).shape == (3,)
    assert np.asarray(level[..., 1]).shape == level.shape[:2]
    assert np.asarray(level[:4, :4], dtype=float).dtype == float
    pyramid.close()
