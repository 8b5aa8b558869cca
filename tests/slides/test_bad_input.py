"""Whatever is given, one error of our own that names the file and says what to do."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_scalescope.errors import ResolutionError, SlideError
from napari_scalescope.slides import formats, open_slide

from .conftest import smooth_picture, spoil_piece, zeroed


def refused(path: Path) -> SlideError:
    with pytest.raises(SlideError) as caught:
        open_slide(path)
    error = caught.value
    assert path.name in error.problem
    assert error.remedy
    assert "\n" not in str(error)
    return error


def test_nothing_there(tmp_path: Path) -> None:
    assert "no file" in str(refused(tmp_path / "nothing.svs"))


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in str(refused(tmp_path))


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.svs").touch()
    assert "is empty" in str(refused(tmp_path / "a.svs"))


def test_text_renamed(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_text("case,slide\n1,2\n")
    assert "text file" in str(refused(path))


def test_not_an_image(tmp_path: Path) -> None:
    path = tmp_path / "a.ndpi"
    path.write_bytes(np.random.default_rng(1).bytes(5000))
    assert "not an image" in str(refused(path))


def test_lfs_pointer(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert "git lfs pull" in str(refused(path))


def test_dicom_that_is_no_slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 200)
    assert "is DICOM" in str(refused(path))
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    monkeypatch.setattr(formats.openslide, "knows", lambda _: False)
    assert "pip install" in str(refused(path))


def test_mirax_without_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.mrxs"
    path.write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 200)
    assert "lies alone" in str(refused(path))


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may read anything")
def test_no_permission(tiff: Callable[..., Any]) -> None:
    path, _ = tiff()
    path.chmod(0)
    assert "permission" in str(refused(path))


def test_no_permission_said_by_the_system(
    tiff: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = tiff()

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "permission" in str(refused(path))


@pytest.mark.parametrize("kept", [8, 100, 1000])
def test_a_cut_tiff_does_not_open(tiff: Callable[..., Any], kept: int) -> None:
    path, _ = tiff()
    path.write_bytes(path.read_bytes()[:kept])
    assert "damaged" in str(refused(path))


def test_a_piece_that_cannot_be_decoded(tiff: Callable[..., Any]) -> None:
    path, _ = tiff()
    spoil_piece(path, 1, zeroed)
    with open_slide(path) as slide:
        slide.read_level(0, 0, 0, 100, 100)
        with pytest.raises(SlideError, match=r"slide.tif is damaged: piece \(0, 1\) of level 0"):
            slide.read_level(0, 100, 0, 100, 100)
        # and the file still reads elsewhere
        slide.read_level(0, 0, 0, 100, 100)


def test_16_bit(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, np.zeros((32, 32, 3), np.uint16), photometric="rgb")
    assert "uint16" in str(refused(path))


def test_a_stack(tmp_path: Path) -> None:
    path = tmp_path / "stack.ome.tif"
    tifffile.imwrite(path, np.zeros((4, 5, 32, 32), np.uint8), ome=True, metadata={"axes": "ZCYX"})
    assert "laid out" in str(refused(path))


def zarr_image(path: Path, multiscales: Any, shape: tuple[int, ...] = (3, 16, 16)) -> Path:
    import zarr

    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["multiscales"] = multiscales
    group.create_array("0", shape=shape, dtype="uint8", chunks=shape)
    return path


def test_zarr_without_an_image(tmp_path: Path) -> None:
    import zarr

    zarr.open_group(tmp_path / "a.zarr", mode="w")
    assert "without an OME-NGFF image" in str(refused(tmp_path / "a.zarr"))


@pytest.mark.parametrize(
    ("multiscale", "shape", "words"),
    [
        ({"axes": list("cyx"), "datasets": []}, (3, 16, 16), "no resolution levels"),
        ({"axes": list("cyx"), "datasets": [{"path": "9"}]}, (3, 16, 16), "not there"),
        ({"axes": list("cyx"), "datasets": [{"path": "0"}]}, (16, 16), "does not fit"),
        ({"axes": list("tcyx"), "datasets": [{"path": "0"}]}, (2, 7, 16, 16), "2 t, 7 channels"),
        ({"axes": list("zyx"), "datasets": [{"path": "0"}]}, (5, 16, 16), "5 z"),
    ],
)
def test_zarr_that_is_not_one_brightfield_image(
    tmp_path: Path, multiscale: dict[str, Any], shape: tuple[int, ...], words: str
) -> None:
    path = zarr_image(tmp_path / "a.zarr", [multiscale], shape)
    assert words in str(refused(path))


def test_zarr_with_broken_metadata(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    (path / ".zgroup").write_text("{")
    refused(path)
    (path / ".zgroup").write_text(json.dumps({"zarr_format": 99}))
    refused(path)


def test_missing_mpp_opens_and_says_how_to_give_one(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(mpp=None)
    with open_slide(path) as slide:
        assert slide.mpp is None
        with pytest.raises(ResolutionError, match="--slide-mpp"):
            slide.read(slide.box, mpp=1.0)
        slide.set_mpp(0.25)
        assert slide.read(slide.box, mpp=1.0).shape == (125, 175, 3)


def error_of(path: Path) -> SlideError | None:
    """What opening and reading a file ends in: an error of ours, or None; others escape."""
    try:
        with open_slide(path) as slide:
            slide.thumbnail(64)
    except SlideError as error:
        return error
    return None


def test_every_odd_file_opens_or_is_refused_in_words(shared: Path) -> None:
    refused_files = set()
    for path in sorted((shared / "bad").iterdir()):
        error = error_of(path)
        if error is not None:
            assert path.name in error.problem
            assert error.remedy
            refused_files.add(path.name)
    # Those that hold a picture after all, and only those, open.
    assert {p.name for p in (shared / "bad").iterdir()} - refused_files == {
        "derived_mpp_zero.svs",
        "derived_tile5_zero-bytecount.svs",
        "gcp_flat.tif",
        "large_image_grey10kx5k.tif",
        "large_image_test_orient6.tif",
        "large_image_yb10kx5k.zstd.tiff",
        "openslide-python_boxes.tiff",
        "openslide-python_small.svs",
        "pathml_smalltif_uint16.tif",
        "pathml_small_HE_levels_wrong-mpp.tiff",
    }


def test_print_resolutions_of_odd_files_are_not_believed(shared: Path) -> None:
    for name in ("gcp_flat.tif", "pathml_small_HE_levels_wrong-mpp.tiff", "derived_mpp_zero.svs"):
        with open_slide(shared / "bad" / name) as slide:
            assert slide.mpp is None
            assert slide.resolution.warnings


def test_a_picture_cut_short(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "cut.png"
    Image.fromarray(smooth_picture(300, 200)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with open_slide(path) as slide, pytest.raises(SlideError, match="damaged"):
        slide.read_level(0, 0, 0, 10, 10)


@pytest.mark.parametrize("mpp", [0.0, -0.5, math.inf, math.nan])
def test_a_given_resolution_that_is_none(tiff: Callable[..., Any], mpp: float) -> None:
    path, _ = tiff()
    with pytest.raises(ResolutionError, match="positive number of µm per pixel"):
        open_slide(path, mpp=mpp)


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        (".png", "L"),
        (".png", "P"),
        (".png", "RGB"),
        (".png", "RGBA"),
        (".jpg", "L"),
        (".jpg", "RGB"),
    ],
)
def test_a_large_picture_is_no_attack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, suffix: str
) -> None:
    from PIL import Image

    path = tmp_path / f"large{suffix}"
    Image.fromarray(smooth_picture(300, 200)).convert(mode).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # stands for 90 million
    with open_slide(path) as slide:
        assert slide.read_level(0, 0, 0, 300, 200).shape == (200, 300, 3)


def test_a_picture_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image
    from PIL.ImageFile import ImageFile

    def full(_: ImageFile) -> None:
        raise MemoryError

    path = tmp_path / "large.png"
    Image.fromarray(smooth_picture(300, 200)).save(path)
    monkeypatch.setattr(ImageFile, "load", full)
    with open_slide(path) as slide, pytest.raises(SlideError, match=r"GB of memory.*pyramidal"):
        slide.read_level(0, 0, 0, 10, 10)


def test_pages_that_go_in_circles(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        for _ in range(3):
            tif.write(np.zeros((64, 64, 3), np.uint8), photometric="rgb")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        first, last = tif.pages[0].offset, tif.pages[2].offset
    at = last + 2 + 12 * int.from_bytes(content[last : last + 2], "little")
    content[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(SlideError, match="circles"):
        open_slide(path)


def test_a_turned_tiff_is_shown_as_stored_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = smooth_picture(64, 48)
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    with open_slide(path) as slide:
        assert "orientation 6" in slide.reader.doubts[0]
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, 64, 48), pixels)


def test_errors_name_no_folder(shared: Path) -> None:
    path = shared / "bad" / "pathml_small_dicom.dcm"
    pytest.importorskip("openslide")
    with pytest.raises(SlideError) as caught:
        open_slide(path)
    assert str(path.parent) not in str(caught.value)


def test_a_piece_size_that_is_stored_as_a_float(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, smooth_picture(300, 200), photometric="rgb", tile=(64, 64))
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[0].tags["TileLength"]
    content = bytearray(path.read_bytes())
    content[tag.offset + 2 : tag.offset + 4] = struct.pack("<H", tifffile.DATATYPE.FLOAT)
    content[tag.offset + 8 : tag.offset + 12] = struct.pack("<f", 64.0)
    path.write_bytes(content)
    with open_slide(path) as slide, pytest.raises(SlideError, match="cannot be decoded"):
        slide.read_level(0, 0, 0, 300, 200)
