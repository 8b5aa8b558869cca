from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.pretraining.sources import Picture, Source, SourceEntry, halvings
from napari_scalescope.pretraining.views import (
    TURNS,
    Disturbance,
    FieldRule,
    Sampler,
    disturbed,
    overlapping,
    stained,
    token_overlap,
    turn_indices,
    turned,
)


def ramp(side: int = 600) -> np.ndarray:
    """Red grows with x, green with y: the colour says where a pixel came from."""
    at = np.linspace(0, 255, side).astype(np.uint8)
    out = np.full((side, side, 3), 128, np.uint8)
    out[..., 0], out[..., 1] = at[None, :], at[:, None]
    return out


def source(pixels: np.ndarray, mpp: float | None = 0.5) -> Source:
    entry = SourceEntry(name="ramp", files="-", licence="CC0-1.0")
    return Source(entry, (Picture(halvings(pixels), mpp),))


def sampler(
    pixels: np.ndarray | None = None, mpp: float | None = 0.5, grid: int = 1, together: int = 1
) -> Sampler:
    rule = FieldRule(informative=0.0)
    still = Disturbance(stain_scale=0, stain_shift=0, chance=0)
    pictures = [source(ramp() if pixels is None else pixels, mpp)]
    return Sampler(pictures, rule, still, 64, grid, together)


def test_halvings_are_means_of_four() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (256, 320, 3), np.uint8)
    levels = halvings(pixels)
    assert [p.shape[:2] for p in levels] == [(256, 320), (128, 160), (64, 80)]
    mean = pixels.reshape(128, 2, 160, 2, 3).mean((1, 3))
    assert np.abs(levels[1] - mean).max() <= 0.5


@given(
    x=st.floats(0, 300), y=st.floats(0, 300), side=st.floats(64, 300), px=st.sampled_from([16, 64])
)
def test_a_read_shows_the_place_that_was_asked_for(
    x: float, y: float, side: float, px: int
) -> None:
    picture = Picture(halvings(ramp()), 0.5)
    shown = picture.read(x, y, side, px)
    assert shown.shape == (px, px, 3)
    per_px = 255 / 599
    centre = (np.array([x, y]) + side / 2 - 0.5) * per_px
    assert np.abs(shown[..., :2].mean((0, 1)) - centre).max() < 1.5


@pytest.mark.parametrize("turn", range(TURNS))
def test_turning_is_undone_by_its_indices(turn: int) -> None:
    tokens = np.arange(25).reshape(5, 5, 1)
    assert (turned(tokens, turn).ravel()[turn_indices(5)[turn]] == tokens.ravel()).all()


def test_all_turns_differ() -> None:
    tokens = np.arange(9).reshape(3, 3, 1)
    assert len({turned(tokens, t).tobytes() for t in range(TURNS)}) == TURNS


@given(side=st.floats(0.25, 0.5), u=st.floats(0, 1), v=st.floats(0, 1))
def test_overlap_is_area(side: float, u: float, v: float) -> None:
    x, y = u * (1 - side), v * (1 - side)
    overlap = token_overlap(np.array([[x, y, side]], np.float32), 8)[0]
    assert overlap.min() >= 0
    # a fine token lies wholly inside the coarse field, and every one has the same area
    np.testing.assert_allclose(overlap.sum(0), side**2, rtol=1e-3)
    # the covered tokens' centre of mass is the fine field's centre
    rows, columns = np.divmod(np.arange(64), 8)
    covered = overlap.sum(1)
    assert covered.max() <= 1 + 1e-4
    fine_x = (np.arange(8) + 0.5) / 8 * side + x
    wide = overlap.reshape(8, 8, 8, 8).sum((0, 2))
    assert np.abs(
        (wide * (np.arange(8)[:, None] + 0.5)).sum(0) / wide.sum(0) / 8 - fine_x
    ).max() < (1 / 16)
    assert rows[covered > 0].min() >= int(y * 8 - 1e-3)
    assert columns[covered > 0].min() >= int(x * 8 - 1e-3)


def test_a_fine_field_is_what_its_box_says() -> None:
    places = sampler().draw(np.random.default_rng(1), 40)
    for i in range(len(places)):
        x, y, side = places.box[i]
        coarse = places.clean_coarse[i].astype(float)
        # the ramp is linear: the value at a share of the field follows from its edges
        left, right = coarse[:, 0, 0].mean(), coarse[:, -1, 0].mean()
        expected = left + (right - left) * (x + side / 2)
        assert abs(places.clean_fine[i][..., 0].mean() - expected) < 2
        top, bottom = coarse[0, :, 1].mean(), coarse[-1, :, 1].mean()
        assert (
            abs(places.clean_fine[i][..., 1].mean() - (top + (bottom - top) * (y + side / 2))) < 2
        )


