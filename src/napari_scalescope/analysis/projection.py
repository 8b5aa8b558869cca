"""Many dimensions shown in two or three."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from ..geometry import IntArray
from .mosaic import mosaic
from .similarity import Vectors, unit
from .tile_map import TileMap

#: The axes of PCA colours are fitted to about this many vectors: more would not move them.
SAMPLE = 20_000
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


def pca_map(
    emb: EmbeddingSet, *, tokens: bool = False, tiles: npt.ArrayLike | None = None
) -> TileMap:
    """The first three principal components as red, green and blue.

    Tissue that looks alike to the encoder gets one colour. The colours have no meaning beyond
    that, and hold for this picture: they are fitted to what is shown.

    Parameters
    ----------
    emb : EmbeddingSet
    tokens : bool
        Colour patch tokens rather than whole tiles.
    tiles : (n, 2), optional
        With ``tokens``: which tiles to show; default all that have patch tokens.

    Raises
    ------
    LookupError
        If nothing is encoded, or no patch tokens were kept.
    """
    if tokens:
        tiles = emb.having("patch_tokens") if tiles is None else np.asarray(tiles, np.int64)
        colour = _colouring(_some_tokens(emb, tiles))
        lattices = [colour(p) for p in emb.pieces("patch_tokens", tiles)]
        raster, placement = mosaic(np.concatenate(lattices), tiles, emb.grid)
    else:
        if not len(emb):
            raise LookupError("nothing is encoded yet")
        colour = _colouring(emb.vectors[:: max(1, len(emb) // SAMPLE)])
        raster = emb.raster(colour(emb.vectors))
        placement = emb.grid.placement
    known = np.isfinite(raster[..., 0])
    rgba = np.zeros((*raster.shape[:2], 4), np.uint8)
    rgba[known, :3] = np.rint(raster[known] * 255).astype(np.uint8)
    rgba[known, 3] = 255
    return TileMap(
        "PCA colours",
        rgba,
        placement,
        "colour",
        legend="Red, green and blue are the first three principal components of "
        + ("the patch tokens" if tokens else "the embeddings")
        + " shown; like colours are like tissue.",
        mpp=emb.grid.mpp,
        smooth=tokens,
    )


def _some_tokens(emb: EmbeddingSet, tiles: IntArray) -> Vectors:
    """Patch tokens (n, d) of tiles all over a view, about `SAMPLE` of them."""
    per_tile = emb.part("patch_tokens", tiles[:1])[0, ..., 0].size
    some = tiles[:: max(1, len(tiles) * per_tile // (4 * SAMPLE))]
    step = max(1, len(some) * per_tile // SAMPLE)
    pieces = emb.pieces("patch_tokens", some)
    return np.concatenate([p.reshape(-1, p.shape[-1])[::step].copy() for p in pieces])


def _colouring(sample: Vectors) -> Callable[[Vectors], Vectors]:
    """From vectors (…, D) to colours (…, 3), 0 to 1: the first three components of a sample."""
    mean, axes = principal_axes(sample, 3)
    lo, hi = np.percentile((sample - mean) @ axes.T, [1, 99], axis=0)

    def colour(vectors: Vectors) -> Vectors:
        scores = (vectors - mean) @ axes.T
        return np.asarray(np.clip((scores - lo) / np.maximum(hi - lo, 1e-9), 0, 1), np.float32)

    return colour
