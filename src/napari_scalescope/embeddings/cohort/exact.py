"""Every vector of a collection compared with what is asked about, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ...geometry import IntArray
from .hit import Hit
from .merging import Top, limited
from .rows import SetRow, by_slide
from .stored_vectors import StoredVectors

#: Bytes of vectors and scores held at a time, unless told.
MEMORY = 256 << 20

Queries = npt.NDArray[np.float32]


def cosines(vectors: npt.NDArray[np.float16], queries: Queries) -> npt.NDArray[np.float32]:
    """Cosines (q, n) of vectors (n, D) with queries (q, D) of length 1; NaN for damaged ones.

    float16 holds lengths up to 65504, whose squares only float32 does.
    """
    wide = vectors.astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    with np.errstate(invalid="ignore", over="ignore"):
        scores = queries @ wide.T / np.maximum(length, 1e-12)
    return np.asarray(np.where(np.isfinite(length), scores, np.nan), np.float32)


def tiles_at_once(dim: int, queries: int, memory: int) -> int:
    """How many tiles can be compared at a time: vectors twice in float16 (as read and as
    chosen) and once in float32, and three times their scores.
    """
    return max(1, memory // (dim * 8 + queries * 12))


def scores_of(
    row: SetRow, queries: Queries, memory: int
) -> Iterator[tuple[IntArray, npt.NDArray[np.float32]]]:
    """Positions (n,) and cosines (q, n) of the tiles of a set, block by block."""
    at_once = tiles_at_once(row.dim, len(queries), memory)
    for flat, vectors in StoredVectors(row.path).blocks():
        for i in range(0, len(flat), at_once):
            yield flat[i : i + at_once], cosines(vectors[i : i + at_once], queries)


def search(
    rows: Sequence[SetRow],
    queries: Queries,
    k: int,
    *,
    per_slide: int | None = None,
    overlapping: bool = True,
    memory: int = MEMORY,
) -> list[list[Hit]]:
    """The ``k`` nearest tiles of all sets to each of the queries (q, D), which have length 1."""
    best: list[list[Hit]] = [[] for _ in queries]
    for of_slide in by_slide(rows).values():
        wanted = min(k, per_slide or k)
        # Each tile that is kept leaves out at most as many as can overlap it.
        keep = wanted if overlapping else wanted * sum(_overlap(rows[i]) for i in of_slide)
        top = Top(len(queries), keep)
        for i in of_slide:
            for flat, scores in scores_of(rows[i], queries, memory):
                top.put(scores, flat * len(rows) + i)
        for q, hits in enumerate(best):
            sure = hits[-1].cosine if len(hits) == k else -math.inf
            new = [
                Hit.of(rows[code % len(rows)], code // len(rows), score)
                for score, code in zip(top.scores[q].tolist(), top.codes[q].tolist(), strict=True)
                if code >= 0 and score > sure
            ]
            if new:
                new = limit(new, wanted, None, overlapping)
                best[q] = sorted([*hits, *new], key=lambda h: -h.cosine)[:k]
    return best


def limit(hits: Sequence[Hit], k: int, per_slide: int | None, overlapping: bool) -> list[Hit]:
    """The first ``k`` of hits sorted best first: see `merging.limited`."""
    return limited(
        hits,
        lambda h: h.source.fingerprint,
        lambda h: h.box,
        k,
        per_slide=per_slide,
        overlapping=overlapping,
    )


def _overlap(row: SetRow) -> int:
    """How many tiles of a grid a tile of that size can share pixels with, wherever it lies."""
    return math.ceil(2 * row.grid.footprint / row.grid.pitch + 1e-9) ** 2
