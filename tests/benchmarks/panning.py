"""How long the window stands still while a slide on slow storage is panned and zoomed.

    xvfb-run -s "-screen 0 1600x1000x24" python -m tests.benchmarks.panning
        [--ms 5 40 150 | --slide FILE | --plain] [--minutes 0] [--both] [--json FILE]
        [--pictures DIR]

A slide of 100,000 × 80,000 px whose every stored piece of 512 px takes ``--ms`` to come is shown
in napari and driven through a tour: zooming in step by step, panning by quarters of the screen, far
jumps, dragging, zooming out; or any other slide is. With ``--plain`` it is a napari image of the
same size whose levels are arrays with nothing to read or to fill in, so that what it takes is what
the viewer and its graphics take. The tour, window and camera are the same for a
picture of 500 px that is all in memory: its turns of the event loop are *bare frames*.

*block* is the longest single turn of the event loop in a step; the limit is two (median) bare
frames and 50 ms. *quick* leaves 150 ms for a step, *patient* waits for the last pixel. *loaded* is
until the last pixel is sharp. *black* is the largest share of the canvas inside the slide that was
not painted, looked at right after the first turn of each step. ``--minutes`` goes on wandering for
so long and reports resident memory in every minute. ``--both`` repeats all with napari's
asynchronous slicing.

A step that needs a larger texture than any before has the system find fresh memory for it, three
to four bytes a pixel. What that takes here is measured first; on some virtual machines it is most
of the limit.
"""

from __future__ import annotations

import argparse
import json
import math
import mmap
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

from napari_scalescope.slides import Slide, open_slide
from napari_scalescope.slides.chunks import assemble
from napari_scalescope.slides.resolution import Resolution
from napari_scalescope.widgets.layers import SlideKeeper, slide_layer

SIZE, PIECE, MPP = (100_000, 80_000), 512, 0.25


