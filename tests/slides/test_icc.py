"""Colours corrected by the profile a file embeds, where that is asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from napari_scalescope.errors import SlideError
from napari_scalescope.slides import open_slide, read_tiles
from napari_scalescope.slides.formats.icc import describe, to_srgb
from napari_scalescope.slides.remembered import remember

from .conftest import smooth_picture


def s15(value: float) -> bytes:
    return round(value * 65536).to_bytes(4, "big", signed=True)


def made_profile(
    gamma: float = 1.0, swap: bool = False, space: bytes = b"RGB ", name: str = "Test scanner"
) -> bytes:
    """A matrix profile (ICC.1:2001) with the primaries of sRGB, perhaps red and blue swapped."""
    columns = [(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]
    if swap:
        columns.reverse()

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(s15, values))

    text = name.encode() + b"\0"
    curve = (
        b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(gamma * 256).to_bytes(2, "big") + b"\0\0"
    )
    tags = {
        b"desc": b"desc\0\0\0\0" + len(text).to_bytes(4, "big") + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **{k: xyz(c) for k, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, body = len(tags).to_bytes(4, "big"), b""
    start = 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        value += bytes(-len(value) % 4)
        table += key + (start + len(body)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body += value
    head = bytearray(128)
    head[0:4] = (start + len(body)).to_bytes(4, "big")
    head[8:12] = b"\x02\x10\0\0"
    head[12:24] = b"scnr" + space + b"XYZ "
    head[36:40] = b"acsp"
    head[68:80] = s15(0.9642) + s15(1.0) + s15(0.8249)
    return bytes(head) + table + body


SWAPPED = made_profile(2.2, swap=True)


def by_pillow(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    return np.asarray(image)


def test_pieces_are_corrected_as_a_whole_picture_would_be(tiff: Callable[..., Any]) -> None:
    path, levels = tiff(compression="deflate", iccprofile=SWAPPED)
    with open_slide(path) as bare, open_slide(path, icc=True) as slide:
        assert slide.profile == SWAPPED
        np.testing.assert_array_equal(bare.read_level(0, 0, 0, 700, 500), levels[0])
        for i, level in enumerate(levels):
            h, w = level.shape[:2]
            corrected = slide.read_level(i, 0, 0, w, h)
            np.testing.assert_array_equal(corrected, by_pillow(level, SWAPPED))
        # the profile says that what is stored as red is blue
        swapped = np.abs(corrected.astype(int) - level[..., ::-1]).mean()
        assert swapped < 8 < np.abs(corrected.astype(int) - level).mean()


def test_what_is_decoded_at_a_fraction_is_corrected_too(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(compression="jpeg", levels=1, iccprofile=SWAPPED)
    with open_slide(path) as bare, open_slide(path, icc=True) as slide:
        assert slide.reduction_for(0, 4.0) == 4
        small = bare.read_level(0, 0, 0, 150, 100, reduce=4)
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 150, 100, reduce=4), by_pillow(small, SWAPPED)
        )


def test_embeddings_are_kept_apart_and_the_resolution_is_not(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(mpp=None, iccprofile=SWAPPED)
    other, _ = tiff(name="other.tif", mpp=None, iccprofile=made_profile(1.8))
    with open_slide(path) as bare, open_slide(path, icc=True) as slide:
        assert slide.fingerprint.startswith(bare.fingerprint + "+icc")
        remember(slide.fingerprint, 0.3)
    with open_slide(path) as bare, open_slide(path, icc=True) as slide:
        assert (bare.mpp, slide.mpp) == (0.3, 0.3)
        with open_slide(other, icc=True) as third:
            assert third.fingerprint.partition("+")[2] != slide.fingerprint.partition("+")[2]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures(tmp_path: Path, suffix: str) -> None:
    pixels = smooth_picture(200, 100)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pixels).save(path, icc_profile=SWAPPED, quality=95)
    with open_slide(path) as bare, open_slide(path, icc=True) as slide:
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 200, 100),
            by_pillow(bare.read_level(0, 0, 0, 200, 100), SWAPPED),
        )


def test_through_openslide(tiff: Callable[..., Any]) -> None:
    pytest.importorskip("openslide")
    from napari_scalescope.slides.formats.icc import correct
    from napari_scalescope.slides.formats.openslide import OpenSlideReader

    path, levels = tiff(compression="deflate", iccprofile=SWAPPED)
    reader = OpenSlideReader(path)
    before = reader.read(0, 0, 0, 700, 500)
    assert correct(reader, path.name).startswith("+icc")
    np.testing.assert_array_equal(before, levels[0])
    np.testing.assert_array_equal(reader.read(0, 0, 0, 700, 500), by_pillow(before, SWAPPED))
    reader.close()


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (None, "embeds no ICC profile"),
        (b"no profile at all", "damaged"),
        (made_profile(space=b"GRAY"), "of GRAY colours"),
    ],
)
def test_nothing_to_correct_by(tiff: Callable[..., Any], profile: bytes | None, words: str) -> None:
    path, _ = tiff(**({} if profile is None else {"iccprofile": profile}))
    with pytest.raises(SlideError, match=words):
        open_slide(path, icc=True)
    with open_slide(path) as slide:  # and without it the slide opens as ever
        assert slide.profile == profile


def test_threads_get_what_one_gets(tiff: Callable[..., Any]) -> None:
    convert = to_srgb(SWAPPED, "a")
    parts = [smooth_picture(300, 200, seed) for seed in range(24)]
    alone = [convert(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for ours, theirs in zip(pool.map(convert, parts), alone, strict=True):
                np.testing.assert_array_equal(ours, theirs)


@given(st.floats(0.8, 3.0), st.integers(0, 255))
def test_white_stays_white_and_grey_stays_grey(gamma: float, value: int) -> None:
    grey = np.full((2, 2, 3), value, np.uint8)
    out = to_srgb(made_profile(gamma), "a")(np.concatenate([grey, np.full_like(grey, 255)]))
    assert (out[2:] >= 254).all()
    assert np.ptp(out[0, 0].astype(int)) <= 2


def test_profiles_say_what_they_are() -> None:
    assert describe(made_profile(name="Scanner 7")) == "Scanner 7"
    assert describe(b"nothing").startswith("unreadable")


def test_tiles_of_a_corrected_slide(tiff: Callable[..., Any]) -> None:
    from napari_scalescope.geometry import TileGrid

    path, _ = tiff(compression="jpeg", iccprofile=SWAPPED)
    with open_slide(path, icc=True) as slide, open_slide(path) as bare:
        grid = TileGrid.cover(slide, 1.0, 64)
        for ours, theirs in zip(read_tiles(slide, grid), read_tiles(bare, grid), strict=True):
            assert np.abs(ours.pixels.astype(int) - theirs.pixels).mean() > 8


def test_a_real_profile(shared: Path) -> None:
    path = shared / "slides" / "TCGA-CR-7395-01A-01-TS1.svs"
    with open_slide(path) as bare, open_slide(path, icc=True) as slide:
        assert slide.profile is not None
        with tifffile.TiffFile(path) as tif:
            assert tif.pages[0].tags[34675].value == slide.profile
        assert describe(slide.profile) == "sRGB IEC61966-2.1"
        a, b = (s.read_level(1, 800, 800, 500, 500) for s in (bare, slide))
        np.testing.assert_array_equal(b, by_pillow(a, slide.profile))
        # it says that nothing needs correcting
        assert np.abs(a.astype(int) - b).max() <= 1