def test_nothing_is_upsampled() -> None:
    for mpp in (0.5, None):
        for grid in (1, 2, 4):
            drawn = sampler(mpp=mpp, grid=grid).draw(np.random.default_rng(2), 60)
            assert (drawn.downsample * drawn.box[:, 2] >= 1 - 1e-5).all()
            assert (drawn.downsample >= grid - 1e-5).all()
            assert drawn.clean_coarse.shape[1] == 64 * grid


def test_scales_are_log_uniform() -> None:
    down = sampler(ramp(1200)).draw(np.random.default_rng(3), 2000).downsample
    assert down.min() >= 2
    assert down.max() <= 1200 / 64 + 1e-3
    middle = np.sqrt(2 * 1200 / 64)
    assert 0.4 < (down < middle).mean() < 0.6


def test_places_of_one_slide_come_together() -> None:
    drawn = sampler(ramp(1200), together=16).draw(np.random.default_rng(4), 400)
    down, n = np.unique(drawn.downsample, return_counts=True)
    room = np.round(1200 / (down * 64)) ** 2
    assert n.max() == 16
    assert (n <= 2 * room).all()
    # the last group may be cut off
    assert (n != np.minimum(16, 2 * room)).sum() <= 1


def test_half_of_the_fine_fields_share_the_centre() -> None:
    box = sampler().draw(np.random.default_rng(6), 400).box
    middle = box[:, :2] + box[:, 2:] / 2
    assert 0.4 < (np.abs(middle - 0.5) < 1e-5).all(1).mean() < 0.6


def test_overlapping_fields_are_known() -> None:
    corners = np.array([[0, 0, 0], [0.5, 0.9, 0], [1.2, 0, 0], [0, 0, 8]])
    same = overlapping(corners)
    assert same.tolist() == [
        [True, True, False, False],
        [True, True, True, False],
        [False, True, True, False],
        [False, False, False, True],
    ]


def test_the_same_generator_draws_the_same_places() -> None:
    a, b = (sampler().draw(np.random.default_rng((5, 7)), 6) for _ in range(2))
    assert (a.views[0] == b.views[0]).all()
    assert (a.box == b.box).all()


def test_the_views_are_the_clean_fields_turned() -> None:
    still = Disturbance(stain_scale=0, stain_shift=0, chance=0)
    rule = FieldRule(informative=0.0)
    draw = Sampler([source(ramp())], rule, still, 64, twice=True).draw
    places = draw(np.random.default_rng(3), 8)
    clean = (places.clean_coarse, places.clean_fine, places.clean_coarse)
    assert places.turns.shape == (8, 3)
    assert (places.turns[:, 0] != places.turns[:, 2]).any()
    for views, fields, turns in zip(places.views, clean, places.turns.T, strict=True):
        for view, field, turn in zip(views, fields, turns, strict=True):
            assert np.abs(view.astype(int) - turned(field, int(turn))).max() <= 1


def test_a_source_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture has room"):
        sampler(ramp(100))


def test_stain_jitter_of_nothing_changes_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    same = stained(pixels, [1, 1, 1], [0, 0, 0]).astype(int)
    assert np.abs(same - pixels).max() <= 1


def test_more_stain_is_darker() -> None:
    pixels = np.full((8, 8, 3), (180, 120, 170), np.uint8)
    assert stained(pixels, [1.3, 1.3, 1.3], [0, 0, 0]).mean() < pixels.mean()
    assert stained(pixels, [1, 1, 1], [0.05, 0.05, 0.05]).mean() < pixels.mean()


def test_disturbing_keeps_the_shape_and_is_repeatable() -> None:
    pixels = ramp(64)
    by = Disturbance(chance=1.0)
    a = disturbed(pixels, by, np.random.default_rng(0))
    assert a.shape == pixels.shape
    assert a.dtype == np.uint8
    assert (a == disturbed(pixels, by, np.random.default_rng(0))).all()
    assert (a != pixels).any()


def test_mostly_informative_fields_are_drawn() -> None:
    pixels = np.full((600, 600, 3), 245, np.uint8)
    pixels[:, :200] = (190, 110, 180)
    rule = FieldRule(informative=0.6, unfiltered=0.0)
    drawn = Sampler([source(pixels)], rule, Disturbance(), 64).draw(np.random.default_rng(0), 30)
    assert (drawn.clean_coarse[..., 1] < 200).mean(axis=(1, 2)).min() >= 0.55
