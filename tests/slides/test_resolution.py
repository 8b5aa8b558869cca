"""Which tag is believed, and what is said of the others."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.errors import ResolutionError
from napari_scalescope.slides import open_slide, remembered
from napari_scalescope.slides.remembered import remember
from napari_scalescope.slides.resolution import PLAUSIBLE, PRINT_DPI, Statement, resolve


def test_nothing_said() -> None:
    found = resolve([])
    assert (found.mpp, found.source) == (None, "no tag gives a resolution")


def test_the_vendors_tag_comes_first() -> None:
    found = resolve([Statement("vendor", 0.25, 0.25), Statement("TIFF", 0.2501, 0.2499)], 40)
    assert (found.mpp, found.source, found.objective) == (0.25, "vendor", 40)
    assert found.warnings == ()


def test_tags_that_disagree_are_reported_with_both_numbers() -> None:
    found = resolve([Statement("vendor", 0.0274, 0.0274), Statement("TIFF", 0.2738, 0.2738)])
    assert found.mpp == 0.2738  # the first is outside what a scanner can be
    assert "0.0274" in found.warnings[0]
    found = resolve([Statement("vendor", 0.25, 0.25), Statement("TIFF", 0.5, 0.5)])
    assert found.mpp == 0.25
    assert "0.25" in found.warnings[0]
    assert "0.5" in found.warnings[0]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_what_cannot_be_is_never_believed(value: float) -> None:
    found = resolve([Statement("tag", value, value)])
    paper = any(value == pytest.approx(25400 / dpi, rel=1e-3) for dpi in PRINT_DPI)
    if paper or not PLAUSIBLE[0] <= value <= PLAUSIBLE[1]:
        assert found.mpp is None
        assert "tag" in found.warnings[0]
    else:
        assert found.mpp == pytest.approx(value)


@pytest.mark.parametrize("dpi", [72, 96, 300, 600, 1200])
def test_what_is_set_for_paper_is_not_believed(dpi: int) -> None:
    found = resolve([Statement("tag", 25400 / dpi, 25400 / dpi)])
    assert found.mpp is None
    assert f"{dpi} dots per inch, a print resolution" in found.warnings[0]
    # an overview of a slide, published at a resolution of its own
    assert resolve([Statement("tag", 28.969, 28.968)]).mpp == pytest.approx(28.9685)


def test_pixels_that_are_not_square_are_refused_in_words() -> None:
    found = resolve([Statement("tag", 0.25, 0.5)])
    assert found.mpp is None
    assert "not square" in found.warnings[0]
    assert resolve([Statement("tag", 0.25, 0.2501)]).mpp == pytest.approx(0.25005)


def test_what_was_set_is_remembered_wherever_the_slide_lies(
    tiff: Callable[..., Any], tmp_path: Path
) -> None:
    path, _ = tiff(mpp=0.25)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)
        remember(slide.fingerprint, 0.2738)
    elsewhere = tmp_path / "other name.tif"
    path.rename(elsewhere)
    with open_slide(elsewhere) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.2738, "set by the user before")
        slide.set_mpp(None)
        assert slide.mpp == pytest.approx(0.25)
        remember(slide.fingerprint, None)
    with open_slide(elsewhere) as slide:
        assert slide.mpp_source == "TIFF XResolution"
    with open_slide(elsewhere, mpp=0.5) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.5, "set by the user")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": "b"}', '{"a": null}'])
def test_a_spoilt_memory_is_no_obstacle(content: str) -> None:
    remembered._file().write_text(content)
    assert remembered.recall("a") is None
    remember("b", 0.5)
    assert remembered.recall("b") == 0.5


def test_a_disk_that_refuses_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(remembered, "_file", lambda: tmp_path / "file" / "resolutions.json")
    remember("a", 0.5)
    assert remembered.recall("a") is None


def test_an_override_says_so() -> None:
    found = resolve([Statement("tag", 0.25, 0.25)]).overridden(0.5)
    assert (found.mpp, found.source) == (0.5, "set by the user")
    for nonsense in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ResolutionError, match="positive"):
            found.overridden(nonsense)


def test_pixels_that_are_not_quite_square_are_said() -> None:
    assert resolve([Statement("tag", 0.25, 0.2502)]).warnings == ()
    found = resolve([Statement("tag", 0.25, 0.26)])
    assert found.mpp == pytest.approx(0.255, rel=1e-3)
    assert "0.25 × 0.26" in found.warnings[0]
    found = resolve([Statement("tag", 0.25, 0.5)])
    assert found.mpp is None
    assert "not square" in found.warnings[0]


@pytest.mark.parametrize("unit", ["micron", "um", "\\u00B5m", "mm"])
def test_imagej_tiff(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    per_unit = 4000.0 if unit == "mm" else 4.0
    grey = np.full((64, 64), 200, np.uint8)
    tifffile.imwrite(
        path, grey, imagej=True, resolution=(per_unit, per_unit), metadata={"unit": unit}
    )
    with open_slide(path) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.25, "ImageJ unit")
