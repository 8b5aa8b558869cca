"""How far vectors move: on encoders whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_scalescope.analysis.robustness import (
    PERTURBATIONS,
    as_jpeg,
    drift,
    restained,
    rotated,
    spread,
    stability,
)
from napari_scalescope.analysis.robustness.changes import brighter
from napari_scalescope.geometry import TileGrid

from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide

PX = 64


class Says:
    """An encoder that gives what a function says of each tile."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def encode(self, pixels: Any, keep: Any = ()) -> Any:
        vectors = np.stack([np.ravel(self._function(tile.astype(np.float64))) for tile in pixels])
        return SimpleNamespace(embedding=vectors)


def mean_colour(tile: Any) -> Any:
    return tile.mean((0, 1)) - 128


@pytest.fixture(scope="module")
def slide() -> Any:
    return memory_slide(smooth_picture(640, 640), mpp=0.5)


def found(slide: Any, function: Any, *keys: str) -> Any:
    grid = TileGrid.cover(slide, 0.5, PX)
    return stability(slide, Says(function), grid, grid.all_tiles()[:40], keys or PERTURBATIONS)  # type: ignore[arg-type]


def test_a_mean_colour_does_not_move_when_a_tile_is_turned_or_mirrored(slide: Any) -> None:
    of = found(slide, mean_colour)
    assert set(of.drift) == set(PERTURBATIONS)
    for key in ("rotation", "flip"):
        assert of.relative(key) == pytest.approx(0, abs=1e-9)
    for key in ("stain", "brightness", "shift"):
        assert of.relative(key) > 0.01


def test_raw_pixels_move_when_a_tile_is_turned(slide: Any) -> None:
    of = found(slide, lambda tile: tile - 128, "rotation", "blur")
    assert of.relative("rotation") > 5 * of.relative("blur")


def test_what_moves_is_what_was_moved(slide: Any) -> None:
    """Each tile alone is compared with itself, moved: by hand for one of them."""
    of = found(slide, mean_colour, "shift", "mpp")
    grid = of.grid
    x, y, w, h = grid.boxes(of.tiles[7:8])[0]
    plain = mean_colour(slide.read((x, y, w, h), size=(PX, PX)))
    right = mean_colour(slide.read((x + w / 2, y, w, h), size=(PX, PX)))
    below = mean_colour(slide.read((x, y + h / 2, w, h), size=(PX, PX)))
    by_hand = np.mean([drift(plain, right), drift(plain, below)])
    assert of.drift["shift"][7] == pytest.approx(by_hand)
    wide = (x - 0.05 * w, y - 0.05 * h, 1.1 * w, 1.1 * h)
    tight = (x + 0.05 * w, y + 0.05 * h, 0.9 * w, 0.9 * h)
    scaled = [mean_colour(slide.read(box, size=(PX, PX))) for box in (tight, wide)]
    assert of.drift["mpp"][7] == pytest.approx(np.mean([drift(plain, v) for v in scaled]))


def test_drift_is_laid_over_the_slide(slide: Any) -> None:
    of = found(slide, mean_colour, "stain")
    drawn = of.map("stain")
    row, col = of.tiles[5]
    assert drawn.values[row, col] == pytest.approx(of.drift["stain"][5] / of.spread)
    assert np.isnan(drawn.values[-1, -1])
    assert "Stain" in drawn.name


def test_one_tile_cannot_be_compared(slide: Any) -> None:
    grid = TileGrid.cover(slide, 0.5, PX)
    with pytest.raises(ValueError, match="2 tiles"):
        stability(slide, Says(mean_colour), grid, [[0, 0]])  # type: ignore[arg-type]


def test_progress_is_told(slide: Any) -> None:
    grid = TileGrid.cover(slide, 0.5, PX)
    told: list[tuple[int, int]] = []
    stability(
        slide, Says(mean_colour), grid, grid.all_tiles()[:70], ["flip"],  # type: ignore[arg-type]
        report=lambda *at: told.append(at),
    )  # fmt: skip
    assert told == [(64, 70), (70, 70)]


def test_the_spread_is_the_mean_distance_of_different_rows(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(6, 4))
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    expected = np.mean([drift(vectors[[i]], vectors[[j]])[0] for i, j in pairs])
    assert spread(vectors) == pytest.approx(expected)
    np.testing.assert_allclose(drift(vectors, 3 * vectors), 0, atol=1e-12)


def test_turning_is_exact(rng: np.random.Generator) -> None:
    tile = rng.integers(0, 256, (16, 16, 3), np.uint8)
    back = rotated(3)(rotated(1)(tile))
    np.testing.assert_array_equal(back, tile)


def test_unchanged_dyes_and_light_leave_a_tile_as_it_was(rng: np.random.Generator) -> None:
    tile = rng.integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(restained(1, 1)(tile), tile)
    np.testing.assert_array_equal(brighter(1)(tile), tile)
    assert (restained(1.2, 0.8)(tile) != tile).any()


def test_more_dye_is_darker_and_more_light_brighter() -> None:
    tile = np.full((4, 4, 3), (180, 120, 170), np.uint8)
    assert restained(1.2, 1.2)(tile).mean() < tile.mean() < brighter(1.1)(tile).mean()
    assert brighter(9)(tile).max() == 255


def test_every_change_gives_a_tile(rng: np.random.Generator) -> None:
    tile = rng.integers(0, 256, (32, 32, 3), np.uint8)
    for key, perturbation in PERTURBATIONS.items():
        for version in perturbation.versions:
            assert version.elsewhere or version.change is not None, key
            if version.change is not None:
                changed = version.change(tile)
                assert changed.shape == tile.shape, key
                assert changed.dtype == np.uint8, key
                assert (changed != tile).any(), key


def test_stronger_compression_changes_more() -> None:
    tile = smooth_picture(64, 64)
    dice = np.random.default_rng(0).integers(-20, 20, tile.shape)
    tile = np.clip(tile.astype(int) + dice, 0, 255).astype(np.uint8)
    far = [np.abs(as_jpeg(q)(tile).astype(int) - tile).mean() for q in (90, 40, 5)]
    assert far[0] < far[1] < far[2]
