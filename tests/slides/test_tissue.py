"""Where the tissue is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.errors import SlideError, UnreachableError
from napari_scalescope.geometry import Placement, TileGrid
from napari_scalescope.slides import TissueMask, informative, open_slide, tissue_mask
from napari_scalescope.slides.tissue import glass_colour, optical_density

from .memory import coloured_slide, memory_slide


def test_tissue_on_glass() -> None:
    slide = coloured_slide(2000, 1600)
    found = tissue_mask(slide)
    truth = np.zeros((1600, 2000), bool)
    truth[200:-200, 250:-250] = True
    y, x = (np.arange(n) for n in (1600, 2000))
    at = found.placement.index(np.stack(np.broadcast_arrays(x[None], y[:, None]), -1))
    here = found.mask[
        np.minimum(at[..., 0], found.mask.shape[0] - 1),
        np.minimum(at[..., 1], found.mask.shape[1] - 1),
    ]
    overlap = (here & truth).sum() / (here | truth).sum()
    assert overlap > 0.93
    assert found.area_mm2 == pytest.approx(1200 * 1500 * 0.25e-6, rel=0.08)
    box = found.box
    assert box is not None
    assert box == pytest.approx((250, 200, 1500, 1200), abs=64)


def test_empty_glass_has_no_tissue() -> None:
    rng = np.random.default_rng(0)
    glass = np.clip(rng.normal(240, 2, (800, 800, 3)), 0, 255).astype(np.uint8)
    found = tissue_mask(memory_slide(glass))
    assert found.mask.mean() == 0
    assert found.box is None


def test_a_field_without_glass_is_all_tissue() -> None:
    rng = np.random.default_rng(0)
    field = np.array([170, 110, 170]) + rng.normal(0, 25, (900, 900, 1))
    assert tissue_mask(memory_slide(np.clip(field, 0, 255).astype(np.uint8))).mask.mean() > 0.97


def test_tinted_glass_is_glass_and_grey_dust_is_not_tissue() -> None:
    rng = np.random.default_rng(0)
    pixels = np.array([236, 218, 234]) + rng.normal(0, 2, (1200, 1200, 1))
    y, x = np.mgrid[:1200, :1200]
    dust = np.exp(-(((x - 900) / 90) ** 2 + ((y - 300) / 90) ** 2))[..., None]
    pixels = pixels * (1 - 0.3 * dust)
    pixels[600:1000, 200:700] = np.array((190, 120, 170)) + rng.normal(0, 20, (400, 500, 1))
    found = tissue_mask(memory_slide(np.clip(pixels, 0, 255).astype(np.uint8)))
    cell = found.placement.cell
    rows = len(found.mask)
    assert found.mask[int(800 / cell), int(450 / cell)]
    assert not found.mask[: rows // 2 - 4, :].any()


@pytest.mark.parametrize("ink", [(40, 60, 160), (30, 130, 60), (200, 30, 40), (25, 25, 30)])
def test_pen_is_not_tissue(ink: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((2000, 1600, 3), 243.0)
    pixels[1200:1800, 200:1400] = np.array((200, 130, 180)) + rng.normal(0, 22, (600, 1200, 1))
    # A stroke 300 µm wide, at the thin end of what markers draw.
    pixels[200:800, 100:1500] = np.array(ink) + rng.normal(0, 2, (600, 1400, 1))
    found = tissue_mask(memory_slide(np.clip(pixels, 0, 255).astype(np.uint8)))
    cell = found.placement.cell
    assert found.pen[int(500 / cell), int(800 / cell)]
    assert not found.mask[: int(780 / cell)].any()
    assert found.mask[int(1500 / cell), int(800 / cell)]


def test_specks_go_and_holes_close_by_their_area() -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((2000, 2000, 3), 243.0)
    pixels[500:1500, 500:1500] = np.array((200, 120, 180)) + rng.normal(0, 20, (1000, 1000, 1))
    pixels[900:1060, 900:1060] = 243  # 80 µm x 80 µm = 0.0064 mm²
    pixels[100:200, 100:200] = (200, 120, 180)  # 50 µm x 50 µm = 0.0025 mm²
    slide = memory_slide(np.clip(pixels, 0, 255).astype(np.uint8))
    found = tissue_mask(slide)
    cell = found.placement.cell
    assert found.mask[int(980 / cell), int(980 / cell)]
    assert not found.mask[int(150 / cell), int(150 / cell)]
    open_hole = tissue_mask(slide, max_hole_mm2=0.001)
    assert not open_hole.mask[int(980 / cell), int(980 / cell)]


@given(st.floats(0.5, 4), st.integers(20, 200), st.integers(20, 200))
def test_share_is_the_exact_area_of_the_footprint(mpp: float, tile: int, stride: int) -> None:
    rng = np.random.default_rng(3)
    mask = rng.random((30, 40)) < 0.4
    found = TissueMask(mask, np.zeros_like(mask), Placement(0, 0, 10.0), 5.0)
    slide = memory_slide(np.zeros((300, 400, 3), np.uint8))
    grid = TileGrid.cover(slide, mpp, tile, stride)
    share = found.share(grid)
    assert share.shape == grid.shape
    fine = np.kron(mask, np.ones((10, 10)))
    row, col = grid.rows // 2, grid.cols // 2
    box = grid.box(row, col)
    # The area, by counting a fine lattice of points.
    ys, xs = (o + (np.arange(200) + 0.5) / 200 * box.w for o in (box.y, box.x))
    inside = (ys[:, None] < 300) & (xs[None] < 400)
    values = fine[np.minimum(ys, 299).astype(int)[:, None], np.minimum(xs, 399).astype(int)]
    assert share[row, col] == pytest.approx((values * inside).mean(), abs=0.03)


def test_a_damaged_piece_counts_as_glass_and_is_told() -> None:
    whole = coloured_slide(2000, 1600)
    pixels = whole.read_level(0, 0, 0, 2000, 1600)
    found = tissue_mask(memory_slide(pixels, broken=(1100, 700, 256, 256)))
    expected = tissue_mask(whole).mask
    damage = np.zeros_like(expected)  # 16 px a cell, given up in squares of at most 16 cells
    damage[43 - 17 : 60 + 17, 68 - 17 : 85 + 17] = True
    assert (found.mask == expected)[~damage].all()
    assert not found.mask[46:58, 71:83].any()
    assert len(found.warnings) == 1
    assert "damaged" in found.warnings[0]
    assert not tissue_mask(whole).warnings


def test_damage_does_not_change_what_glass_looks_like() -> None:
    tinted = coloured_slide(2000, 1600).read_level(0, 0, 0, 2000, 1600) * np.array([1, 0.92, 1])
    slide = memory_slide(tinted.astype(np.uint8), broken=(0, 0, 2000, 1200))
    assert tissue_mask(slide).mask[-6:].mean() == 0


def test_a_slide_that_cannot_be_read_anywhere_is_refused() -> None:
    slide = memory_slide(np.zeros((300, 300, 3), np.uint8), broken=(0, 0, 300, 300))
    with pytest.raises(SlideError, match="no part of it"):
        tissue_mask(slide)


def test_a_disk_that_fails_is_not_taken_for_glass(monkeypatch: pytest.MonkeyPatch) -> None:
    slide = coloured_slide()

    def fail(*_: object) -> None:
        raise UnreachableError("memory cannot be read now.", "Try again.")

    monkeypatch.setattr(slide.reader, "read", fail)
    with pytest.raises(UnreachableError):
        tissue_mask(slide)


def test_near_grows_by_a_distance() -> None:
    mask = np.zeros((21, 21), bool)
    mask[10, 10] = True
    found = TissueMask(mask, np.zeros_like(mask), Placement(0, 0, 16.0), 8.0)
    assert found.near(24.0)[10, 7:14].all()
    assert not found.near(24.0)[10, 6]
    assert found.near(1.0).sum() == 1


def test_optical_density_is_zero_for_glass_and_one_per_factor_of_ten() -> None:
    glass = np.array([240.0, 230, 220])
    pixels = np.array([[[240, 230, 220], [23, 22, 21]]], np.uint8)
    density = optical_density(pixels, glass)
    np.testing.assert_allclose(density[0, 0], 0, atol=1e-6)
    np.testing.assert_allclose(density[0, 1], 1.0, atol=0.02)


def test_glass_colour_without_glass_is_white() -> None:
    assert glass_colour(np.full((40, 40, 3), (200, 120, 190), np.uint8)).tolist() == [245] * 3
    assert glass_colour(np.full((40, 40, 3), (236, 220, 235), np.uint8)).tolist() == [236, 220, 235]


def test_informative_follows_midnights_rule() -> None:
    # OpenCV's hue of pure blue is 120, of magenta 150, of green 60; glass has no saturation.
    tiles = np.stack(
        [
            np.full((16, 16, 3), colour, np.uint8)
            for colour in [(120, 120, 220), (220, 120, 200), (120, 220, 120), (242, 242, 242),
                           (40, 20, 60)]
        ]
    )  # fmt: skip
    assert informative(tiles).tolist() == [True, True, False, False, False]
    half = tiles[0].copy()
    half[:9] = 242
    assert not informative(half[None])[0]
    assert informative(half[None], share=0.4)[0]


REAL = {
    "CMU-1-Small-Region.svs": (0.35, 0.48),
    "JP2K-33003-1_crop.svs": (0.16, 0.30),
    "TCGA-CR-7395-01A-01-TS1.svs": (0.58, 0.72),
    "her2st_C3.tif": (0.14, 0.20),
    "her2st_C4.tif": (0.14, 0.20),
    "OS-1-detail.ome.tif": (0.95, 1.0),
}


@pytest.mark.parametrize("name", REAL)
def test_real_tissue(shared: Path, name: str) -> None:
    """Bounds set by eye on the outlines; pink glass and an air bubble are among them."""
    with open_slide(shared / "slides" / name) as slide:
        found = tissue_mask(slide)
        low, high = REAL[name]
        assert low <= found.mask.mean() <= high
        assert found.pen.mean() < 0.001
        if name.startswith("JP2K"):  # the air bubble in the lumen
            row, col = found.placement.index((7000, 6500))
            assert not found.mask[row - 10 : row + 10, col - 10 : col + 10].any()
