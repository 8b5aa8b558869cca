"""A camera that does not rest: is anything left to do for views nobody looks at any more?

    python -m tests.benchmarks.storm [SLIDE] [--mpp MPP] [--moves N] [--seconds S] [--rounds R]
        [--json FILE]

N moves of the camera in S seconds across the slide with live encoding on, straight to the session
(a window reports a camera only when it rests, so this is harder than any mouse). Once with a slow
encoder (50 ms a tile) and once with the built-in one. Then the last view of the storm by
itself, in a new store with everything loaded, for comparison. Both R times; figures are medians.

*late* are tiles encoded after the last move that are not of the last view or the ring around it:
the backlog, of which one batch (*batch* tiles) is in the encoder and cannot be taken back. *queue*
is the most jobs that waited or ran at a time. *blocked* is the longest that a move took, which is
what a window would feel.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_scalescope import register_encoder
from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View
from napari_scalescope.settings import Settings

from .encoder_quality.data import SHARED, TILE_PX

SLIDE, MPP = "her2st_C4.tif", 0.69
SLOW_S = 0.05
#: Side of the view, tiles.
TILES = 5


def slow(pixels: np.ndarray) -> np.ndarray:
    time.sleep(SLOW_S * len(pixels))
    return np.zeros((len(pixels), 8), np.float32)


@contextmanager
def ready(path: Path, encoder: str, mpp: float, moves: int) -> Iterator[tuple[Session, list[View]]]:
    """A session with encoder and tissue loaded and an empty store, and where its camera goes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store_folder=Path(folder), encoder_folder=Path(folder) / "encoders")
        with Session(settings) as session:
            slide = session.open(path)
            session.choose_encoder(encoder)
            session.choose_scale((mpp,))
            side = TILES * TILE_PX * mpp / slide.require_mpp()
            w = slide.dimensions[0]
            # A corner, so that encoder and tissue are there.
            session.set_view(View(Box(0, 0, side / 4, side / 4), mpp))
            session.encode_view()
            session.wait(120)
            x, y = most_tissue(session)
            # And a view beside, so that the size of batches has been found.
            session.set_view(View(Box.around((x, y - 2 * side), 1.5 * side), mpp))
            session.encode_view()
            session.wait(120)
            # To and fro above the last view, so that nothing of it is done when it comes.
            t = np.linspace(0, 1, moves)[:-1]
            xs = [*(w * (0.5 + 0.3 * np.sin(14 * np.pi * t))), x]
            ys = [*(y - side * (1.5 + t)), y]
            yield (
                session,
                [View(Box.around((x, y), side), mpp) for x, y in zip(xs, ys, strict=True)],
            )
            slide.close()


def most_tissue(session: Session) -> tuple[float, float]:
    """Where in the lower half of the slide a view has most tissue."""
    emb, mask = session.embeddings(), session.tissue
    assert emb is not None
    assert mask is not None
    share = ndimage.uniform_filter(mask.share(emb.grid), TILES, mode="constant")
    share[: len(share) // 2] = -1
    x, y = emb.grid.centres(np.argwhere(share == share.max())[:1])[0].tolist()
    return x, y


def run(path: Path, encoder: str, mpp: float, moves: int, seconds: float) -> dict[str, float]:
    """The last view after a storm of moves; by itself where there is only one."""
    with ready(path, encoder, mpp, moves) as (session, places):
        stored = session._resources.set_at(mpp)
        assert stored is not None
        steps: list[tuple[float, np.ndarray]] = []
        written, queue, blocked = stored.write, 0.0, 0.0

        def write(tiles: np.ndarray, encoding: Any) -> None:
            written(tiles, encoding)
            steps.append((time.perf_counter(), tiles))

        # What an overtaken job has done is not signalled.
        stored.write = write  # type: ignore[method-assign]
        session.set_live(True)
        session.wait(60)
        steps.clear()
        began = time.perf_counter()
        for i, view in enumerate(places):
            pause = began + i * seconds / moves - time.perf_counter()
            time.sleep(max(0.0, pause))
            before = time.perf_counter()
            session.set_view(view)
            blocked = max(blocked, time.perf_counter() - before)
            queue = max(queue, len({*session._engine.wanted, *session._engine._running}))
        last = time.perf_counter()
        session.wait(300)
        ended = time.perf_counter()
        box, grid = places[-1].box, stored.grid
        inside = {tuple(t) for t in grid.tiles_in(box).tolist()}
        around = {tuple(t) for t in grid.tiles_in(box.grown(grid.pitch)).tolist()}
        tiles = [(when, tuple(t)) for when, some in steps for t in some.tolist()]
        first = [when for when, t in tiles if t in inside and when >= last]
        return {
            "encoded": len(tiles),
            "never in the last view": sum(t not in around for _, t in tiles),
            "late": sum(t not in around and when >= last for when, t in tiles),
            "first tile, ms": 1000 * (first[0] - last),
            "whole view, ms": 1000 * (ended - last),
            "batch": session.encoder.batch if session.encoder else 0,
            "queue": queue,
            "blocked, ms": 1000 * blocked,
        }


def main() -> int:
    parser = argparse.ArgumentParser(description="Move the camera without rest.")
    parser.add_argument("slide", nargs="?", type=Path, default=SHARED / "slides" / SLIDE)
    parser.add_argument("--mpp", type=float, default=MPP)
    parser.add_argument("--moves", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--encoders", nargs="+", default=["slow", "builtin"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    register_encoder(slow, id="slow", dim=8, tile_px=TILE_PX, name="Slow")
    found: dict[str, Any] = {}
    for encoder in given.encoders:
        for name, moves in (("storm", given.moves), ("by itself", 1)):
            runs = [
                run(given.slide, encoder, given.mpp, moves, given.seconds)
                for _ in range(given.rounds)
            ]
            middle = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
            found[f"{encoder}, {name}"] = middle
            told = ", ".join(f"{key} {value:.0f}" for key, value in middle.items())
            print(f"{encoder + ', ' + name:20} {told}", flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
