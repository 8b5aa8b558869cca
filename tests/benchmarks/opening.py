"""From `open_slide` to the first paint, for files from megabytes to ten gigabytes.

    xvfb-run -s "-screen 0 1600x1000x24" python -m tests.benchmarks.opening
        [--gb 0.1 1 10] [--slide FILE...] [--folder DIR] [--repeat 5]

napari is up and idle when the clock starts, and the file's pages are dropped from the system's
cache. *opened* is the slide, *painted* the first frame with the overview in it, *sharp* when every
tile of that view has its own pixels. Made-up slides are pyramidal JPEG files of noise, written once
to ``--folder`` and removed again.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
import simplejpeg
import tifffile

from napari_scalescope.slides import open_slide
from napari_scalescope.widgets.layers import SlideKeeper, slide_layer

from .panning import turn, unpainted
from .reading import drop_from_cache

TILE, MPP = 256, 0.25


def write_slide(path: Path, gigabytes: float) -> None:
    """A slide of about that size whose tiles are some noisy pictures in turn."""
    rng = np.random.default_rng(0)
    grey = [rng.integers(90, 250, (TILE, TILE, 1), dtype=np.uint8) for _ in range(4)]
    jpegs = [
        simplejpeg.encode_jpeg(np.ascontiguousarray(g.repeat(3, 2)), 95, "RGB", "420") for g in grey
    ]
    tiles = gigabytes * 1e9 / statistics.mean(map(len, jpegs)) / (1 + 1 / 16)
    side = int(math.sqrt(tiles)) * TILE

    def pieces(level_side: int) -> Iterator[bytes]:
        return itertools.islice(itertools.cycle(jpegs), math.ceil(level_side / TILE) ** 2)

    with tifffile.TiffWriter(path, bigtiff=True) as tif:
        while True:
            per_cm = 1e4 / MPP
            tif.write(
                pieces(side), shape=(side, side, 3), dtype="uint8", tile=(TILE, TILE),
                photometric="ycbcr", subsampling=(2, 2), compression="jpeg", metadata=None,
                resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
                description=f"Aperio Image Library made up\r\n{side}x{side} |MPP = {MPP}",
            )  # fmt: skip
            if side <= 2000:
                return
            side //= 4


def measure(viewer: Any, path: Path) -> tuple[float, float, float]:
    """Milliseconds until the slide is opened, painted, and sharp."""
    drop_from_cache(path)
    for _ in range(10):
        turn()
    began = time.perf_counter()
    slide = open_slide(path)
    opened = time.perf_counter()
    data, options, _ = slide_layer(slide)
    layer = viewer.add_image(data, **options)
    keeper = SlideKeeper.of(viewer)
    turn()
    painted = time.perf_counter()
    while not keeper.sharp:
        turn()
    sharp = time.perf_counter()
    w, h = slide.dimensions
    black = unpainted(viewer, (w * slide.require_mpp(), h * slide.require_mpp()))
    assert black < 0.01, f"{black:.2f} of the canvas is black"
    viewer.layers.remove(layer)
    turn()
    return (opened - began) * 1e3, (painted - began) * 1e3, (sharp - began) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how soon a slide is seen.")
    parser.add_argument("--gb", type=float, nargs="*", default=[0.1, 1, 10])
    parser.add_argument("--slide", type=Path, nargs="*", default=[])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    for _ in range(50):
        turn()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        for what in [*given.slide, *given.gb]:
            path = what if isinstance(what, Path) else Path(name) / "a.svs"
            if not isinstance(what, Path):
                write_slide(path, what)
            size = path.stat().st_size / 1e9
            runs = [measure(viewer, path) for _ in range(given.repeat)]
            medians = [
                f"{word} {statistics.median(values):.0f} ms (worst {max(values):.0f})"
                for word, *values in zip(("opened", "painted", "sharp"), *runs, strict=True)
            ]
            print(f"{path.name}, {size:.3g} GB, median of {given.repeat}: {', '.join(medians)}")
            if not isinstance(what, Path):
                path.unlink()
    viewer.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
