"""How long agreement of two magnifications and a scale profile take.

    python -m tests.benchmarks.cross_scale [--tiles 10000] [--token-tiles 400] [--dim 512]

Vectors and tokens (14 × 14 × 256, float16, in memory) are made up; every coarse tile has four fine
ones. *global* and *neighbours* are of ``--tiles`` coarse tiles, *local* and *gram* of
``--token-tiles``, about what a large screen shows. The peer of global and local is the same sum
written as a loop over tiles; what both give is compared (largest difference). The profile is of
16 views of the sample slide by the built-in encoder, beside 16 passes of the encoder alone. Median
of 3 rounds after one that warms up.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_scalescope import load_encoder, open_slide
from napari_scalescope.analysis import cross_scale_agreement, scale_profile
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.geometry import IntArray, TileGrid, children
from napari_scalescope.sample import sample_slide_path

G, TOKEN_DIM = 14, 256


def made_up(mpp: float, rows: int, cols: int, dim: int, tokens: bool) -> EmbeddingSet:
    """A set of made-up vectors, with tokens where they are wanted."""
    rng = np.random.default_rng(int(8 * mpp))
    grid = TileGrid(mpp, 224, 224, rows, cols, 0.25)
    state = np.full(grid.shape, TileState.ENCODED, np.uint8)
    kept = None
    if tokens:
        state |= np.uint8(TileState.TOKENS)
        shape = (rows, cols, G, G, TOKEN_DIM)
        kept = rng.standard_normal(shape, np.float32).astype(np.float16)

    def load(_part: str, tiles: IntArray) -> np.ndarray:
        assert kept is not None
        return kept[tiles[:, 0], tiles[:, 1]]

    vectors = rng.standard_normal((rows * cols, dim), np.float32) + 1
    return EmbeddingSet(vectors, grid.all_tiles(), grid, state, {}, load)


def pair(tiles: int, dim: int, tokens: bool) -> tuple[EmbeddingSet, EmbeddingSet]:
    """Coarse and fine."""
    side = max(2, round(tiles**0.5))
    return made_up(1.0, side, side, dim, tokens), made_up(0.5, 2 * side, 2 * side, dim, tokens)


def timed(task: Callable[[], Any]) -> tuple[float, Any]:
    """Median seconds of three rounds after the first, and what came of it."""
    took, result = [], task()
    for _ in range(3):
        start = time.perf_counter()
        result = task()
        took.append(time.perf_counter() - start)
    return statistics.median(took), result


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def plain_global(coarse: EmbeddingSet, fine: EmbeddingSet) -> np.ndarray:
    """A loop over tiles."""
    own, other = coarse.vectors.mean(0), fine.vectors.mean(0)
    out = np.empty(coarse.grid.shape)
    for vector, tile in zip(coarse.vectors, coarse.tiles, strict=True):
        below = fine.index_of(children(coarse.grid, tuple(tile), fine.grid))
        out[tuple(tile)] = cosine(vector - own, fine.vectors[below].mean(0) - other)
    return out


def plain_local(coarse: EmbeddingSet, fine: EmbeddingSet) -> np.ndarray:
    """A loop over tiles and their quarters; for this ratio and lattice only."""
    out = np.empty(coarse.grid.shape)
    half = G // 2
    for r, c in coarse.tiles:
        lattice = coarse.part("patch_tokens", [(r, c)])[0].astype(np.float32)
        cosines = []
        for i, j in np.ndindex(2, 2):
            quarter = lattice[i * half : (i + 1) * half, j * half : (j + 1) * half].mean((0, 1))
            below = fine.part("patch_tokens", [(2 * r + i, 2 * c + j)])[0].astype(np.float32)
            cosines.append(cosine(quarter, below.mean((0, 1))))
        out[r, c] = np.mean(cosines)
    return out


def report(name: str, seconds: float, peer: float | None, worst: float | None) -> None:
    beside = "" if peer is None else f"   loop {peer:8.3f} s   ratio {peer / seconds:6.1f}"
    differs = "" if worst is None else f"   largest difference {worst:.1e}"
    print(f"{name:34s} {seconds:8.3f} s{beside}{differs}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tiles", type=int, default=10_000)
    parser.add_argument("--token-tiles", type=int, default=400)
    parser.add_argument("--dim", type=int, default=512)
    args = parser.parse_args()
    coarse, fine = pair(args.tiles, args.dim, False)
    took, found = timed(lambda: cross_scale_agreement(coarse, fine, "global"))
    start = time.perf_counter()
    plain = plain_global(coarse, fine)
    peer = time.perf_counter() - start
    name = f"{len(coarse):,} × {args.dim}"
    report(f"global      {name}", took, peer, float(np.abs(found.values - plain).max()))
    took, _ = timed(lambda: cross_scale_agreement(coarse, fine, "neighbours"))
    report(f"neighbours  {name}", took, None, None)
    coarse, fine = pair(args.token_tiles, args.dim, True)
    name = f"{len(coarse):,} tiles, {len(fine):,} fine"
    took, found = timed(lambda: cross_scale_agreement(coarse, fine, "local", centred=False))
    peer, plain = timed(lambda: plain_local(coarse, fine))
    report(f"local       {name}", took, peer, float(np.abs(found.values - plain).max()))
    for measure in ("cka", "frobenius"):
        took, _ = timed(lambda m=measure: cross_scale_agreement(coarse, fine, "gram", measure=m))
        report(f"gram {measure:10s} {name}", took, None, None)
    encoder = load_encoder("builtin")
    with open_slide(sample_slide_path()) as slide:
        took, profile = timed(lambda: scale_profile(slide, encoder, slide.box.centre))
        views = profile.views
        alone, _ = timed(lambda: [encoder.encode(views[i : i + 1], keep=()) for i in range(16)])
    print(f"profile     16 views, {encoder.device} {took:8.3f} s   encoding alone {alone:8.3f} s")


if __name__ == "__main__":
    main()
