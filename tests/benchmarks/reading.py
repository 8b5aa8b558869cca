"""Reading tiles for an encoder, beside the libraries others read with.

    python -m tests.benchmarks.reading [SLIDE MPP] [--threads N] [--repeat R] [--json FILE]

All sides run in turn, ``--repeat`` times, each with a freshly opened slide and with the file's
pages dropped from the system's cache; the table gives medians. A tile is 224 px at ``MPP``; the
peers read its footprint at the level ScaleScope reads from, and do not resize it, which is in
their favour.

*decode bound* is what nobody who decodes every pixel can beat: each stored piece that the tiles
need is fetched and decoded exactly once, by as many threads, and thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import open_slide, read_tiles
from napari_scalescope.slides.tiles import block_order

from .encoder_quality.data import SHARED, TILE_PX

SLIDES = (("JP2K-33003-1_crop.svs", 0.5), ("her2st_C4.tif", 1.0))


@dataclass(frozen=True)
class Task:
    """The tiles to read, and what they are to the peers: boxes of whole pixels of one level."""

    path: Path
    grid: TileGrid
    tiles: npt.NDArray[np.int64]
    level: int
    boxes: list[tuple[int, int, int]]
    threads: int

    @classmethod
    def of(cls, path: Path, mpp: float, threads: int) -> Task:
        with open_slide(path) as slide:
            grid = TileGrid.cover(slide, mpp, TILE_PX)
            tiles = block_order(grid.all_tiles())
            level = slide.level_for(mpp / slide.require_mpp())
            info = slide.levels[level]
        side = round(grid.footprint / info.downsample)
        corners = np.floor(grid.boxes(tiles)[:, :2] / info.downsample).astype(int)
        inside = (corners[:, 0] + side <= info.width) & (corners[:, 1] + side <= info.height)
        tiles, corners = tiles[inside], corners[inside]
        boxes = [(int(x), int(y), side) for x, y in corners]
        return cls(path, grid, tiles, level, boxes, threads)


def drop_from_cache(path: Path) -> None:
    """Have the system forget a file, where it can."""
    if hasattr(os, "posix_fadvise"):
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def in_threads(threads: int, job: Callable[[Any], Any], items: Iterable[Any]) -> None:
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(job, items):
            pass


# --- the sides ---


def scalescope_side(task: Task) -> None:
    with open_slide(task.path) as slide:
        n = 0
        for batch in read_tiles(slide, task.grid, task.tiles, threads=task.threads):
            n += len(batch.pixels)
    assert n == len(task.tiles)


def decode_bound(task: Task) -> None:
    import imagecodecs
    import tifffile

    with tifffile.TiffFile(task.path) as tif:
        page = tif.series[0].levels[task.level].pages[0]
        ch, cw = page.chunks[:2]
        across = -(-page.imagewidth // cw)
        pieces = {
            row * across + col
            for x, y, side in task.boxes
            for row in range(y // ch, -(-(y + side) // ch))
            for col in range(x // cw, -(-(x + side) // cw))
        }
        stored = "RGB" if page.photometric == 2 else "YCBCR"
        tables, offsets, counts = page.jpegtables, page.dataoffsets, page.databytecounts
        fd = os.open(task.path, os.O_RDONLY)

        def decode(index: int) -> None:
            data = os.pread(fd, counts[index], offsets[index])
            imagecodecs.jpeg8_decode(data, tables=tables, colorspace=stored, outcolorspace="RGB")

        in_threads(task.threads, decode, sorted(pieces))
        os.close(fd)


def openslide_side(task: Task) -> None:
    import openslide

    with openslide.OpenSlide(str(task.path)) as slide:
        d = round(slide.level_downsamples[task.level])
        in_threads(
            task.threads,
            lambda b: np.asarray(
                slide.read_region((b[0] * d, b[1] * d), task.level, (b[2], b[2])).convert("RGB")
            ),
            task.boxes,
        )


def tiffslide_side(task: Task) -> None:
    import tiffslide

    with tiffslide.TiffSlide(task.path) as slide:
        d = round(slide.level_downsamples[task.level])
        in_threads(
            task.threads,
            lambda b: slide.read_region(
                (b[0] * d, b[1] * d), task.level, (b[2], b[2]), as_array=True
            ),
            task.boxes,
        )


def fastslide_side(task: Task) -> None:
    import fastslide

    slide = fastslide.FastSlide.from_file_path(str(task.path))
    in_threads(
        task.threads,
        lambda b: np.asarray(slide.read_region((b[0], b[1]), task.level, (b[2], b[2])).numpy()),
        task.boxes,
    )


SIDES: dict[str, Callable[[Task], None]] = {
    "ScaleScope": scalescope_side,
    "decode bound": decode_bound,
    "openslide": openslide_side,
    "tiffslide": tiffslide_side,
    "fastslide": fastslide_side,
}


def measure(task: Task, repeat: int) -> dict[str, list[float]]:
    """Tiles per second of every side that is installed, ``repeat`` times in turn."""
    rates: dict[str, list[float]] = {}
    for _ in range(repeat):
        for name, side in SIDES.items():
            drop_from_cache(task.path)
            began = time.perf_counter()
            try:
                side(task)
            except ImportError:
                continue
            rates.setdefault(name, []).append(len(task.tiles) / (time.perf_counter() - began))
    return rates


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how fast tiles are read.")
    parser.add_argument("slide", nargs="?", type=Path)
    parser.add_argument("mpp", nargs="?", type=float)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.slide is not None and given.mpp is None:
        parser.error("give the resolution of the tiles after the slide")
    slides = [(SHARED / "slides" / name, mpp) for name, mpp in SLIDES]
    if given.slide is not None:
        slides = [(given.slide, given.mpp)]
    warnings.simplefilter("ignore")  # tiffslide's, about metadata nobody reads here
    found = {}
    for path, mpp in slides:
        if not path.exists():
            print(f"{path.name} is not here")
            continue
        task = Task.of(path, mpp, given.threads)
        rates = measure(task, given.repeat)
        found[path.name] = rates
        ours = statistics.median(rates["ScaleScope"])
        print(f"{path.name}: {len(task.tiles)} tiles of {TILE_PX} px at {mpp} µm/px, "
              f"{given.threads} threads, median of {given.repeat}")  # fmt: skip
        for name, values in rates.items():
            median = statistics.median(values)
            spread = f"{min(values):.0f} to {max(values):.0f}"
            print(f"  {name:14} {median:6.0f} tiles/s ({spread}); ScaleScope {ours / median:.2f} ×")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
