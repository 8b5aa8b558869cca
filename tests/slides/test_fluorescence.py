"""Fluorescence is shown in the colours its metadata gives; nothing is computed from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_scalescope.embeddings import embed
from napari_scalescope.errors import SlideError
from napari_scalescope.pretraining.sources import load_picture
from napari_scalescope.session.jobs import slide_job
from napari_scalescope.slides import open_slide, tissue_mask
from napari_scalescope.slides.formats.fluorescence import (
    PALETTE,
    RGB,
    SHOWN,
    Channel,
    Composite,
    contrast,
    is_fluorescence,
    rgb_planes,
)

from ..embeddings.fake import FakeEncoder
from .conftest import smooth_picture, write_ngff

DYES = ["DAPI", "CD3", "CD8", "panCK", "PD-L1"]


def planes(n: int, w: int = 300, h: int = 200, dtype: str = "uint16") -> np.ndarray:
    """Smooth planes (n, h, w) in the lower range of a 16-bit camera."""
    pixels = np.concatenate([smooth_picture(w, h, seed) for seed in range(-(-n // 3))], -1)
    scale = 1 if np.dtype(dtype) == np.uint8 else 16
    return np.ascontiguousarray(np.moveaxis(pixels[..., :n], -1, 0).astype(dtype) * scale)


def write_ome(path: Path, data: np.ndarray, axes: str = "CYX", **channel: Any) -> np.ndarray:
    """An OME-TIFF of two levels; returns what is stored in the coarser."""
    metadata: dict[str, Any] = {"axes": axes, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    if channel:
        metadata["Channel"] = channel
    coarse = data[..., ::2, ::2]
    options: dict[str, Any] = {
        "tile": (64, 64),
        "compression": "zlib",
        "photometric": "minisblack",
        "predictor": True,
    }
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(data, subifds=1, metadata=metadata, **options)
        tif.write(coarse, subfiletype=1, **options)
    return coarse


def expected(data: np.ndarray, windows: list[Any], colours: list[Any]) -> np.ndarray:
    """The additive composite, channel by channel in floating point."""
    out = np.zeros((*data.shape[1:], 3))
    for plane, (low, high), colour in zip(data, windows, colours, strict=True):
        share = np.clip((plane.astype(float) - low) / (high - low), 0, 1)
        out += np.rint(share[..., None] * np.array(colour))
    return np.minimum(out, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("axes", "shape"), [("CYX", (5,)), ("TCZYX", (1, 5, 1)), ("ZCTYX", (1, 5, 1))]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int16"])
def test_ome_tiff_in_its_own_colours(
    tmp_path: Path, axes: str, shape: tuple[int, ...], dtype: str
) -> None:
    data = planes(5, dtype=dtype)
    path = tmp_path / "a.ome.tif"
    colours = [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 128, 0), (10, 200, 220)]
    rgba = [(r << 24 | g << 16 | b << 8 | 255) for r, g, b in colours]
    signed = [c - (1 << 32) if c >= 1 << 31 else c for c in rgba]
    coarse = write_ome(path, data.reshape(*shape, 200, 300), axes, Name=DYES, Color=signed)
    windows = [contrast(plane) for plane in coarse.reshape(5, 100, 150)]
    with open_slide(path) as slide:
        assert slide.channels == tuple(DYES)
        assert slide.format == "OME-TIFF"
        assert [(lv.width, lv.height) for lv in slide.levels] == [(300, 200), (150, 100)]
        assert slide.levels[0].chunk == (64, 64)
        assert (slide.mpp, slide.mpp_source) == (0.5, "OME PhysicalSizeX")
        whole = slide.read_level(0, 0, 0, 300, 200)
        np.testing.assert_array_equal(whole, expected(data, windows, colours))
        np.testing.assert_array_equal(slide.read_level(0, 50, 30, 100, 90), whole[30:120, 50:150])
        # what lies outside is as dark as a slide without light
        assert (slide.read_level(0, -10, 0, 10, 10) == 0).all()


def test_planes_without_metadata_get_a_palette_and_numbers(tmp_path: Path) -> None:
    data = planes(4)
    path = tmp_path / "a.ome.tif"
    coarse = write_ome(path, data)
    windows = [contrast(plane) for plane in coarse]
    with open_slide(path) as slide:
        assert slide.channels == ("channel 1", "channel 2", "channel 3", "channel 4")
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 300, 200), expected(data, windows, list(PALETTE[:4]))
        )


@pytest.mark.parametrize("how", ["contig", "separate"])
def test_samples_of_one_page_together_and_apart(tmp_path: Path, how: str) -> None:
    data = planes(5)
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.moveaxis(data, 0, -1) if how == "contig" else data, tile=(64, 64),
        photometric="minisblack", planarconfig=how, compression="zlib", extrasamples=[0] * 4,
    )  # fmt: skip
    with open_slide(path) as slide:
        assert len(slide.channels) == 5
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 300, 200),
            expected(data, [contrast(p) for p in data], list(PALETTE[:5])),
        )


def test_rgb_whose_colours_lie_apart_is_brightfield(tmp_path: Path) -> None:
    pixels = smooth_picture(300, 200)
    apart = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    paths = [tmp_path / "planar.tif", tmp_path / "named.ome.tif"]
    tifffile.imwrite(paths[0], apart, photometric="rgb", planarconfig="separate", tile=(64, 64))
    write_ome(paths[1], apart, Name=["Red", "Green", "Blue"])
    for path in paths:
        with open_slide(path) as slide:
            assert slide.channels == ()
            np.testing.assert_array_equal(slide.read_level(0, 0, 0, 300, 200), pixels)


def test_one_deep_channel_is_shown_in_grey(tmp_path: Path) -> None:
    data = planes(1)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data[0], tile=(64, 64))
    with open_slide(path) as slide:
        assert slide.channels == ("channel 1",)
        np.testing.assert_array_equal(
            slide.read_level(0, 0, 0, 300, 200),
            expected(data, [contrast(data[0])], [(255, 255, 255)]),
        )


def test_more_channels_than_colours(tmp_path: Path) -> None:
    data = planes(12)
    path = tmp_path / "a.ome.tif"
    write_ome(path, data, Name=[f"CD{i}" for i in range(12)])
    with open_slide(path) as slide:
        assert len(slide.channels) == 12
        before = slide.read_level(0, 0, 0, 300, 200)
    data[SHOWN:] = 0
    write_ome(path, data, Name=[f"CD{i}" for i in range(12)])
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, 300, 200), before)


@pytest.mark.parametrize("axes", ["ZCYX", "TCYX"])
def test_stacks_stay_refused(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, np.zeros((2, 4, 32, 32), np.uint16), ome=True, metadata={"axes": axes},
        photometric="minisblack",
    )  # fmt: skip
    with pytest.raises(SlideError, match="stacks and time series are not read"):
        open_slide(path)


def test_a_damaged_piece_is_said_and_the_contrast_is_taken_without_it(tmp_path: Path) -> None:
    data = planes(2)
    path = tmp_path / "a.ome.tif"
    write_ome(path, data, Name=DYES[:2])
    with tifffile.TiffFile(path) as tif:
        places = [
            (page.dataoffsets[0], page.databytecounts[0])
            for page in (tif.series[0].levels[0].pages[1], tif.series[0].levels[1].pages[1])
        ]
    content = bytearray(path.read_bytes())
    for start, count in places:
        content[start : start + count] = bytes(count)
    path.write_bytes(content)
    with open_slide(path) as slide:
        with pytest.raises(SlideError, match=r"damaged: piece \(0, 0\) of level 0"):
            slide.read_level(0, 0, 0, 64, 64)
        assert slide.read_level(0, 64, 0, 64, 64).std() > 0


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_what_is_cut_off_does_not_open(tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.ome.tif"
    write_ome(path, planes(5), Name=DYES)
    content = path.read_bytes()
    # the writer puts the OME-XML last, so that what is left may look like a bare stack
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SlideError, match=r"damaged|laid out"):
        open_slide(path)


def test_nothing_is_computed_from_it(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    write_ome(path, planes(3), Name=DYES[:3])
    with open_slide(path) as slide:
        for step in (
            lambda: embed(slide, FakeEncoder(), 0.5, store=tmp_path / "store"),
            lambda: embed(slide, FakeEncoder(), 0.5, store=tmp_path / "store", tissue=False),
            lambda: tissue_mask(slide),
            # before an encoder is loaded
            lambda: next(iter(slide_job(None, slide, [0.5]).steps())),  # type: ignore[arg-type]
            lambda: load_picture(path),
        ):
            with pytest.raises(SlideError, match=r"DAPI, CD3, CD8.*brightfield H&E"):
                step()
    assert not (tmp_path / "store").exists()


def test_the_file_of_several_images_shows_the_brightfield_one(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    picture = smooth_picture(300, 200)
    with tifffile.TiffWriter(path, ome=True) as tif:
        for data, name, axes in (
            (planes(4), "mIF", "CYX"),
            (smooth_picture(600, 500, 1), "macro image", "YXS"),
            (smooth_picture(60, 50), "label image", "YXS"),
            (picture, "H&E", "YXS"),
            (smooth_picture(64, 64), "second piece", "YXS"),
        ):
            tif.write(
                data, tile=(64, 64), photometric="rgb" if axes == "YXS" else "minisblack",
                metadata={"axes": axes, "Name": name, "PhysicalSizeX": len(name) / 10,
                          "PhysicalSizeY": len(name) / 10},
            )  # fmt: skip
    with open_slide(path) as slide:
        assert slide.channels == ()
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, 300, 200), picture)
        assert slide.mpp == pytest.approx(0.3)  # of this image, not of the first
        assert slide.associated == ("mIF", "macro image", "label image", "second piece")
        np.testing.assert_array_equal(slide.associated_image("Label Image"), smooth_picture(60, 50))
        with pytest.raises(SlideError, match="only 8-bit RGB or grey"):
            slide.associated_image("mIF")
        with pytest.raises(SlideError, match="holds no image 'barcode'"):
            slide.associated_image("barcode")


def test_a_small_picture_beside_fluorescence_is_its_overview(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(planes(1)[0], tile=(64, 64))
        tif.write(smooth_picture(75, 50), photometric="rgb")
    with open_slide(path) as slide:
        assert slide.channels == ("channel 1",)
        assert slide.dimensions == (300, 200)
        assert slide.associated == ("image 2",)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "tczyx", "yxc"])
def test_ome_zarr_as_its_metadata_wants_it_shown(tmp_path: Path, version: str, axes: str) -> None:
    data = planes(5)
    said = [
        {"label": "DAPI", "color": "0000FF", "window": {"start": 100, "end": 3000}},
        {"label": "CD3", "color": "00FF00", "window": {"start": 0, "end": 4000, "max": 65535}},
        {"label": "CD8", "color": "FF0000", "active": False, "window": {"start": 0, "end": 1}},
        {"label": "panCK", "color": "FFFF00"},
        {"label": "", "color": "FF00FF", "window": {"start": 9, "end": 9}},
    ]
    path = tmp_path / "a.ome.zarr"
    levels = [data, data[:, ::2, ::2]]
    write_ngff(path, levels, version=version, axes=axes, omero={"channels": said})
    seen = [0, 1, 3, 4]
    windows = [(100, 3000), (0, 4000), *(contrast(levels[1][i]) for i in (3, 4))]
    colours = [(0, 0, 255), (0, 255, 0), (255, 255, 0), (255, 0, 255)]
    with open_slide(path) as slide:
        assert slide.channels == ("DAPI", "CD3", "CD8", "panCK", "channel 5")
        assert slide.mpp == 0.25
        whole = slide.read_level(0, 0, 0, 300, 200)
        np.testing.assert_array_equal(whole, expected(data[seen], windows, colours))
        with pytest.raises(SlideError, match="DAPI, CD3"):
            slide.require_brightfield()


def test_ome_zarr_of_three_dyes_in_8_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    said = [
        {"label": n, "color": c} for n, c in zip(DYES, ("0000FF", "00FF00", "FF0000"), strict=False)
    ]
    write_ngff(path, [planes(3, dtype="uint8")], omero={"channels": said})
    with open_slide(path) as slide:
        assert slide.channels == tuple(DYES[:3])


def test_of_several_images_in_a_zarr_the_brightfield_one(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    picture, label = smooth_picture(300, 200), smooth_picture(40, 30)
    for number, (name, levels) in enumerate(
        {
            "mIF": [planes(4)],
            "label": [np.moveaxis(label, -1, 0)],
            "H&E": [np.moveaxis(picture, -1, 0)],
        }.items()
    ):
        write_ngff(path, levels, path=str(number), name=name)
    with open_slide(path) as slide:
        assert slide.channels == ()
        np.testing.assert_array_equal(slide.read_level(0, 0, 0, 300, 200), picture)
        assert slide.associated == ("mIF", "label")
        np.testing.assert_array_equal(slide.associated_image("label"), label)
        with pytest.raises(SlideError, match="only 8-bit"):
            slide.associated_image("mIF")


def test_hamamatsu_names_its_filters(shared: Path) -> None:
    for name, dye in (("DAPI-2-387", "DAPI 2 (387)"), ("TRITC-2-560", "TRITC 2 (560)")):
        with open_slide(shared / "slides" / f"test3-{name}.ndpi") as slide:
            assert slide.channels == (dye,)
            assert slide.associated_image("macro").shape == (406, 1188, 3)
            with pytest.raises(SlideError, match="fluorescence"):
                slide.require_brightfield()


@pytest.mark.parametrize(
    ("channels", "dtype", "answer"),
    [
        ([Channel()], "uint8", False),
        ([Channel("grey")], "uint8", False),
        ([Channel("DAPI")], "uint8", True),
        ([Channel(colour=(0, 0, 255))], "uint8", True),
        ([Channel(fluorescent=True)], "uint8", True),
        ([Channel()], "uint16", True),
        ([Channel()] * 2, "uint8", True),
        ([Channel(f"Channel {i}") for i in range(3)], "uint8", False),
        ([Channel(n) for n in ("R", "G", "B")], "uint8", False),
        ([Channel(n) for n in ("DAPI", "FITC", "Cy5")], "uint8", True),
        ([Channel(colour=c) for c in RGB], "uint8", False),
        ([Channel(colour=c) for c in PALETTE[:3]], "uint8", True),
    ],
)
def test_what_is_taken_for_fluorescence(channels: Any, dtype: str, answer: bool) -> None:
    assert is_fluorescence(channels, dtype, three_are_rgb=True) is answer


def test_three_bare_planes_are_rgb_only_where_rgb_has_no_other_way() -> None:
    assert is_fluorescence([Channel()] * 3, "uint8", three_are_rgb=False)
    assert not is_fluorescence([Channel()] * 3, "uint8", three_are_rgb=True)


@given(arrays(np.uint8, (3, 5, 7)))
def test_red_green_and_blue_come_out_as_they_went_in(data: np.ndarray) -> None:
    def never(_: Any) -> np.ndarray:
        raise AssertionError

    np.testing.assert_array_equal(Composite(rgb_planes(3), never)(data), np.moveaxis(data, 0, -1))


@given(
    data=arrays(np.uint16, (2, 4, 4)),
    window=st.tuples(st.integers(0, 60000), st.integers(1, 5000)),
    big=st.booleans(),
)
def test_a_brighter_value_is_never_shown_darker(
    data: np.ndarray, window: tuple[int, int], big: bool
) -> None:
    low, width = window
    channels = [Channel("a", (0, 200, 50), (low, low + width)), Channel("b", (200, 0, 100), (0, 1))]
    show = Composite(channels, lambda _: np.zeros((0, 1)))
    pixels = show(data.astype(">u2") if big else data).astype(int)
    brighter = show(np.minimum(data, 65534) + 1).astype(int)
    assert (brighter >= pixels).all()


@pytest.mark.parametrize("values", [[3.0, 3.0], [], [np.nan], [0.0] * 999 + [5.0]])
def test_contrast_of_little(values: list[float]) -> None:
    low, high = contrast(np.array(values))
    assert np.isfinite([low, high]).all()
    assert low < high


def test_contrast_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def samples(which: tuple[int, ...]) -> np.ndarray:
        asked.append(which)
        return np.arange(200).reshape(len(which), -1)

    channels = [Channel("a", window=(0.0, 10.0)), Channel("b"), Channel("c", shown=False)]
    show = Composite(channels, samples)
    assert show.shown == (0, 1)
    for _ in range(3):
        show(np.zeros((2, 3, 3), np.uint16))
    show(np.zeros((2, 3, 3), np.float32))
    assert asked == [(1,)]
