"""Several `EmbeddingSet`s taken together: scales of a slide, slides of a cohort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet, TileState
from ..errors import AnalysisError
from ..geometry import IntArray, TileGrid

Sets = tuple[EmbeddingSet, ...]


def as_sets(sets: EmbeddingSet | Sequence[EmbeddingSet]) -> Sets:
    """One set or several, as several."""
    return (sets,) if isinstance(sets, EmbeddingSet) else tuple(sets)


def bare_set(vectors: npt.ArrayLike) -> EmbeddingSet:
    """Vectors (n, D) from anywhere, as a set of which nothing else is known."""
    v = np.asarray(vectors, np.float32)
    tiles = np.column_stack([np.zeros(len(v), np.int64), np.arange(len(v))])
    grid = TileGrid(1.0, 1, 1, 1, max(1, len(v)), 1.0)
    return EmbeddingSet(v, tiles, grid, np.full(grid.shape, TileState.ENCODED, np.uint8))


def set_of(sets: Sequence[EmbeddingSet]) -> IntArray:
    """Which set each tile is of (n,), the tiles of all sets in a row."""
    return np.repeat(np.arange(len(sets)), [len(emb) for emb in sets])


def require_one_space(sets: Sequence[EmbeddingSet]) -> None:
    """Refuse sets whose vectors cannot be compared.

    Vectors of two encoders have no common space. Side by side they would need the same tiles and
    a weight for each encoder, and whatever was found would be neither's; so each is analysed
    alone, and what was found is compared.

    Raises
    ------
    AnalysisError
        If they are of several encoders.
    """
    made_by = {_encoder(emb) for emb in sets}
    if len(made_by) > 1:
        names = " and ".join(sorted({name or "an unknown encoder" for name, _, _ in made_by}))
        raise AnalysisError(
            f"Tiles of different encoders ({names}) have no common space.",
            "Analyse those of each encoder alone, and compare what is found.",
        )


def slide_of(emb: EmbeddingSet) -> str:
    """The fingerprint of its slide, "" where that is not known."""
    return str(emb.provenance.get("slide", {}).get("fingerprint", ""))


def _encoder(emb: EmbeddingSet) -> tuple[str, str, int]:
    said = emb.provenance.get("encoder", {})
    return str(said.get("encoder", "")), str(said.get("weights_sha256", "")), emb.dim
