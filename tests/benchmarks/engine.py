"""Whole slides and views, end to end, beside their parts and beside the libraries others use.

    python -m tests.benchmarks.engine [SLIDE MPP] [--part whole view growth model] [--rounds R]
        [--peers PYTHON] [--json FILE]

*whole*: a slide from the file to the store, cold, with a ViT-S in this machine's default precision
and with a null encoder that returns zeros; beside the bare network on as many ready tensors, and
beside the feed of tiles alone. `openslide + DataLoader` is the loop people write themselves: one
`read_region` per tile in two worker processes, the same network and precision, nothing kept.
``--peers`` names a Python that has LazySlide or TIAToolbox; `engine_peers.py` runs in it. All
take turns, R times; figures are medians.

*view*: from the camera's rest to the first tile on disk and to the whole view, with the built-in
encoder; and the same view on another day.

*model*: what a GPU would make of it, where there is none: see `engine_model.py`.

*growth*: seconds and peak memory of 1,000, 10,000 and 100,000 tiles with the null encoder, each in
a process of its own, on a slide made in memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_scalescope import register_encoder
from napari_scalescope.embeddings import Store
from napari_scalescope.embeddings.pipeline import encode_slide
from napari_scalescope.embeddings.plan import make_plan
from napari_scalescope.encoders import Encoder, load_encoder
from napari_scalescope.encoders.devices import pick_precision
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import open_slide, read_tiles
from napari_scalescope.slides.tiles import block_order

from .encoder_quality.data import SHARED, TILE_PX
from .encoding import encoder_of
from .reading import drop_from_cache

SLIDE, MPP = "JP2K-33003-1_crop.svs", 0.5
GROWTH = (1_000, 10_000, 100_000)
DIM = 384


def null_encoder() -> Encoder:
    """Takes no time: what is left is reading and writing."""
    register_encoder(
        lambda pixels: np.zeros((len(pixels), DIM), np.float32),
        id="null", dim=DIM, tile_px=TILE_PX, name="Null",
    )  # fmt: skip
    return load_encoder("null")


def end_to_end(path: Path, mpp: float, encoder: Encoder) -> dict[str, float]:
    """A slide, every tile of it, into a new store."""
    drop_from_cache(path)
    with tempfile.TemporaryDirectory() as folder, open_slide(path) as slide:
        grid = TileGrid.cover(slide, mpp, TILE_PX)
        began = time.perf_counter()
        stored = Store(folder).open_set(slide, encoder, grid)
        plan = make_plan(grid, stored.block, encoder.feed, None)
        *_, (_, last) = encode_slide(slide, encoder, stored, plan, ())
        stored.close()
        seconds = time.perf_counter() - began
    shares = {"reading": last.reading, "encoding": last.encoding, "writing": last.writing}
    return {"tiles/s": grid.rows * grid.cols / seconds, **shares}


def feed_alone(path: Path, mpp: float, batch: int) -> dict[str, float]:
    drop_from_cache(path)
    with open_slide(path) as slide:
        grid = TileGrid.cover(slide, mpp, TILE_PX)
        began = time.perf_counter()
        count = sum(len(b.tiles) for b in read_tiles(slide, grid, batch=batch))
        return {"tiles/s": count / (time.perf_counter() - began)}


def bare(encoder: Encoder, tiles: int, batch: int) -> dict[str, float]:
    """The network on a tensor that is ready, as often as it takes for so many tiles."""
    trunk = encoder._network["trunk"]
    ready = torch.rand(batch, 3, TILE_PX, TILE_PX, dtype=next(trunk.parameters()).dtype)
    ready = ready.to(encoder.device)
    began = time.perf_counter()
    with torch.inference_mode():
        for _ in range(-(-tiles // batch)):
            trunk.forward_features(ready)
    if encoder.device != "cpu":
        torch.cuda.synchronize()
    return {"tiles/s": -(-tiles // batch) * batch / (time.perf_counter() - began)}


class OpenslideTiles(torch.utils.data.Dataset[Any]):
    """What people write: a tile per item, read by openslide and resized by pillow."""

    def __init__(self, path: Path, mpp: float) -> None:
        self.path = str(path)
        with open_slide(path) as slide:
            grid = TileGrid.cover(slide, mpp, TILE_PX)
            self.level = slide.level_for(mpp / slide.require_mpp())
            self.side = round(grid.footprint / slide.levels[self.level].downsample)
        self.corners = np.floor(grid.boxes(block_order(grid.all_tiles()))[:, :2]).astype(int)
        self.slide: Any = None

    def __len__(self) -> int:
        return len(self.corners)

    def __getitem__(self, i: int) -> torch.Tensor:
        import openslide

        if self.slide is None:
            self.slide = openslide.OpenSlide(self.path)
        x, y = self.corners[i].tolist()
        tile = self.slide.read_region((x, y), self.level, (self.side, self.side)).convert("RGB")
        tile = tile.resize((TILE_PX, TILE_PX))
        return torch.from_numpy(np.asarray(tile).copy()).permute(2, 0, 1).float() / 127.5 - 1


def naive(path: Path, mpp: float, encoder: Encoder | None, batch: int) -> dict[str, float]:
    drop_from_cache(path)
    data = OpenslideTiles(path, mpp)
    began = time.perf_counter()
    loader = torch.utils.data.DataLoader(data, batch_size=batch, num_workers=2)
    with torch.inference_mode():
        for x in loader:
            if encoder is not None:
                dtype = next(encoder._network["trunk"].parameters()).dtype
                x = x.to(device=encoder.device, dtype=dtype)
                encoder._network["trunk"].forward_features(x)[:, 0].float().cpu()
    return {"tiles/s": len(data) / (time.perf_counter() - began)}


def whole(path: Path, mpp: float, rounds: int, peers: str | None) -> dict[str, Any]:
    null = null_encoder()
    small = encoder_of("S", "cpu", pick_precision("auto", "cpu"))
    small.batch = 8
    with open_slide(path) as slide:
        grid = TileGrid.cover(slide, mpp, TILE_PX)
    tiles = grid.rows * grid.cols
    sides: dict[str, Callable[[], dict[str, float]]] = {
        "ViT-S, bare": lambda: bare(small, tiles, 8),
        "ViT-S, ScaleScope": lambda: end_to_end(path, mpp, small),
        "ViT-S, openslide + DataLoader": lambda: naive(path, mpp, small, 8),
        "feed alone": lambda: feed_alone(path, mpp, null.feed),
        "null, ScaleScope": lambda: end_to_end(path, mpp, null),
        "null, openslide + DataLoader": lambda: naive(path, mpp, None, 32),
    }
    script = Path(__file__).with_name("engine_peers.py")
    for peer in ("lazyslide", "tiatoolbox") if peers else ():
        for network in ("vits", "null"):
            label = {"vits": "ViT-S", "null": "null"}[network]

            def run(peer: str = peer, network: str = network) -> dict[str, float]:
                drop_from_cache(path)
                command = [str(peers), str(script), peer, network, str(path), str(mpp)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                return dict(json.loads(done.stdout.splitlines()[-1]))

            sides[f"{label}, {peer}"] = run
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, work in sides.items():
            try:
                found[name].append(work())
            except subprocess.CalledProcessError as error:
                print(f"{name} failed: {error.stderr[-300:]}", file=sys.stderr)
    print(f"{path.name} at {mpp:g} µm/px, {tiles} tiles of {TILE_PX} px, ViT-S {small.precision}")
    result: dict[str, Any] = {"tiles": tiles}
    for name, runs in found.items():
        if runs:
            middle = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
            result[name] = middle
            shares = " ".join(f"{k} {v:.0%}" for k, v in middle.items() if k != "tiles/s")
            print(f"{name:34} {middle['tiles/s']:8.1f} tiles/s  {shares}")
    for of, to in (("ViT-S, ScaleScope", "ViT-S, bare"), ("null, ScaleScope", "feed alone")):
        pairs = zip(found[of], found[to], strict=True)
        ratio = statistics.median(a["tiles/s"] / b["tiles/s"] for a, b in pairs)
        result[f"{of} of {to}"] = ratio
        print(f"{of} of {to}: {ratio:.3f}")
    return result


def view(path: Path, mpp: float) -> dict[str, float]:
    from napari_scalescope.geometry import Box
    from napari_scalescope.session import Session, View
    from napari_scalescope.settings import Settings

    out: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(store_folder=Path(folder), encoder_folder=Path(folder) / "encoders")
        for day in ("first", "again"):
            with Session(settings) as session:
                slide = session.open(path)
                w, h = slide.dimensions
                times: list[float] = []
                session.choose_scale((mpp,))
                # Another place, so that the encoder is loaded and tissue found.
                session.set_view(View(Box(w * 0.7, h * 0.7, 300, 300), mpp))
                session.encode_view()
                session.wait(120)
                session.tiles_encoded.connect(lambda t=times: t.append(time.perf_counter()))
                maps: list[float] = []
                session.map.changed.connect(lambda t=maps: t.append(time.perf_counter()))
                side = 5 * TILE_PX * mpp / slide.require_mpp()
                session.set_view(View(Box.around((w * 0.4, h * 0.4), side, side), mpp))
                began = time.perf_counter()
                session.encode_view()
                session.wait(120)
                ended = time.perf_counter()
                first = times[0] if times else maps[0]
                out[f"{day}: first tile, ms"] = 1000 * (first - began)
                out[f"{day}: whole view, ms"] = 1000 * (ended - began)
                out[f"{day}: batches"] = len(times)
    for name, value in out.items():
        print(f"{name:32} {value:8.0f}")
    return out


def grow(tiles: int) -> dict[str, float]:
    """In a process of its own: as many tiles of a slide in memory."""
    from napari_scalescope.slides.phantom import phantom

    side = int(np.ceil(np.sqrt(tiles)))
    encoder = null_encoder()
    with tempfile.TemporaryDirectory() as folder, phantom(size=(4096, 4096), seed=0) as slide:
        mpp = 4096 * slide.require_mpp() / (side * TILE_PX)
        grid = TileGrid.cover(slide, mpp, TILE_PX)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        stored = Store(folder).open_set(slide, encoder, grid)
        plan = make_plan(grid, stored.block, encoder.feed, None)
        for _ in encode_slide(slide, encoder, stored, plan, ()):
            pass
        stored.close()
        seconds = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "tiles": grid.rows * grid.cols,
        "seconds": seconds,
        "grown MB": (peak - before) / 1024,
        "peak MB": peak / 1024,
    }


def growth() -> list[dict[str, float]]:
    rows = []
    for tiles in GROWTH:
        command = [sys.executable, "-m", "tests.benchmarks.engine", "--grow", str(tiles)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(
            f"{row['tiles']:8.0f} tiles {row['seconds']:8.1f} s "
            f"{1e3 * row['seconds'] / row['tiles']:6.2f} ms a tile, peak {row['peak MB']:.0f} MB "
            f"(+{row['grown MB']:.0f})",
            flush=True,
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure whole slides and views, end to end.")
    parser.add_argument("slide", nargs="?", type=Path, default=SHARED / "slides" / SLIDE)
    parser.add_argument("mpp", nargs="?", type=float, default=MPP)
    parser.add_argument("--part", nargs="+", default=["whole", "view", "growth"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", help="a Python with LazySlide or TIAToolbox")
    parser.add_argument("--grow", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.grow:
        print(json.dumps(grow(given.grow)))
        return 0
    found: dict[str, Any] = {}
    if "whole" in given.part:
        found["whole"] = whole(given.slide, given.mpp, given.rounds, given.peers)
    if "view" in given.part:
        found["view"] = view(given.slide, given.mpp)
    if "growth" in given.part:
        found["growth"] = growth()
    if "model" in given.part:
        from .engine_model import model

        found["model"] = model(given.rounds)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
