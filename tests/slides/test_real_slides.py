"""Real slides of every format that is at hand, against the libraries that own the formats."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.slides import open_slide
from napari_scalescope.slides.formats.openslide import OpenSlideReader

EXPECTED = {
    "CMU-1-Small-Region.svs": ("Aperio SVS", (2220, 2967), 0.499, "Aperio MPP", 1),
    "JP2K-33003-1_crop.svs": ("Aperio SVS", (15374, 9216), 0.2498, "Aperio MPP", 3),
    "TCGA-CR-7395-01A-01-TS1.svs": ("Aperio SVS", (4443, 3567), None, "no tag", 2),
    "her2st_C3.tif": ("TIFF", (9270, 9936), 0.68966, "TIFF XResolution", 5),
    "test3-DAPI-2-387.ndpi": ("Hamamatsu NDPI", (3968, 4864), 0.22818, "TIFF XResolution", 4),
    "OS-1-detail.ome.tif": ("OME-TIFF", (1101, 1101), 0.2271, "OME PhysicalSizeX", 1),
    "OS-2-vsi.ome.tif": ("OME-TIFF", (1445, 1445), 0.34605, "OME PhysicalSizeX", 1),
    "CMU-1-Small-Region.ome.zarr": ("OME-Zarr 0.4", (2220, 2967), 0.499, "NGFF scale", 4),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_known_of_it(shared: Path, name: str) -> None:
    kind, dimensions, mpp, source, levels = EXPECTED[name]
    with open_slide(shared / "slides" / name) as slide:
        assert slide.format == kind
        assert slide.dimensions == dimensions
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-4))
        assert slide.mpp_source.startswith(source)
        assert len(slide.levels) == levels
        assert all(lv.downsample == 2.0 ** round(np.log2(lv.downsample)) for lv in slide.levels)


@pytest.mark.parametrize("name", [n for n in EXPECTED if not n.endswith("zarr")])
def test_pixels_are_those_tiffslide_reads(shared: Path, name: str) -> None:
    import tiffslide

    path = shared / "slides" / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = tiffslide.TiffSlide(path)
        with open_slide(path) as slide:
            for level, (w, h) in enumerate(peer.level_dimensions):
                d = peer.level_downsamples[level]
                for x, y in ((0, 0), (w // 2, h // 3), (w - 200, h - 150)):
                    place = (round(x * d), round(y * d))
                    at = (int(place[0] / d), int(place[1] / d))
                    theirs = peer.read_region(place, level, (200, 150), as_array=True)
                    ours = slide.read_level(level, *at, 200, 150)
                    inside_w, inside_h = min(200, w - at[0]), min(150, h - at[1])
                    np.testing.assert_array_equal(
                        ours[:inside_h, :inside_w], theirs[:inside_h, :inside_w, :3]
                    )
        peer.close()


def test_the_same_slide_in_two_formats_is_the_same_picture(shared: Path) -> None:
    with (
        open_slide(shared / "slides" / "CMU-1-Small-Region.svs") as svs,
        open_slide(shared / "slides" / "CMU-1-Small-Region.ome.zarr") as ngff,
    ):
        box = (700.0, 1200.0, 600.0, 500.0)
        for mpp in (0.499, 0.75, 1.996):
            a, b = svs.read(box, mpp).astype(int), ngff.read(box, mpp).astype(int)
            assert a.shape == b.shape
            assert np.abs(a - b).mean() < 4


@pytest.mark.parametrize(
    "name",
    ["JP2K-33003-1_crop.svs", "her2st_C3.tif", "TCGA-CR-7395-01A-01-TS1.svs"],
)
def test_levels_of_a_real_pyramid_lie_on_each_other(shared: Path, name: str) -> None:
    """Everywhere, the far corner included, to a twentieth of a level's pixel.

    The ratio of the sizes, taken for the downsample, would be a whole pixel off there.
    """
    from PIL import Image
    from skimage.registration import phase_cross_correlation

    measured = 0
    with open_slide(shared / "slides" / name) as slide:
        for number, level in enumerate(slide.levels[1:], 1):
            d, n = level.downsample, min(128, level.width // 3, level.height // 3)
            for fx, fy in ((0.3, 0.5), (0.6, 0.5), (0.6, 0.98), (0.98, 0.5), (0.98, 0.98)):
                x, y = int(fx * (level.width - n)), int(fy * (level.height - n))
                stored = slide.read_level(number, x, y, n, n).mean(-1)
                if stored.std() < 6:
                    continue  # glass has no features to be found again
                side = int(n * d)
                finest = slide.read_level(0, int(x * d), int(y * d), side, side)
                made = np.asarray(Image.fromarray(finest).resize((n, n), Image.Resampling.BOX))
                shift = phase_cross_correlation(
                    stored, made.mean(-1), upsample_factor=20, normalization=None
                )[0]
                assert np.abs(shift).max() <= 0.05
                measured += 1
    assert measured >= 3


def test_associated_images_are_metadata_never_levels(shared: Path) -> None:
    with open_slide(shared / "slides" / "CMU-1-Small-Region.svs") as slide:
        assert set(slide.associated) == {"label", "macro", "thumbnail"}
        assert len(slide.levels) == 1


def test_images_beside_the_slide_are_those_openslide_reads(shared: Path) -> None:
    openslide = pytest.importorskip("openslide")
    path = shared / "slides" / "CMU-1-Small-Region.svs"
    with openslide.OpenSlide(path) as peer, open_slide(path) as slide:
        ours = OpenSlideReader(path)
        for name in ("label", "macro", "thumbnail"):
            theirs = np.asarray(peer.associated_images[name].convert("RGB")).astype(int)
            pixels = slide.associated_image(name)
            assert pixels.dtype == np.uint8
            assert np.abs(pixels - theirs).mean() < 1  # two JPEG decoders
            np.testing.assert_array_equal(ours.associated_image(name), theirs)
        ours.close()
