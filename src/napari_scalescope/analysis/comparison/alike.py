"""How encoders describe a slide, each by itself and beside one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import IntArray
from ..measures import (
    effective_rank,
    hubness,
    linear_cka,
    neighbour_overlap,
    partition_agreement,
    rsa,
    uniformity,
)
from ..tile_map import TileMap
from .numbers import Number
from .places import common_places

#: Of more tiles than this a draw describes a slide.
TILES = 4000
NEIGHBOURS = 10
CLUSTERS = 8


def draw(n: int, most: int = TILES, seed: int = 0) -> IntArray:
    """Positions of a draw without replacement, in order; all where there are no more."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def described(name: str, emb: EmbeddingSet) -> Iterator[Number]:
    """Effective rank, hubness and uniformity of one encoder on one slide."""
    vectors = emb.vectors[draw(len(emb))]
    facts = {"encoder": name, "mpp": emb.grid.mpp, "n": len(vectors)}
    yield Number("rank", value=effective_rank(vectors), **facts)  # type: ignore[arg-type]
    k = min(NEIGHBOURS, len(vectors) - 1)
    yield Number("hubness", value=hubness(vectors, k), **facts)  # type: ignore[arg-type]
    yield Number("uniformity", value=uniformity(vectors), **facts)  # type: ignore[arg-type]


def compared(sets: Mapping[str, EmbeddingSet]) -> Iterator[Number]:
    """CKA, RSA, neighbour overlap and cluster agreement of every two encoders.

    Parameters
    ----------
    sets : mapping of name to EmbeddingSet
        Of one slide at one resolution.
    """
    for (one, a), (other, b) in combinations(sets.items(), 2):
        x, y = _both(a, b)
        k = min(NEIGHBOURS, len(x) - 1)
        groups = partition_agreement(x, y, min(CLUSTERS, len(x)))
        values = {
            "cka": linear_cka(x, y),
            "rsa": rsa(x, y),
            "neighbours": float(neighbour_overlap(x, y, k).mean()),
            "ari": groups.ari,
            "ami": groups.ami,
        }
        for measure, value in values.items():
            yield Number(
                measure, one, a.grid.mpp, value, other=other, other_mpp=b.grid.mpp, n=len(x)
            )


def _both(a: EmbeddingSet, b: EmbeddingSet) -> Sequence[np.ndarray]:
    places = common_places([a, b])
    if len(places) < 4:
        raise ValueError(f"{len(places)} places are in both sets, too few to compare")
    some = places[draw(len(places))]
    return a.vectors[some[:, 0]], b.vectors[some[:, 1]]


def agreement_map(a: EmbeddingSet, b: EmbeddingSet, k: int = NEIGHBOURS) -> TileMap:
    """Where on a slide two encoders find the same tiles alike.

    Of the k tiles nearest to each tile, the share that both encoders agree on (Huh et al. 2024).
    On slides of more than 4,000 common tiles neighbours are looked for among a draw of as many.

    Parameters
    ----------
    a, b : EmbeddingSet
        Of one slide, at any resolutions and tile sizes: see `common_places`.
    k : int

    Raises
    ------
    ValueError
        If they have fewer than k + 1 places in common, or are of different slides.
    """
    places = common_places([a, b])
    if len(places) <= k:
        raise ValueError(f"{len(places)} places are in both sets, too few to compare")
    x, y = a.vectors[places[:, 0]], b.vectors[places[:, 1]]
    share = neighbour_overlap(x, y, k, among=draw(len(places)))
    values = np.full(a.grid.shape, np.nan, np.float32)
    tiles = a.tiles[places[:, 0]]
    values[tiles[:, 0], tiles[:, 1]] = share
    return TileMap(
        "Agreement of encoders",
        values,
        a.grid.placement,
        "score",
        unit="of neighbours shared",
        limits=(0.0, 1.0),
        colormap="viridis",
        legend=f"Of the {k} tiles most like each tile to one encoder, the share that is so to the "
        f"other too; {k / max(1, min(len(places), TILES) - 1):.2g} by chance.",
        mpp=a.grid.mpp,
    )
