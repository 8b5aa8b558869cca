"""Time a set of a million tiles: what it takes to open it and to draw the first maps of it.

    python -m tests.benchmarks.big_store FOLDER [--side 1000] [--dim 384] [--part 0.1]

Makes the set in FOLDER if it is not there: random vectors for every tile, and attention for the
first rows. Then opens it in a fresh process, twice, and prints one JSON object of seconds, bytes
and files. The page cache is warm unless it was dropped in between.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from napari_scalescope.embeddings import Store, StoredSet, disk, journal, layout
from napari_scalescope.encoders import Encoding, catalogue
from napari_scalescope.geometry import TileGrid

#: Width of a vector, side of the token grid and attention heads of two kinds of encoder.
KINDS = {384: (14, 6), 1536: (16, 24)}


class Shape:
    """An encoder that never encodes: its sizes are all a store asks for."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.side, self.map_heads = KINDS[dim]
        facts = {"id": f"shape{dim}", "name": f"Shape {dim}", "dim": dim, "token_dim": dim}
        self.entry = catalogue()["untrained"].model_copy(update=facts)
        self.name = self.entry.id
        self.identity = {"encoder": self.name, "weights_sha256": "0" * 64, "precision": "fp32"}

    def grid(self, _tile_px: int) -> int:
        return self.side


class Extent:
    """A slide without pixels."""

    name, fingerprint, mpp_source = "big.svs", "b" * 64, "none"

    def __init__(self, side: int) -> None:
        self.dimensions = (side * 448, side * 448)


def opened(folder: Path, side: int, encoder: Shape) -> StoredSet:
    grid = TileGrid(0.5, 224, 224, side, side, 0.25)
    return Store(folder).open_set(Extent(side), encoder, grid)  # type: ignore[arg-type]


def make(folder: Path, side: int, dim: int, part: float) -> None:
    """Write every tile of the grid, block by block, as a whole-slide job does."""
    for module in (disk, journal, layout):  # waiting for the disk is not what is timed
        vars(module)["flush"] = lambda *_: None
    stored, dice = opened(folder, side, Shape(dim)), np.random.default_rng(0)
    grid, heads = KINDS[dim]
    for y in range(0, side, stored.block):
        for x in range(0, side, stored.block):
            block = np.indices((stored.block, stored.block)).reshape(2, -1).T + np.array([y, x])
            tiles = block[(block < side).all(1)]
            if not len(stored.missing(tiles)):
                continue
            vectors = dice.standard_normal((len(tiles), dim), np.float32)
            kept = y < part * side
            attention = dice.random((len(tiles), heads, grid, grid), np.float32) if kept else None
            stored.write(tiles, Encoding(vectors, attention=attention))
            stored.merge([(y, x)])


def measure(folder: Path, side: int, dim: int) -> dict[str, Any]:
    import zarr  # noqa: F401

    out: dict[str, Any] = {}

    def lap(name: str, start: float) -> None:
        out[name] = round(time.perf_counter() - start, 4)

    encoder = Shape(dim)  # reads the catalogue
    start = time.perf_counter()
    stored = opened(folder, side, encoder)
    lap("open_s", start)
    start = time.perf_counter()
    emb = stored.embeddings()
    lap("embeddings_s", start)
    start = time.perf_counter()
    view = emb.having("attention")
    view = view[(view < 40).all(1)]
    for piece in emb.pieces("attention", view):
        piece.mean(1)
    lap(f"attention_of_{len(view)}_tiles_s", start)
    start = time.perf_counter()
    vectors = emb.vectors
    lap("vectors_s", start)
    start = time.perf_counter()
    emb.raster(vectors @ vectors[0])
    lap("score_map_s", start)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=1000)
    parser.add_argument("--dim", type=int, choices=sorted(KINDS), default=384)
    parser.add_argument("--part", type=float, default=0.1, help="Share of rows with attention.")
    parser.add_argument("--measure", action="store_true", help="Only time it, in this process.")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.folder, given.side, given.dim)))
        return
    start = time.perf_counter()
    make(given.folder, given.side, given.dim, given.part)
    made = time.perf_counter() - start
    sizes = [p.stat().st_size for p in given.folder.rglob("*") if p.is_file()]
    print(json.dumps({"made_s": round(made, 1), "bytes": sum(sizes), "files": len(sizes)}))
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-m", __spec__.name, *sys.argv[1:], "--measure"], check=True
        )


if __name__ == "__main__":
    main()
