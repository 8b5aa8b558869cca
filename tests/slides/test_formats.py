"""Every format we can write here: opened by content, its levels, its resolution, its pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_scalescope.slides import open_slide

from .conftest import smooth_picture, write_ngff, write_pyramid


def assert_reads(path: Path, levels: list[np.ndarray], tolerance: float = 0.0) -> None:
    """Every level whole, and a window across pieces, equal what was written."""
    with open_slide(path) as slide:
        assert [(lv.width, lv.height) for lv in slide.levels] == [p.shape[1::-1] for p in levels]
        for i, expected in enumerate(levels):
            h, w = expected.shape[:2]
            whole = slide.read_level(i, 0, 0, w, h).astype(int)
            assert np.abs(whole - expected).mean() <= tolerance
            part = slide.read_level(i, w // 3, h // 4, w // 2, h // 2).astype(int)
            np.testing.assert_array_equal(
                part, whole[h // 4 : h // 4 + h // 2, w // 3 : w // 3 + w // 2]
            )


@pytest.mark.parametrize("compression", ["jpeg", "lzw", "deflate", "zstd", "webp", "jpeg2000"])
def test_tiff_of_every_compression(tiff: Callable[..., Any], compression: str) -> None:
    options: dict[str, Any] = {"compression": compression}
    path, levels = tiff(**options)
    lossy = compression in ("jpeg", "webp")
    assert_reads(path, levels, 2.0 if lossy else 0.0)


def test_tiff_in_strips_and_untiled(tmp_path: Path) -> None:
    pixels = smooth_picture(300, 200)
    path = tmp_path / "strips.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=32, compression="deflate")
    assert_reads(path, [pixels])


def test_grey_tiff_becomes_rgb(tmp_path: Path) -> None:
    grey = smooth_picture(300, 200)[..., 0]
    path = tmp_path / "grey.tif"
    tifffile.imwrite(path, grey, tile=(64, 64))
    with open_slide(path) as slide:
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 300, 200), np.repeat(grey[..., None], 3, -1)
        )


def test_a_sparse_tiff_reads_as_glass_where_nothing_was_scanned(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    piece = np.full((64, 64, 3), 90, np.uint8)
    pieces = iter([piece, None, None, piece])
    with tifffile.TiffWriter(path) as tif:
        tif.write(
            pieces, shape=(128, 128, 3), dtype="uint8", tile=(64, 64), photometric="rgb",
            compression="deflate",
        )  # fmt: skip
    with open_slide(path) as slide:
        pixels = slide.read_level(0, 0, 0, 128, 128)
    assert (pixels[:64, :64] == 90).all()
    assert (pixels[:64, 64:] == 255).all()


def test_aperio_description(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(
        name="a.svs",
        mpp=None,
        description="Aperio Image Library v12.0.15\r\n700x500 [0,0,700x500] (128x128) JPEG/RGB "
        "Q=95|AppMag = 20|MPP = 0.4990|Left = 25.7",
    )
    with open_slide(path) as slide:
        assert slide.format == "Aperio SVS"
        assert (slide.mpp, slide.mpp_source) == (0.499, "Aperio MPP")
        assert slide.resolution.objective == 20


def test_generic_tiff_resolution(tiff: Callable[..., Any]) -> None:
    path, _ = tiff(mpp=0.2738)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.2738, rel=1e-4)
        assert slide.mpp_source == "TIFF XResolution"
        assert slide.resolution.warnings == ()


def test_a_print_resolution_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "dpi.tif"
    tifffile.imwrite(path, smooth_picture(64, 64), resolution=(72, 72), resolutionunit="INCH")
    with open_slide(path) as slide:
        assert slide.mpp is None
        assert "72 dots per inch" in slide.resolution.warnings[0]


@pytest.mark.parametrize(
    ("size", "unit", "mpp"), [(0.25, "µm", 0.25), (250.0, "nm", 0.25), (0.00025, "mm", 0.25)]
)
def test_ome_tiff_units(tmp_path: Path, size: float, unit: str, mpp: float) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, smooth_picture(300, 200), ome=True, tile=(128, 128), photometric="rgb",
        metadata={
            "axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeXUnit": unit,
            "PhysicalSizeY": size, "PhysicalSizeYUnit": unit,
        },
    )  # fmt: skip
    with open_slide(path) as slide:
        assert slide.format == "OME-TIFF"
        assert slide.mpp == pytest.approx(mpp)
        assert slide.mpp_source == "OME PhysicalSizeX"


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx"])
def test_ome_zarr(tmp_path: Path, version: str, axes: str) -> None:
    pixels = smooth_picture(300, 200)
    levels = [pixels, pixels[::2, ::2]]
    path = tmp_path / "a.ome.zarr"
    write_ngff(path, [np.moveaxis(level, -1, 0) for level in levels], version=version, axes=axes)
    assert_reads(path, levels)
    with open_slide(path) as slide:
        assert slide.format == f"OME-Zarr {version}"
        assert (slide.mpp, slide.mpp_source) == (0.25, "NGFF scale")
        assert slide.channels == ()


def test_bioformats2raw_layout(tmp_path: Path) -> None:
    import zarr

    root = zarr.open_group(tmp_path / "b.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    image = root.create_group("0")
    image.attrs["multiscales"] = [
        {"version": "0.4", "axes": [{"name": "y"}, {"name": "x"}], "datasets": [{"path": "0"}]}
    ]
    image.create_array("0", data=np.full((80, 90), 7, np.uint8), chunks=(64, 64))
    with open_slide(tmp_path / "b.zarr") as slide:
        assert slide.dimensions == (90, 80)
        assert slide.mpp is None
        assert (slide.read_level(0, 0, 0, 90, 80) == 7).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_pictures_are_one_level(tmp_path: Path, suffix: str) -> None:
    pixels = smooth_picture(300, 200)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pixels).save(path, quality=95)
    assert_reads(path, [pixels], 0.0 if suffix == ".png" else 2.0)
    with open_slide(path, mpp=0.5) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.5, "set by the user")


def test_a_transparent_png_lies_on_white(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(path)
    with open_slide(path) as slide:
        assert (slide.read_level(0, 0, 0, 8, 8) == 255).all()


def test_the_content_counts_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.svs"
    Image.fromarray(smooth_picture(30, 20)).save(path, format="PNG")
    with open_slide(path) as slide:
        assert slide.format == "PNG"


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    a, b, c = (tmp_path / n for n in ("a.tif", "b.tif", "c.tif"))
    write_pyramid(a, smooth_picture(300, 200))
    b.write_bytes(a.read_bytes())
    write_pyramid(c, smooth_picture(300, 200, seed=1))
    prints = []
    for path in (a, b, c):
        with open_slide(path) as slide:
            prints.append(slide.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_fingerprint_of_a_large_file_sees_changes_of_size_and_samples(tmp_path: Path) -> None:
    from napari_scalescope.slides.formats import fingerprint

    path = tmp_path / "large"
    content = bytearray(np.random.default_rng(0).bytes(9 << 20))
    path.write_bytes(content)
    first = fingerprint(path)
    content[-1] ^= 1
    path.write_bytes(content)
    assert fingerprint(path) != first
    path.write_bytes(content + b"x")
    assert fingerprint(path) != first


def leica_xml(w: int, h: int, nm: int) -> str:
    """What a Leica SCN400 writes: an overview and one scanned area, two levels each."""
    pages = iter(range(9))

    def image(w: int, h: int, frame: tuple[int, int, int, int]) -> str:
        sizes = "".join(
            f'<dimension sizeX="{w >> r}" sizeY="{h >> r}" r="{r}" ifd="{next(pages)}"/>'
            for r in (0, 1)
        )
        x, y, fw, fh = frame
        return f"""<image name="i"><creationDate>2020</creationDate>
