"""What goes through openslide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.errors import SlideError
from napari_scalescope.slides import open_slide
from napari_scalescope.slides.formats import openslide as through_openslide
from napari_scalescope.slides.formats.openslide import OpenSlideReader

from .conftest import spoil_piece, zeroed

pytest.importorskip("openslide")


def test_pixels_are_those_of_our_own_reader(tiff: Callable[..., Any]) -> None:
    path, (expected, *_) = tiff(compression="deflate", mpp=0.25)
    reader = OpenSlideReader(path)
    assert reader.sizes == ((700, 500),)  # it does not follow sub-IFDs
    np.testing.assert_array_equal(reader.read(0, 0, 0, 700, 500), expected)
    np.testing.assert_array_equal(reader.read(0, 400, 30, 250, 470), expected[30:500, 400:650])
    reader.close()
    with pytest.raises(SlideError, match="was closed"):
        reader.read(0, 0, 0, 10, 10)


def test_a_damaged_piece_does_not_spoil_the_others(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(compression="jpeg", tile=256)
    spoil_piece(path, 1, zeroed)
    reader = OpenSlideReader(path)
    with pytest.raises(SlideError, match=r"damaged: piece \(0, 0\) of level 0"):
        reader.read(0, 0, 0, 400, 200)
    assert reader.read(0, 512, 0, 188, 500).std() > 0
    reader.close()


def test_what_was_not_scanned_is_glass(
    tiff: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = tiff()
    reader = OpenSlideReader(path)

    class Sparse:
        def read_region(self, place: Any, level: int, size: tuple[int, int]) -> Any:
            rgba = np.zeros((*size[::-1], 4), np.uint8)
            rgba[:, : size[0] // 2] = (120, 60, 90, 255)
            return rgba

        def close(self) -> None: ...

    monkeypatch.setattr(reader, "_slide", Sparse())
    pixels = reader.read(0, 0, 0, 512, 100)
    assert (pixels[:, :256] == (120, 60, 90)).all()
    assert (pixels[:, 256:] == 255).all()


def test_another_reader_takes_over_what_ours_does_not_parse(
    tiff: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tiffslide

    path, levels = tiff(compression="deflate", description="Aperio Image Library v12.0.15")

    def unknown(*_: object, **__: object) -> None:
        raise NotImplementedError("Ventana BIF, whose tiles overlap")

    monkeypatch.setattr(tiffslide, "TiffSlide", unknown)
    with open_slide(path) as slide:
        assert isinstance(slide.reader, OpenSlideReader)
        assert slide.dimensions == levels[0].shape[1::-1]
    monkeypatch.setattr(through_openslide, "knows", lambda _: False)
    with pytest.raises(SlideError, match="tiles overlap"):
        open_slide(path)


@pytest.mark.parametrize(
    ("folder", "size", "mpp", "levels"),
    [
        ("CMU-1-Small-Region_jcupitt", (2220, 2967), 0.499, 12),
        ("CMU-1-Small-Region_napari-wsi", (2220, 2967), 0.499, 1),
        ("camelyon_jpeg", (1152, 700), 28.9685, 1),
        ("camelyon_jp2k", (1696, 812), 28.9685, 1),
        ("highdicom", (50, 50), 0.499, 1),
    ],
)
def test_dicom_as_a_folder_and_as_a_file(
    shared: Path, folder: str, size: tuple[int, int], mpp: float, levels: int
) -> None:
    path = shared / "dicom" / folder
    for place in (path, sorted(path.iterdir())[-1]):
        with open_slide(place) as slide:
            assert (slide.format, slide.dimensions) == ("DICOM", size)
            assert slide.mpp == pytest.approx(mpp, rel=1e-4)
            assert len(slide.levels) == levels
            assert slide.resolution.warnings == ()


def test_dicom_shows_the_colours_of_the_slide_it_was_made_from(shared: Path) -> None:
    # one of the two files calls its YCbCr pixels RGB
    box = (700.0, 1200.0, 600.0, 500.0)
    with open_slide(shared / "slides" / "CMU-1-Small-Region.svs") as slide:
        original = slide.read(box).astype(int)
    for maker in ("jcupitt", "napari-wsi"):
        with open_slide(shared / "dicom" / f"CMU-1-Small-Region_{maker}") as slide:
            assert np.abs(slide.read(box) - original).mean() < 8
            assert np.abs((slide.read(box) - original).mean((0, 1))).max() < 1
