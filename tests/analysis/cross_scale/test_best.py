"""Best magnification: where islands of a known size stand out."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.analysis import best_magnification, separability
from napari_scalescope.analysis.cross_scale.best import ordered_colours
from napari_scalescope.errors import EncoderError

from .conftest import G, See


def islands(side: int, n: int = 128) -> np.ndarray:
    """Noise, and one island of a clear tissue in the middle, ``side`` px wide."""
    out = np.random.default_rng(0).normal(size=(n, n, 12)).astype(np.float32)
    at = (n // 2 // side) * side
    out[at : at + side, at : at + side, 0] += 6
    return out


@pytest.mark.parametrize("mpp", [1, 2, 4])
def test_an_island_is_most_itself_where_it_fills_a_tile(see: See, mpp: int) -> None:
    world = islands(G * mpp)
    made = best_magnification([see(world, m) for m in (4, 1, 2)])
    assert made.kind == "class"
    assert [c.name for c in made.classes] == ["1 µm/px", "2 µm/px", "4 µm/px"]
    middle = 64 + G * mpp / 2
    assert made.at(middle, middle) == {1: 1, 2: 2, 4: 3}[mpp]
    assert made.values.shape == (32, 32)
    # The tiles at the edges have no surroundings at 4 µm/px on all sides, but enough.
    assert (made.values > 0).mean() > 0.8


def test_what_is_like_its_surroundings_has_about_one(see: See) -> None:
    rng = np.random.default_rng(1)
    for mpp in (1, 2, 4):
        emb = see(rng.normal(size=(128, 128, 40)).astype(np.float32) * mpp + 3, mpp)
        assert np.nanmedian(separability(emb)) == pytest.approx(1.0, abs=0.2)


def test_separability_by_hand(see: See) -> None:
    world = np.zeros((12, 12, 2), np.float32)
    for i, (row, col) in enumerate(np.ndindex(3, 3)):
        world[4 * row : 4 * row + 4, 4 * col : 4 * col + 4] = (i % 2, 1.0)
    world[4:8, 4:8] = (2.5, 1.0)
    values = separability(see(world, 1))
    # Around the middle: four tiles with 0 and four with 1; mean 0.5, root mean square 0.5.
    assert values[4] == pytest.approx((2.5 - 0.5) / 0.5)
    # A corner has three tiles around it, an edge five.
    assert np.isnan(values[[0, 2, 6, 8]]).all()
    assert np.isfinite(values[[1, 3, 5, 7]]).all()


def test_shown_only_where_all_are_encoded(see: See) -> None:
    world = islands(8)
    made = best_magnification([see(world, 1), see(world, 2, missing=((8, 8),))])
    assert (made.values[16:18, 16:18] == 0).all()
    assert (made.values[:16, :16] > 0).sum() > 200


def test_what_cannot_be_asked(see: See, world: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two or more"):
        best_magnification([see(world, 1)])
    with pytest.raises(ValueError, match="each of them once"):
        best_magnification([see(world, 1), see(world, 1)])
    with pytest.raises(EncoderError, match="one encoder"):
        best_magnification([see(world, 1), see(world, 2, name="two")])
    lonely = tuple(map(tuple, np.argwhere(np.ones((16, 16)))[1:]))
    with pytest.raises(LookupError, match="no place is encoded"):
        best_magnification([see(world, 1, missing=lonely), see(world, 2)])


def test_colours_rise_in_lightness() -> None:
    for n in (2, 3, 5, 9):
        weights = np.array([0.2126, 0.7152, 0.0722])
        light = np.array(ordered_colours(n)) @ weights
        assert (np.diff(light) > 10).all()