<device model="SCN400" version="1"/>
<pixels sizeX="{w}" sizeY="{h}">{sizes}</pixels>
<view sizeX="{fw}" sizeY="{fh}" offsetX="{x}" offsetY="{y}"/>
<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>
<illuminationSettings><numericalAperture>0.4</numericalAperture>
<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>
</image>"""

    whole = (2 * w * nm, 2 * h * nm)
    overview = image(64, 64, (0, 0, *whole))
    area = image(w, h, (w * nm // 2, h * nm // 2, w * nm, h * nm))
    space = "http://www.leica-microsystems.com/scn/2010/10/01"
    return f"""<?xml version="1.0"?><scn xmlns="{space}">
<collection name="c" sizeX="{whole[0]}" sizeY="{whole[1]}">{overview}{area}</collection></scn>"""


def test_leica_scn_places_the_scanned_area_in_its_frame(tmp_path: Path) -> None:
    pixels = smooth_picture(256, 256) | 1  # no pure black, which means "not scanned"
    path = tmp_path / "a.scn"
    levels = [smooth_picture(64, 64), smooth_picture(32, 32), pixels, pixels[::2, ::2]]
    with tifffile.TiffWriter(path) as tif:
        for i, level in enumerate(levels):
            tif.write(
                level, tile=(64, 64), photometric="rgb", compression="deflate", metadata=None,
                description=leica_xml(256, 256, 500) if i == 0 else None,
            )  # fmt: skip
    with open_slide(path) as slide:
        assert slide.format == "Leica SCN"
        assert slide.mpp == pytest.approx(0.5)
        assert slide.mpp_source == "Leica SCN metadata"
        assert [(lv.width, lv.height) for lv in slide.levels] == [(512, 512), (256, 256)]
        frame = slide.read_level(0, 0, 0, 512, 512)
        np.testing.assert_array_equal(frame[128:384, 128:384], pixels)
        assert (frame[:100] == 255).all()
        np.testing.assert_array_equal(slide.read_level(1, 64, 64, 128, 128), pixels[::2, ::2])
