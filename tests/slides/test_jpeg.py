"""Pieces stored as JPEG."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_scalescope.errors import SlideError
from napari_scalescope.slides import open_slide

from .conftest import smooth_picture, spoil_piece


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
def test_colours_are_those_tifffile_decodes(
    tmp_path: Path, photometric: str, subsampling: tuple[int, int]
) -> None:
    if photometric == "rgb" and subsampling != (1, 1):
        pytest.skip("RGB is not subsampled")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, smooth_picture(300, 200), tile=(128, 128), compression="jpeg",
        photometric=photometric, subsampling=subsampling,
    )  # fmt: skip
    with open_slide(path) as slide:
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 300, 200), tifffile.imread(path)[:200, :300]
        )


def test_grey(tmp_path: Path) -> None:
    path = tmp_path / "grey.tif"
    grey = smooth_picture(300, 200)[..., 0]
    tifffile.imwrite(path, grey, tile=(128, 128), compression="jpeg")
    with open_slide(path) as slide:
        pixels = slide.read_level(0, 0, 0, 300, 200).astype(int)
    assert np.abs(pixels - grey[..., None]).max() < 12
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_what_is_damaged_but_decodes_is_shown_and_said(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(levels=1)

    def end_early(part: bytearray) -> None:
        part[len(part) * 2 // 3 :] = b"\xff\xd9" + b"\0" * (len(part) - len(part) * 2 // 3 - 2)

    spoil_piece(path, 1, end_early)
    with open_slide(path) as slide:
        slide.read_level(0, 0, 0, 128, 128)
        assert slide.reader.doubts == []
        assert slide.read_level(0, 128, 0, 128, 128).shape == (128, 128, 3)
        slide.read_level(0, 128, 0, 128, 128)  # from the cache: said once
        assert len(slide.reader.doubts) == 1
        assert "slide.tif: piece (0, 1) of level 0 is damaged" in slide.reader.doubts[0]


def test_what_does_not_decode_is_an_error(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(levels=1)

    def no_header(part: bytearray) -> None:
        part[:20] = b"\0" * 20

    spoil_piece(path, 1, no_header)
    with open_slide(path) as slide:
        for reduce in (1, 4):
            side = 128 // reduce
            slide.read_level(0, 0, 0, side, side, reduce)
            with pytest.raises(SlideError, match=r"piece \(0, 1\) of level 0"):
                slide.read_level(0, side, 0, side, side, reduce)
        assert slide.reader.doubts == []


def test_a_piece_of_another_size_is_an_error(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(levels=1)

    def half_as_high(part: bytearray) -> None:
        at = part.index(b"\xff\xc0") + 5
        part[at : at + 2] = (64).to_bytes(2, "big")

    spoil_piece(path, 1, half_as_high)
    with open_slide(path) as slide, pytest.raises(SlideError, match="64 px, not 128 x 128"):
        slide.read_level(0, 128, 0, 128, 128)
