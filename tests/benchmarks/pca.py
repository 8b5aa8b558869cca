"""How long PCA colours of a whole slide take, beside scikit-learn's PCA of the same vectors.

    python -m tests.benchmarks.pca [--tiles 200000] [--dim 1536] [--rounds 3]

Vectors are made up: 40 directions of falling variance, turned at random, and noise, about a mean.
*fit* is `fit_pca` on the set, *map* `pca_map` with it, *refit* `fit_pca` that keeps the hues of the
one before. The peer is ``PCA(3).fit_transform`` as it comes and with the solver that it would not
choose by itself, followed by the same cut to colours. The map is compared with the peer's: how
nearly each colour is a linear combination of its components (R², 1 is exactly). Median of the
rounds after one that warms up.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from napari_scalescope.analysis import fit_pca, pca_map
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.geometry import TileGrid


def made_up(tiles: int, dim: int) -> EmbeddingSet:
    """A set of so many tiles."""
    rng = np.random.default_rng(0)
    cols = round(tiles**0.5)
    grid = TileGrid(0.5, 224, 224, -(-tiles // cols), cols, 0.25)
    state = np.zeros(grid.shape, np.uint8)
    state.ravel()[:tiles] = TileState.ENCODED
    few = min(40, dim)
    axes = np.linalg.qr(rng.normal(size=(dim, few)))[0].T.astype(np.float32)
    vectors = np.empty((tiles, dim), np.float32)
    mean = rng.normal(size=dim).astype(np.float32)
    for i in range(0, tiles, 10_000):
        part = vectors[i : i + 10_000]
        shape = (len(part), few)
        part[:] = (rng.standard_normal(shape, np.float32) * np.float32(0.85) ** range(few)) @ axes
        part += rng.standard_normal(part.shape, np.float32) * np.float32(0.02) + mean
    return EmbeddingSet(vectors, np.argwhere(state), grid, state)


def timed(task: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Median seconds of some rounds after the first, and what came of it."""
    took, result = [], task()
    for _ in range(rounds):
        start = time.perf_counter()
        result = task()
        took.append(time.perf_counter() - start)
    return statistics.median(took), result


def coloured(scores: np.ndarray) -> np.ndarray:
    """What a picture takes after the components: both ends cut, and bytes."""
    low, high = np.percentile(scores, [1, 99], axis=0)
    return np.rint(np.clip((scores - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def main() -> None:
    from sklearn.decomposition import PCA

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=1536)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    emb = made_up(options.tiles, options.dim)
    print(f"{len(emb):,} x {emb.dim:,} float32, {emb.vectors.nbytes / 2**30:.2f} GiB")
    fit_s, colours = timed(lambda: fit_pca(emb), options.rounds)
    refit_s, _ = timed(lambda: fit_pca(emb, like=colours), options.rounds)
    map_s, _ = timed(lambda: pca_map(emb, colours=colours), options.rounds)
    whole = fit_s + map_s
    print(f"fit {fit_s:.3f} s, refit {refit_s:.3f} s, map {map_s:.3f} s: view {whole:.3f} s")
    for solver in ("auto", "randomized"):
        peer = PCA(3, svd_solver=solver, random_state=0)
        peer_s, scores = timed(lambda p=peer: p.fit_transform(emb.vectors), options.rounds)
        cut_s, _ = timed(lambda s=scores: coloured(s), options.rounds)
        design = np.c_[scores, np.ones(len(scores))]
        ours = colours.scores(emb.vectors)
        rest = ours - design @ np.linalg.lstsq(design, ours)[0]
        r2 = 1 - rest.var(0) / ours.var(0)
        print(
            f"scikit-learn PCA(3, {solver}) {peer_s:.3f} s, cut {cut_s:.3f} s: "
            f"{(peer_s + cut_s) / whole:.1f} times as long; R² {r2.min():.4f} at least"
        )


if __name__ == "__main__":
    main()
