"""Damaged files are refused or doubted in words; see `fuzz` for a long run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ..alignment.markers import WRITERS
from .conftest import smooth_picture, write_pyramid
from .fuzz import damaged, run

MUST_NOT_BE = {"traceback", "crash", "hang"}
REAL = ("slides/CMU-1-Small-Region.svs", "slides/OS-2-ndpi.ome.tif")


@pytest.fixture(scope="module")
def found(tmp_path_factory: Any) -> Counter[Any]:
    """What became of some hundred damaged copies of small files of every kind."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    pixels = smooth_picture(500, 400)
    for compression in ("jpeg", "deflate", "lzw", "jpeg2000", "webp", "zstd"):
        write_pyramid(folder / f"{compression}.tif", pixels, compression=compression)
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "a.jpg", quality=90)
    WRITERS["OME-Zarr 0.5"][1](folder / "a.ome.zarr", 0.25)
    return run(sorted(folder.iterdir()), range(360))


def kinds(found: Counter[Any], *, file: str = "", damage: str = "") -> set[str]:
    return {k for name, how, k in found if name.startswith(file) and how.startswith(damage)}


def test_nothing_ends_in_a_traceback_a_crash_or_a_hang(found: Counter[Any]) -> None:
    assert found.total() == 360
    assert not kinds(found) & MUST_NOT_BE
    assert {"refused", "doubted", "same"} <= kinds(found)


def test_what_is_cut_off_is_never_taken_for_whole(found: Counter[Any]) -> None:
    assert "different" not in kinds(found, damage="cut")
    of_files = {k for name, how, k in found if how == "cut" and not name.endswith(".zarr")}
    assert of_files <= {"refused", "doubted"}


@pytest.mark.parametrize("file", ["deflate.tif", "a.png"])
def test_what_has_checksums_is_never_shown_wrong(found: Counter[Any], file: str) -> None:
    assert "different" not in kinds(found, file=file)


def test_real_files(shared: Path) -> None:
    found = run([shared / name for name in REAL], range(60))
    assert not kinds(found) & MUST_NOT_BE
    assert kinds(found, damage="cut") <= {"refused", "doubted"}


def test_the_same_case_is_the_same_damage() -> None:
    content = bytes(range(256)) * 40
    assert all(damaged(content, k) == damaged(content, k) for k in range(20))
    assert sum(damaged(content, k)[0] != content for k in range(20)) > 15
