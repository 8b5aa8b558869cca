"""Clusters of very many tiles, beside the plain library calls.

    python -m tests.benchmarks.clustering [--tiles N] [--dim D] [--rounds R] [--json FILE]

200,000 x 1,536 made-up vectors in 30 clusters of unlike size, with a common offset (cosines are
as high as those of real encoders) and variation that clusters do not explain. All take turns, R
times; figures are medians. ARI is the agreement with the clusters they were made from.

*ours* is `cluster` from an `EmbeddingSet` to labels, names, colours and closeness; *scikit-learn*
is `MiniBatchKMeans` on the vectors as they are, with its defaults and with as many starts as ours.
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

from napari_scalescope.analysis import cluster, suggest_k
from napari_scalescope.analysis.together import bare_set


def mixture(n: int, dim: int, kinds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, dim) and the kind of each."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(kinds, dim)).astype(np.float32) / 2
    labels = rng.choice(kinds, n, p=rng.dirichlet(np.full(kinds, 2.0)))
    shared = rng.normal(size=(40, dim)).astype(np.float32) / 12
    offset = rng.normal(size=dim).astype(np.float32) * 2
    vectors = np.empty((n, dim), np.float32)
    for start in range(0, n, 10_000):
        own = labels[start : start + 10_000]
        noise = rng.normal(size=(len(own), dim)).astype(np.float32) * 0.7
        varied = rng.normal(size=(len(own), 40)).astype(np.float32) @ shared
        vectors[start : start + len(own)] = offset + centres[own] + varied + noise
    return vectors, labels


def turns(parts: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], Any]:
    """Median seconds of each, and what each gave last."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    given = {}
    for _ in range(rounds):
        for name, part in parts.items():
            began = time.perf_counter()
            given[name] = part()
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(s) for name, s in seconds.items()}, given


def main() -> None:
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.metrics import adjusted_rand_score

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=1536)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    vectors, truth = mixture(asked.tiles, asked.dim)
    emb = bare_set(vectors)
    peer = "scikit-learn: mini-batch k-means(20)"
    parts: dict[str, Callable[[], Any]] = {
        peer: lambda: MiniBatchKMeans(20, random_state=0).fit(vectors).labels_ + 1,
        f"{peer}, 4 starts": lambda: (
            MiniBatchKMeans(20, n_init=4, random_state=0).fit(vectors).labels_ + 1
        ),
        "ours: k-means(20)": lambda: cluster(emb, 20).labels,
        "ours: Leiden": lambda: cluster(emb, method="leiden").labels,
        "ours: HDBSCAN": lambda: cluster(emb, method="hdbscan").labels,
        "ours: suggested number": lambda: suggest_k(emb),
    }
    seconds, given = turns(parts, asked.rounds)
    found = []
    for name, taken in seconds.items():
        line = {"what": name, "s": round(taken, 2), "ratio": round(taken / seconds[peer], 2)}
        if isinstance(given[name], np.ndarray):
            line["groups"] = len(np.unique(given[name][given[name] > 0]))
            line["ARI"] = round(float(adjusted_rand_score(truth, given[name])), 3)
        else:
            line["k"] = given[name].k
        found.append(line)
        print(line, flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
