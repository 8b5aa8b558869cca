"""Maps of very many tiles, beside the plain library calls.

    python -m tests.benchmarks.projection [--tiles N] [--dim D] [--refine] [--json FILE]

The made-up vectors of `clustering.py`. First what is shown first: PCA from nothing, and of tiles
whose axes are known (one pass over the vectors, which the memory's speed bounds). Then UMAP from
vectors to a map of all of them, by landmarks; new tiles placed in it; and, with ``--refine``, UMAP
of all of them begun from there. Beside them scikit-learn's PCA, and umap-learn on 20,000 of them
as they are and its `transform` for as many more; both compiled before.

*kept* is the share of a point's 15 neighbours in the map that are among its 50 nearest vectors
(first 50 principal components), for 1,000 points; *trust* is scikit-learn's trustworthiness of
3,000 points. Gaussian clusters have no neighbours worth keeping within them: ``--vectors FILE``
takes the vectors of an .npy file instead, such as patch tokens of a slide.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_scalescope.analysis import lay_out, warm_up
from napari_scalescope.analysis.reduction import reduction
from napari_scalescope.analysis.together import bare_set

from .clustering import mixture

FEW = 20_000
found: list[dict[str, Any]] = []


def timed(name: str, part: Callable[[], Any], **more: Any) -> Any:
    """What it gives; the seconds are written down."""
    began = time.perf_counter()
    given = part()
    found.append({"what": name, "s": round(time.perf_counter() - began, 3), **more})
    print(found[-1], flush=True)
    return given


def quality(name: str, points: np.ndarray, xy: np.ndarray) -> None:
    """How much of the neighbourhoods a map keeps."""
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    some, few = (rng.permutation(len(xy))[:n] for n in (1_000, 3_000))
    far = NearestNeighbors(n_neighbors=51, algorithm="brute").fit(points)
    near = NearestNeighbors(n_neighbors=16).fit(xy)
    a, b = (model.kneighbors(of[some])[1][:, 1:] for model, of in ((far, points), (near, xy)))
    kept = float(np.mean([len(set(x) & set(y)) / 15 for x, y in zip(a, b, strict=True)]))
    trust = float(trustworthiness(points[few], xy[few], n_neighbors=15))
    found.append({"what": name, "kept": round(kept, 3), "trust": round(trust, 3)})
    print(found[-1], flush=True)


def main() -> None:
    import umap
    from sklearn.decomposition import PCA

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=1536)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--refine", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.vectors:
        vectors = np.load(asked.vectors).astype(np.float32)[: asked.tiles]
    else:
        vectors, _ = mixture(asked.tiles, asked.dim)
    emb, few = bare_set(vectors), vectors[:: max(1, len(vectors) // FEW)][:FEW]

    timed("scikit-learn: PCA(2)", lambda: PCA(2, random_state=0).fit_transform(vectors))
    first = timed("ours: PCA from nothing", lambda: lay_out(emb, "pca"))
    timed("ours: PCA with known axes", lambda: first.place(vectors))
    timed("ours: PCA of 20,000 with known axes", lambda: first.place(few))
    axes = np.ascontiguousarray(first.reduction.axes.T)
    timed("numpy: the product alone", lambda: vectors @ axes)

    timed("compiling: ours", warm_up)
    made = timed("ours: UMAP of all by landmarks", lambda: lay_out(emb))
    points = reduction([vectors])(vectors)
    quality("ours: UMAP of all by landmarks", points, made.xy)
    timed(f"ours: {len(few):,} tiles placed", lambda: made.place(few))
    own = timed("ours: UMAP of 20,000, every one", lambda: lay_out(bare_set(few), every=True))
    timed("ours: the same, refined", lambda: lay_out(bare_set(few), start=own))
    quality("ours: UMAP of 20,000", own.anchors, own.xy)

    model = umap.UMAP(metric="cosine", random_state=0, n_jobs=1)
    small = umap.UMAP(metric="cosine", random_state=0, n_jobs=1).fit(few[:5_000])
    small.transform(few[:100])
    theirs = timed("umap-learn: 20,000", lambda: model.fit_transform(few))
    quality("umap-learn: 20,000", own.anchors, theirs)
    timed("umap-learn: 20,000 more by transform", lambda: model.transform(vectors[-len(few) :]))
    if asked.refine:
        refined = timed("ours: UMAP of all, refined", lambda: lay_out(emb, start=made, every=True))
        quality("ours: UMAP of all, refined", points, refined.xy)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
