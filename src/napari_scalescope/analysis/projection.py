"""Many dimensions shown in two or three."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from .similarity import unit

#: Below this many points UMAP's neighbour graph says nothing; PCA is shown instead.
UMAP_MIN = 30


def principal_axes(
    vectors: npt.NDArray[np.float32], n: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Mean (D,) and the first n principal axes (n, D) of vectors (m, D).

    An axis has two signs and PCA does not choose. Each is turned so that its largest coefficient
    is positive, so that the same data give the same picture every time.
    """
    mean = vectors.mean(0)
    centred = vectors - mean
    if len(vectors) > centred.shape[1]:
        _, axes = np.linalg.eigh(centred.T @ centred)
        axes = axes.T[::-1]
    else:
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((n, vectors.shape[1]), np.float32)
    found[: min(n, len(axes))] = axes[:n]
    largest = np.abs(found).argmax(1)
    signs = np.sign(found[np.arange(n), largest])
    return mean, found * np.where(signs == 0, 1, signs)[:, None]


def project(
    emb: EmbeddingSet | npt.NDArray[np.float32],
    method: Literal["umap", "pca"] = "umap",
    *,
    seed: int = 0,
    neighbours: int = 15,
    min_dist: float = 0.1,
) -> npt.NDArray[np.float32]:
    """Two coordinates per tile; tiles that look alike to the encoder lie close together.

    Parameters
    ----------
    emb : EmbeddingSet or (n, D) float32
    method : "umap" or "pca"
        UMAP (McInnes et al. 2018, arXiv:1802.03426) on cosine distance, started from PCA. With
        fewer than 30 tiles PCA is given in either case.
    seed : int
        The same input and seed give the same map.
    neighbours, min_dist
        UMAP's: size of the neighbourhood, and how tightly points may be packed.

    Returns
    -------
    (n, 2) float32
    """
    vectors = emb.vectors if isinstance(emb, EmbeddingSet) else np.asarray(emb, np.float32)
    if not len(vectors):
        return np.empty((0, 2), np.float32)
    mean, axes = principal_axes(vectors, 2)
    flat = (vectors - mean) @ axes.T
    if method == "pca" or len(vectors) < UMAP_MIN:
        return flat.astype(np.float32)
    import umap

    start = flat / max(float(np.abs(flat).max()), 1e-9) * 10
    # UMAP wants distinct starting points.
    start = start + np.random.default_rng(seed).normal(scale=1e-4, size=start.shape)
    model = umap.UMAP(
        n_neighbors=min(neighbours, len(vectors) - 1),
        min_dist=min_dist,
        metric="cosine",
        init=start.astype(np.float32),
        random_state=seed,
        n_jobs=1,
    )
    placed: npt.NDArray[np.float32] = model.fit_transform(unit(vectors)).astype(np.float32)
    return placed
