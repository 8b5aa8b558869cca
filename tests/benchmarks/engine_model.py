"""How fast whole slides would go with a GPU, from measured parts and cited ones.

    python -m tests.benchmarks.engine_model [--rounds R] [--json FILE]

For want of a GPU to measure on. Two jobs, those that others give figures for: a ViT-B at 2 µm/px
(5x), of which XMAG reports 8.8 slides a minute, and a ViT-H at 0.5 µm/px (20x), of which a user of
TRIDENT reports 125 tiles a second.

*Measured here*: the feed of tiles alone, cold, of a real slide at either resolution; writing
vectors of either length to a store; opening a slide and finding its tissue; the bare networks, with
random weights, on this processor; and, on all real slides at hand that say their resolution, how
many tiles have tissue at 2 µm/px for each that has at 0.5.

*Cited*: how many tiles a second the networks take on a GPU, and how many tiles a slide has.

Reading, encoding and writing overlap, and `engine.py` finds the whole at 0.97 or more of its
slowest part, so the model is that part and what comes before it. Where the network runs on the
same cores as the feed, their times add up instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_scalescope.embeddings import Store
from napari_scalescope.encoders import Encoder, Encoding
from napari_scalescope.encoders.devices import pick_precision
from napari_scalescope.errors import ResolutionError
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import MIN_TISSUE, open_slide, tissue_mask

from .big_store import Extent
from .encoder_quality.data import SHARED, TILE_PX
from .encoding import encoder_of
from .engine import SLIDE, bare, feed_alone
from .reading import drop_from_cache

#: Tiles of a slide at 20x, of which a user of TRIDENT reports at least 125 a second with UNI2-h, a
#: ViT-H (github.com/mahmoodlab/TRIDENT, issue 183; GPU not named).
TILES_OF_A_SLIDE = 15_000
THEIR_TILES_PER_S = 125
#: XMAG (arXiv:2509.23097, abstract; hardware not said there).
THEIR_SLIDES_PER_MIN = 8.8


@dataclass(frozen=True)
class Job:
    """One of the two.

    Parameters
    ----------
    name : str
    size : str
        Of the network, in `encoding.ENTRIES`.
    mpp : float
    cited : float
        Tiles a second on an RTX 4090: timm's own figures (huggingface/pytorch-image-models,
        results/benchmark-infer-amp-nhwc-pt240-cu124-rtx4090.csv), PyTorch 2.4, mixed precision.
    cited_as : str
        The network that is of: the same width, depth and number of tokens.
    """

    name: str
    size: str
    mpp: float
    cited: float
    cited_as: str


JOBS = (
    Job("ViT-B/14 at 5x", "B/14", 2.0, 2196.6, "vit_base_patch16_siglip_gap_256"),
    Job("ViT-H/14 at 20x", "H", 0.5, 348.6, "vit_huge_patch14_224"),
)


def tissue_tiles() -> dict[float, int]:
    """Tiles with tissue on the real slides at hand, by resolution."""
    found = {job.mpp: 0 for job in JOBS}
    for path in sorted((SHARED / "slides").glob("*.svs")) + sorted(
        (SHARED / "slides").glob("her2st*.tif")
    ):
        with open_slide(path) as slide:
            try:
                slide.require_mpp()
            except ResolutionError:
                continue
            mask = tissue_mask(slide)
            for mpp in found:
                share = mask.share(TileGrid.cover(slide, mpp, TILE_PX))
                found[mpp] += int((share >= MIN_TISSUE).sum())
    return found


def before_the_first_tile(path: Path) -> float:
    """Seconds to open a slide and find its tissue, cold."""
    drop_from_cache(path)
    began = time.perf_counter()
    with open_slide(path) as slide:
        tissue_mask(slide)
    return time.perf_counter() - began


def store_alone(encoder: Encoder, side: int = 64) -> float:
    """Tiles a second that go to a new store, each batch to the disk before the next."""
    dice = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        grid = TileGrid(0.5, TILE_PX, TILE_PX, side, side, 0.5)
        stored = Store(folder).open_set(Extent(side), encoder, grid)  # type: ignore[arg-type]
        batch = min(128, stored.block**2)
        vectors = dice.standard_normal((batch, encoder.dim), np.float32)
        began = time.perf_counter()
        for y in range(0, side, stored.block):
            for x in range(0, side, stored.block):
                block = np.indices((stored.block, stored.block)).reshape(2, -1).T
                for i in range(0, len(block), batch):
                    tiles = block[i : i + batch] + np.array([y, x])
                    stored.write(tiles, Encoding(vectors[: len(tiles)]))
                stored.merge([(y, x)])
        return side * side / (time.perf_counter() - began)


def model(rounds: int) -> dict[str, Any]:
    path = SHARED / "slides" / SLIDE

    def median(work: Any, *given: Any) -> float:
        return statistics.median(work(*given) for _ in range(rounds))

    tiles = tissue_tiles()
    ratio = tiles[2.0] / tiles[0.5]
    first = median(before_the_first_tile, path)
    print(f"tiles with tissue: {tiles[0.5]} at 0.5 µm/px, {tiles[2.0]} at 2: {1 / ratio:.1f} to 1")
    print(f"{SLIDE}: {first:.2f} s to open it and find its tissue")
    out: dict[str, Any] = {"ratio": ratio, "first_s": first}
    for job in JOBS:
        encoder = encoder_of(job.size, "cpu", pick_precision("auto", "cpu"))
        encoder.batch = 8
        here = median(lambda e=encoder: bare(e, 16, 8)["tiles/s"])
        feed = median(lambda m=job.mpp: feed_alone(path, m, 128)["tiles/s"])
        store = median(store_alone, encoder)
        count = TILES_OF_A_SLIDE * (ratio if job.mpp == 2.0 else 1)
        print(
            f"\n{job.name}, {job.mpp:g} µm/px, {count:,.0f} tiles a slide. Measured: feed "
            f"{feed:,.0f}, store {store:,.0f}, bare network on this processor {here:.2f} tiles/s"
        )
        for where, network, shared in (("here", here, True), ("RTX 4090", job.cited, False)):
            parts = {"network": network, "feed": feed, "store": store}
            bound = min(parts, key=lambda name: parts[name])
            rate = 1 / (1 / network + 1 / feed + 1 / store) if shared else parts[bound]
            minute = 60 / (first + count / rate)
            out[f"{job.name}, {where}"] = {**parts, "tiles/s": rate, "slides/min": minute}
            cited = "" if shared else f" (network cited: {job.cited_as}, {network:,.0f} tiles/s)"
            print(
                f"  {where:9} {rate:8.1f} tiles/s {minute:8.3f} slides/min, bound by the "
                f"{bound}{cited}"
            )
    print(f"\nXMAG: {THEIR_SLIDES_PER_MIN} slides/min at 5x; TRIDENT: {THEIR_TILES_PER_S} tiles/s")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description="Model whole slides on a GPU from their parts.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = model(given.rounds)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
