"""How fluid the embedding map is: lasso, pan, zoom, colours and pointing with very many points.

    xvfb-run -s "-screen 0 1600x1000x24" python -m tests.benchmarks.scatter
        [--points 200000 1000000] [--size 380 300] [--plain] [--json FILE]

The widget itself is shown and driven, so a frame is what a user waits for: events, raster, text
and what Qt does to bring it to the screen. Points lie in ten round clusters of different sizes.
*lasso* is from the last corner of a hand-drawn outline of 400 corners around half of the points to
the mask that is announced, *with frame* until the selection is painted. *pan* and *zoom* are frames
per second over a tour of the map. *recolour* is `set_colours` and its frame. *hover* is one
movement of the mouse over the points, the first one by itself. *lasso, plain* is
matplotlib's `Path.contains_points` where that is installed, else shapely's `contains_xy`, on the
same points and outline. Times are medians, ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from qtpy.QtCore import QPointF
from qtpy.QtWidgets import QApplication

from napari_scalescope.widgets.scatter import ScatterView, kernels

#: What is asked for: ms, except frames per second.
LIMITS = {"lasso": 100.0, "recolour": 50.0, "pan": 20.0}


def cloud(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (n, 2) float32 and a cluster each, 0 to 9."""
    rng = np.random.default_rng(0)
    centres, width = rng.uniform(-10, 10, (10, 2)), rng.uniform(0.5, 2.5, 10)
    label = rng.integers(0, 10, n)
    xy = centres[label] + rng.normal(size=(n, 2)) * width[label, None]
    return xy.astype(np.float32), label


def outline_of_half(xy: np.ndarray) -> np.ndarray:
    """A wobbly outline (400, 2) with half of the points in it."""
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    wobble = 1 + 0.15 * np.sin(7 * turn) + 0.03 * np.sin(61 * turn)
    away = xy - xy.mean(0)
    at = np.interp(np.arctan2(away[:, 1], away[:, 0]) % (2 * np.pi), turn, wobble)
    radius = float(np.median(np.hypot(*away.T) / at))
    return xy.mean(0) + radius * wobble[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)


def timed(act: Callable[[], Any], times: int = 9) -> float:
    """Median of so many runs, ms."""
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        took.append(time.perf_counter() - begun)
    return 1e3 * statistics.median(took)


def measure(n: int, size: tuple[int, int]) -> dict[str, float]:
    """Everything, on a map of n points."""
    xy, label = cloud(n)
    rng = np.random.default_rng(1)
    tables = [rng.integers(60, 255, (10, 3), np.uint8) for _ in range(2)]
    view = ScatterView()
    view.resize(*size)
    found: dict[str, float] = {"points": n}
    begun = time.perf_counter()
    view.set_points(xy, tables[0][label])
    view.show()
    QApplication.processEvents()
    found["first frame"] = 1e3 * (time.perf_counter() - begun)

    outline = outline_of_half(xy)
    view.select_polygon(outline)
    found["share"] = float(view.selection.mean())

    def lasso() -> None:
        view.select_polygon(outline)

    took, painted = [], []
    for _ in range(9):
        view.clear_selection()
        QApplication.processEvents()
        begun = time.perf_counter()
        lasso()
        took.append(time.perf_counter() - begun)
        view.repaint()
        painted.append(time.perf_counter() - begun)
    found["lasso"] = 1e3 * statistics.median(took)
    found["lasso with frame"] = 1e3 * statistics.median(painted)
    polygon = shapely.Polygon(outline)
    shapely.prepare(polygon)
    found["lasso, plain"] = timed(lambda: shapely.contains_xy(polygon, *xy.T.astype(float)), 1)

    def drive(act: Callable[[int], None], frames: int = 40) -> float:
        view.fit()
        QApplication.processEvents()
        took = []
        for i in range(frames):
            begun = time.perf_counter()
            act(i)
            view.repaint()
            QApplication.processEvents()
            took.append(time.perf_counter() - begun)
        return 1 / statistics.median(took)

    def pan(i: int) -> None:
        view.camera = view.camera.panned(7 * (-1) ** (i // 10), 3 * (-1) ** (i // 20))

    def zoom(i: int) -> None:
        x, y = view.width() / 2, view.height() / 2
        view.camera = view.camera.zoomed(1.15 if i < 20 else 1 / 1.15, x, y)

    found["pan, half selected"] = drive(pan)
    view.clear_selection()
    found["pan"] = drive(pan)
    found["zoom"] = drive(zoom)
    view.fit()

    def recolour() -> None:
        tables.reverse()
        view.set_colours(tables[0][label])
        view.repaint()

    found["recolour"] = timed(recolour)
    mouse = view._mouse
    places = [QPointF(*p) for p in rng.uniform((0, 0), size, (50, 2))]
    begun = time.perf_counter()
    mouse.point_at(places[0])
    found["hover, first"] = 1e3 * (time.perf_counter() - begun)
    found["hover"] = timed(lambda: [mouse.point_at(p) for p in places], 3) / len(places)
    view.close()
    return found


def main() -> None:
    """Measure, print, and write down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--size", type=int, nargs=2, default=[380, 300], metavar=("W", "H"))
    parser.add_argument("--plain", action="store_true", help="without the compiled loops")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    app = QApplication.instance() or QApplication([])
    begun = time.perf_counter()
    if not options.plain and (thread := kernels.warm_up()) is not None:
        thread.join()
        print(f"compiled in {time.perf_counter() - begun:.2f} s")
    elif options.plain:
        kernels.MANY = kernels.MOST
    rows = [measure(n, tuple(options.size)) for n in options.points]
    for name in rows[0]:
        print(f"{name:20}" + "".join(f"{row[name]:12,.3g}" for row in rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    del app


if __name__ == "__main__":
    main()
