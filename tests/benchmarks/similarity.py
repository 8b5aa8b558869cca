"""From a click to the finished similarity map, beside the plain library calls in the same run.

    python -m tests.benchmarks.similarity [--tiles 200000] [--dim 1536] [--repeat 7] [--json FILE]

The set is what a session has once a whole slide was encoded: vectors in half precision in memory
(`HalfAtHand`), crowded around one direction as those of encoders are. *first* is the turn before
those that are counted: lengths are taken in it. Plain calls give cosines of the tiles and no map:
the product in torch's float16, from unit vectors that lie ready; the same in numpy, from half
precision through float32; and in numpy's float32, from unit vectors at twice the memory.
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
import torch

from napari_scalescope.analysis import find_hits, similarity_map, whiten
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.embeddings.half_at_hand import HalfAtHand
from napari_scalescope.geometry import TileGrid


def make_set(tiles: int, dim: int) -> EmbeddingSet:
    """A set as a store hands it out, its vectors read already."""
    rng = np.random.default_rng(0)
    cols = round(tiles**0.5)
    rows = -(-tiles // cols)
    grid = TileGrid(0.5, 224, 224, rows, cols, 0.25)
    where = grid.all_tiles()[:tiles]
    state = np.zeros(grid.shape, np.uint8)
    state[where[:, 0], where[:, 1]] = TileState.ENCODED
    centre = rng.normal(size=dim).astype(np.float32) * 2
    vectors = np.empty((tiles, dim), np.float16)
    for i in range(0, tiles, 4096):
        part = vectors[i : i + 4096]
        part[:] = centre + rng.normal(size=part.shape).astype(np.float32)
    table = HalfAtHand(grid.shape)
    facts = (where, grid, state, {"scalescope": {"key": "benchmark"}})
    return EmbeddingSet.on_demand(
        lambda: vectors.astype(np.float32),
        dim,
        *facts,
        half=lambda: table.of(where, lambda _new: vectors),
    )


def timed(do: Callable[[], Any], repeat: int) -> dict[str, float]:
    """Milliseconds of the first turn, and of those after it."""
    taken = []
    for _ in range(repeat + 1):
        began = time.perf_counter()
        do()
        taken.append((time.perf_counter() - began) * 1000)
    return {"first": taken[0], "median": statistics.median(taken[1:]), "worst": max(taken[1:])}


def measure(tiles: int, dim: int, repeat: int) -> dict[str, dict[str, float]]:
    emb = make_set(tiles, dim)
    places = emb.centres[np.linspace(0, tiles - 1, 5).astype(int)]
    place = tuple(places[1])
    index = emb.index_of([emb.grid.tile_at(*p) for p in places])
    found: dict[str, dict[str, float]] = {}
    found["click to map, cosine"] = timed(lambda: similarity_map(emb, place), repeat)
    found["click to map, rank"] = timed(lambda: similarity_map(emb, place, measure="rank"), repeat)
    three, two = emb.take(index[:3]), emb.take(index[3:])
    found["3 examples, 2 counter-examples"] = timed(
        lambda: similarity_map(emb, positives=three, negatives=two), repeat
    )
    began = time.perf_counter()
    white = whiten(emb)
    fitting = (time.perf_counter() - began) * 1000
    found["fitting whitening"] = {"first": fitting, "median": fitting, "worst": fitting}
    found["click to map, whitened"] = timed(
        lambda: similarity_map(emb, place, measure="whitened", whitened=white), repeat
    )
    made = similarity_map(emb, place)
    reach = 2 * emb.grid.footprint
    found["100 hits of a map"] = timed(lambda: find_hits(made, 100, apart=reach), repeat)

    half = emb.half.rows
    query = emb.take(index[:1])[0]
    query /= np.linalg.norm(query)
    full = np.empty(half.shape, np.float32)
    for i in range(0, tiles, 4096):
        full[i : i + 4096] = half[i : i + 4096]
        full[i : i + 4096] /= emb.half.lengths[i : i + 4096, None]
    ready = torch.from_numpy(full.astype(np.float16))
    direction = torch.from_numpy(query.astype(np.float16))
    found["plain torch, float16 product"] = timed(lambda: torch.mv(ready, direction), repeat)
    few = max(1, repeat // 3)
    found["plain numpy, through float32"] = timed(lambda: half.astype(np.float32) @ query, few)
    found["plain numpy, float32 product"] = timed(lambda: full @ query, repeat)

    exact = np.concatenate([full[i : i + 4096] @ query for i in range(0, tiles, 4096)])
    error = np.abs(emb.half.cosines(query)[:, 0] - exact).max()
    plain = np.abs(torch.mv(ready, direction).float().numpy() - exact).max()
    found["largest error of a cosine"] = {"ours": float(error), "plain torch": float(plain)}
    return found


def report(found: dict[str, dict[str, float]]) -> None:
    base = found["plain torch, float16 product"]["median"]
    print(f"  {'ms':34}{'first':>9}{'median':>9}{'worst':>9}   of the torch product")
    for name, times in found.items():
        if "median" in times:
            print(f"  {name:34}{times['first']:9.1f}{times['median']:9.1f}{times['worst']:9.1f}"
                  f"{times['median'] / base:9.2f}×")  # fmt: skip
    error = found["largest error of a cosine"]
    print(
        f"  largest error of a cosine: {error['ours']:.1e}, plain torch {error['plain torch']:.1e}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure similarity maps of many tiles.")
    parser.add_argument("--tiles", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=1536)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(f"{given.tiles:,} tiles × {given.dim}, torch {torch.__version__}, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    found = measure(given.tiles, given.dim, given.repeat)
    report(found)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