class SlowReader:
    """Tinted noise whose colour says where it lies, never dark; every piece takes its time."""

    format = "slow"
    sizes = tuple((-(-SIZE[0] // 4**k), -(-SIZE[1] // 4**k)) for k in range(4))
    chunks = tuple((PIECE, PIECE) for _ in sizes)
    properties: Mapping[str, Any] = MappingProxyType({})
    associated: tuple[str, ...] = ()

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.doubts: list[str] = []
        self._grain = np.random.default_rng(0).integers(0, 60, (PIECE, PIECE, 1), dtype=np.uint8)

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Any:
        def piece(row: int, col: int) -> Any:
            time.sleep(self.seconds)
            where = np.array([row * 4**level // 8, col * 4**level // 8, level * 40])
            return self._grain + (where * 37 % 120 + 70).astype(np.uint8)

        return assemble(x, y, w, h, (PIECE, PIECE), piece)

    def close(self) -> None:
        pass


def slow_slide(ms: float) -> Slide:
    resolution = Resolution(MPP, "set")
    return Slide("slow", None, SlowReader(ms / 1000), resolution, f"slow {ms}")  # type: ignore[arg-type]


Step = tuple[str, Callable[[Any], None]]


def tour(w_um: float, h_um: float) -> Iterator[Step]:
    """Camera moves by name over a slide of that size; each is one step."""
    times = round(math.log(4 / (760 / h_um), 1.5))  # from the whole slide to 0.25 µm a pixel

    def to(x: float, y: float, zoom: float | None = None) -> Callable[[Any], None]:
        def move(camera: Any) -> None:
            if zoom is not None:
                camera.zoom = zoom
            camera.center = (y * h_um, x * w_um)

        return move

    def by(dx: float, dy: float, factor: float = 1.0) -> Callable[[Any], None]:
        """By shares of the screen."""

        def move(camera: Any) -> None:
            y, x = camera.center[-2:]
            camera.zoom *= factor
            camera.center = (y + dy * 900 / camera.zoom, x + dx * 1100 / camera.zoom)

        return move

    yield "start", to(0.5, 0.5, 760 / h_um)
    yield from (("zoom in", by(0.02, 0.02, 1.5)) for _ in range(times))
    yield from (("pan", by(0.25, 0.1)) for _ in range(12))
    spots = np.random.default_rng(1).uniform(0.05, 0.95, (12, 2))
    yield from (("jump", to(x, y)) for x, y in spots)
    yield from (("drag", by(0.01, 0.005)) for _ in range(60))
    yield from (("zoom out", by(0, 0, 1 / 1.5)) for _ in range(times // 2))
    yield from (("mid-level pan", by(0.25, -0.1)) for _ in range(12))
    yield from (("zoom out", by(0, 0, 1 / 1.5)) for _ in range(times - times // 2))


def turn() -> float:
    """One turn of the event loop, in ms."""
    began = time.perf_counter()
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
    return (time.perf_counter() - began) * 1000


def unpainted(viewer: Any, size_um: tuple[float, float], picture: Path | None = None) -> float:
    """Share of the canvas that is black although the slide is there."""
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    if picture is not None:
        from PIL import Image

        Image.fromarray(shot).save(picture)
    h, w = shot.shape[:2]
    z, (cy, cx) = viewer.scene.camera.zoom, viewer.scene.camera.center[-2:]
    scale = viewer.canvas.size[0] / h
    y = cy + ((np.arange(h) + 0.5) * scale - viewer.canvas.size[0] / 2) / z
    x = cx + ((np.arange(w) + 0.5) * scale - viewer.canvas.size[1] / 2) / z
    margin = 3 / z
    inside = ((y > margin) & (y < size_um[1] - margin))[:, None] & (
        (x > margin) & (x < size_um[0] - margin)
    )
    return float((shot.max(-1) < 40)[inside].mean()) if inside.any() else 0.0


def fresh_memory_ms(mb: int = 26) -> list[float]:
    """What the first write to as much memory as a texture of 2560 × 2560 px takes, ten times."""
    held, taken = [], []
    for _ in range(10):
        began = time.perf_counter()
        held.append(np.frombuffer(mmap.mmap(-1, mb << 20), np.uint8))
        held[-1][:] = 1
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


def drive(
    viewer: Any,
    idle: Callable[[], bool],
    size_um: tuple[float, float],
    patience_s: float,
    black: bool = False,
) -> dict[str, dict[str, list[float]]]:
    """Blocks, loading times and black shares of the steps of a tour, by the step's name."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, move in tour(*size_um):
        began = time.perf_counter()
        move(viewer.scene.camera)
        moved = (time.perf_counter() - began) * 1000
        block = moved + turn()
        share = unpainted(viewer, size_um) if black else 0.0
        while time.perf_counter() - began < patience_s:
            block = max(block, turn())
            if idle() and time.perf_counter() - began > 0.15:
                break
            time.sleep(0.002)
        into = found.setdefault(name, {"block": [], "loaded": [], "black": []})
        into["block"].append(block)
        into["loaded"].append((time.perf_counter() - began) * 1000)
        into["black"].append(share)
    return found


def bare(viewer: Any, size_um: tuple[float, float]) -> float:
    """Median turn in which the camera moves over a small picture, in ms."""
    grey = np.full((400, 500, 3), 128, np.uint8)
    scale = (size_um[1] / 400, size_um[0] / 500)
    layer = viewer.add_image(grey, rgb=True, scale=scale, units=("um", "um"))
    for _ in range(10):
        turn()
    found = drive(viewer, lambda: True, size_um, 0.15)
    viewer.layers.remove(layer)
    return statistics.median(b for steps in found.values() for b in steps["block"])


def tours(
    viewer: Any, idle: Callable[[], bool], size_um: tuple[float, float]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """The tour in a hurry, with patience, and looking at what is painted."""
    return {
        "quick": drive(viewer, idle, size_um, 0.15),
        "patient": drive(viewer, idle, size_um, 20),
        "looked at": drive(viewer, idle, size_um, 0.3, True),
    }


def plain_levels() -> list[Any]:
    """Levels of ×2 as arrays that are all there: one row of pixels, seen again and again."""
    w, h = SIZE
    row = np.random.default_rng(0).integers(70, 250, (1, w, 3), dtype=np.uint8)
    sizes = [(w >> k, h >> k) for k in range(8)]
    return [np.broadcast_to(row[:, :w], (h, w, 3)) for w, h in sizes]


def measure_plain(viewer: Any) -> dict[str, Any]:
    size_um = (SIZE[0] * MPP, SIZE[1] * MPP)
    found: dict[str, Any] = {"bare": bare(viewer, size_um)}
    began = time.perf_counter()
    layer = viewer.add_image(
        plain_levels(), rgb=True, multiscale=True, scale=(MPP, MPP), units=("um", "um")
    )
    turn()
    found["opened"] = (time.perf_counter() - began) * 1000
    found |= tours(viewer, lambda: True, size_um)
    viewer.layers.remove(layer)
    return found


def measure(viewer: Any, slide: Slide, minutes: float, picture: Path | None) -> dict[str, Any]:
    size_um = (slide.dimensions[0] * slide.require_mpp(), slide.dimensions[1] * slide.require_mpp())
    found: dict[str, Any] = {"bare": bare(viewer, size_um)}
    began = time.perf_counter()
    data, options, _ = slide_layer(slide)
    layer = viewer.add_image(data, **options)
    keeper = SlideKeeper.of(viewer)
    turn()
    found["opened"] = (time.perf_counter() - began) * 1000
    while not keeper.sharp:
        turn()

    def sharp() -> bool:
        return keeper.sharp

    found |= tours(viewer, sharp, size_um)
    if picture is not None:
        unpainted(viewer, size_um, picture)
    found["memory"] = []
    until = time.perf_counter() + minutes * 60
    while time.perf_counter() < until:
        minute = time.perf_counter() + 60
        while time.perf_counter() < minute:
            drive(viewer, sharp, size_um, 0.2)
        found["memory"].append(resident_mb())
        print(f"    {len(found['memory'])} min: {found['memory'][-1]:.0f} MB", flush=True)
    viewer.layers.remove(layer)
    turn()
    return found


def report(found: dict[str, Any]) -> None:
    limit = 2 * found["bare"] + 50
    print(f"  bare frame {found['bare']:.0f} ms, limit {limit:.0f} ms; "
          f"opened and painted in {found['opened']:.0f} ms")  # fmt: skip
    print(f"  {'':23}block, median and worst   loaded, median and worst (ms)")
    for way in ("quick", "patient"):
        for name, steps in found[way].items():
            block, loaded = steps["block"], steps["loaded"]
            mark = "" if max(block) <= limit else "   over the limit"
            print(f"  {way:8} {name:14} {statistics.median(block):5.0f} {max(block):6.0f}"
                  f"{statistics.median(loaded):18.0f} {max(loaded):6.0f}{mark}")  # fmt: skip
    black = max(s for steps in found["looked at"].values() for s in steps["black"])
    print(f"  black at worst: {black:.4f} of the canvas")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how long the window stands still.")
    parser.add_argument("--ms", type=float, nargs="+", default=[5, 40, 150])
    parser.add_argument("--slide", type=Path)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--both", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    everything: dict[str, Any] = {"fresh 26 MB": fresh_memory_ms()}
    fresh = everything["fresh 26 MB"]
    print(f"26 MB of fresh memory: {fresh[0]:.0f} to {fresh[-1]:.0f} ms")
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)
    for _ in range(50):
        turn()
    what = [given.slide] if given.slide else [f"{ms:g} ms a piece" for ms in given.ms]
    if given.plain:
        what = ["plain arrays"]
    experimental = napari.settings.get_settings().experimental
    before = experimental.async_
    for asynchronous in (False, True) if given.both else (False,):
        experimental.async_ = asynchronous
        slicing = "asynchronous" if asynchronous else "synchronous"
        print(f"{slicing} slicing, canvas of {viewer.canvas.size}")
        for k, name in enumerate(what):
            print(f" {name}", flush=True)
            if given.plain:
                everything[f"{name}, {slicing}"] = found = measure_plain(viewer)
                report(found)
                continue
            slide = open_slide(given.slide) if given.slide else slow_slide(given.ms[k])
            picture = given.pictures and given.pictures / f"panning {k} {slicing}.png"
            found = measure(viewer, slide, given.minutes, picture)
            report(found)
            everything[f"{name}, {slicing}"] = found
    experimental.async_ = before  # napari keeps what is set
    if given.json is not None:
        given.json.write_text(json.dumps(everything, indent=1), encoding="utf-8")
    viewer.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
