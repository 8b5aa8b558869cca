"""Maps of the same tissue by several encoders or at several resolutions, laid side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..embeddings.embedding_set import EmbeddingSet
from ..geometry import IntArray
from .projection import Projection, fitted_to, lay_out
from .together import slide_of

#: Those that go by neighbours.
Graph = Literal["umap", "tsne"]
#: Two maps are aligned by at least so many tiles they share.
SHARED = 10


def lay_out_aligned(
    sets: Sequence[EmbeddingSet], method: Graph = "umap", *, seed: int = 0
) -> tuple[Projection, ...]:
    """One map per set, in which the same tissue lies at the same place as far as it can.

    Vectors of different encoders are never compared. The first set is laid out as `lay_out` does.
    Each further one is laid out by its own neighbours, but begins where the first has the same
    places of the slide, and is then turned, mirrored and scaled to lie as near to them as
    possible (Procrustes). What still lies elsewhere is seen otherwise by that encoder.

    Parameters
    ----------
    sets : several EmbeddingSet
        Of any encoders and resolutions. Those that share less than ten tiles with the first, or
        are of another slide, are laid out on their own.
    method : "umap" or "tsne"
    seed : int

    Returns
    -------
    tuple of Projection
        In the order of the sets.
    """
    first = lay_out(sets[0], method, seed=seed)
    return (first, *(_beside(first, emb, method, seed) for emb in sets[1:]))


def _beside(first: Projection, emb: EmbeddingSet, method: Graph, seed: int) -> Projection:
    match = same_place(emb, first.emb)
    shared = match >= 0
    if shared.sum() < SHARED:
        return lay_out(emb, method, seed=seed)
    there = first.xy[match[shared]]
    # Tiles the first set does not have begin where PCA, fitted to the others, would have them.
    flat = lay_out(emb, "pca", seed=seed).xy
    turned = fitted_to(flat, there, shared)
    turned[shared] = there
    return lay_out(emb, method, seed=seed, start=turned)


def same_place(emb: EmbeddingSet, other: EmbeddingSet) -> IntArray:
    """For each tile the position of the other set's tile over its centre, -1 where there is none.

    Sets of two slides share no place.
    """
    nowhere = np.full(len(emb), -1)
    if slide_of(emb) != slide_of(other):
        return nowhere
    grid = other.grid
    at = np.rint((emb.centres[:, ::-1] - grid.footprint / 2) / grid.pitch).astype(np.int64)
    at = np.clip(at, 0, np.array(grid.shape) - 1)
    off = np.abs(grid.centres(at) - emb.centres).max(1)
    return np.where(off <= grid.footprint / 2, other.index_of(at), nowhere)
