"""At which magnification a place stands out from what is around it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import EmbeddingSet
from ...errors import EncoderError
from ...regions import Colour
from ..tile_map import MapClass, TileMap
from .places import areas, one_space, require_one_slide

#: Of the eight tiles around one, at least so many have to be encoded.
LEAST_AROUND = 4
#: From fine to coarse: stops of viridis, whose order is seen with any colour vision.
STOPS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float64
)


def separability(emb: EmbeddingSet) -> npt.NDArray[np.float32]:
    """How far each tile stands out from its surroundings.

    The distance of its vector from the mean of the eight tiles around it, in units of how far
    those are from their mean (root mean square): Fisher's ratio of between and within, for one
    place against what surrounds it. A tile like those around it has about 1, whatever the
    encoder, the resolution, and how uneven the tissue is; one on the edge between two tissues has
    less, an island has more.

    Where tiles overlap, the surroundings are those that touch the tile without covering it.

    Parameters
    ----------
    emb : EmbeddingSet

    Returns
    -------
    (n,) float32
        In the order of ``emb.tiles``; NaN where fewer than four of the eight are encoded.
    """
    step = -(-emb.grid.tile_px // emb.grid.stride_px)
    rows, cols = emb.grid.shape
    table = np.full((rows + 2 * step, cols + 2 * step), -1, np.int64)
    r, c = (emb.tiles + step).T
    table[r, c] = np.arange(len(emb))
    ring = [(i, j) for i in (-step, 0, step) for j in (-step, 0, step) if i or j]
    # 0 stands for "not encoded" in a matrix without a row for it, so that nothing is copied.
    vectors = emb.vectors
    near = np.stack([table[r + i, c + j] for i, j in ring], 1)
    count = (near >= 0).sum(1)
    total, square = np.zeros_like(vectors), np.zeros(len(emb), np.float64)
    lengths = (vectors.astype(np.float64) ** 2).sum(1)
    for index in near.T:
        there = index >= 0
        total[there] += vectors[index[there]]
        square[there] += lengths[index[there]]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count[:, None].astype(np.float32)
        away = np.linalg.norm(vectors - mean, axis=1).astype(np.float64)
        # Mean square distance from the mean, from sums: what rounding makes negative is 0.
        within = np.sqrt(np.maximum(square / count - (mean.astype(np.float64) ** 2).sum(1), 0))
        ratio = away / np.maximum(within, 1e-6 * np.sqrt(np.maximum(lengths, 1e-30)))
    return np.where(count >= LEAST_AROUND, ratio, np.nan).astype(np.float32)


def best_magnification(sets: Iterable[EmbeddingSet]) -> TileMap:
    """At which resolution each place is most itself: stands out most from what surrounds it.

    `separability` of every tile at every resolution is brought to one grid, that of the smallest
    tiles, where a larger tile counts for all of its footprint; the resolution with the highest
    value is shown. What surrounds a place grows with the tile, so that a structure is most itself
    at the resolution whose tile it fills: automatic scale selection (Lindeberg 1998, IJCV 30:79)
    with an encoder in place of a filter. The value has no unit and is about 1 at any resolution
    where nothing stands out, so that none of them has an advantage.

    Parameters
    ----------
    sets : EmbeddingSets
        Of one encoder on one slide, at two or more resolutions.

    Returns
    -------
    TileMap
        Classes 1 for the finest resolution to n for the coarsest, 0 where a place or its
        surroundings are not encoded at all of them.

    Raises
    ------
    ValueError
        If there are fewer than two resolutions.
    EncoderError, SlideError
        If they are of different encoders or slides.
    LookupError
        If no place is encoded at all of them.
    """
    ordered = sorted(sets, key=lambda emb: emb.grid.mpp)
    if len({emb.grid.mpp for emb in ordered}) != len(ordered) or len(ordered) < 2:
        raise ValueError("the best of magnifications needs two or more, each of them once")
    require_one_slide(*ordered)
    if not all(one_space(ordered[0], emb) for emb in ordered[1:]):
        raise EncoderError(
            "The best magnification is that of one encoder, and these sets are of several.",
            "Make a map for each encoder.",
        )
    base = min(ordered, key=lambda emb: emb.grid.footprint)
    values = np.stack([_on(base, emb) for emb in ordered])
    known = np.isfinite(values).all(0)
    if not known.any():
        raise LookupError("no place is encoded with its surroundings at all of the resolutions")
    raster = np.zeros(base.grid.shape, np.uint8)
    best = np.where(known, values, -np.inf).argmax(0) + 1
    raster[tuple(base.tiles[known].T)] = best[known]
    colours = ordered_colours(len(ordered))
    return TileMap(
        "Best magnification",
        raster,
        base.grid.placement,
        "class",
        classes=tuple(
            MapClass(i + 1, f"{emb.grid.mpp:.3g} µm/px", colour)
            for i, (emb, colour) in enumerate(zip(ordered, colours, strict=True))
        ),
        legend="Where a place stands out most from the eight tiles around it, in units of how "
        "much those differ. Shown where all magnifications are encoded.",
        mpp=base.grid.mpp,
    )


def _on(base: EmbeddingSet, emb: EmbeddingSet) -> npt.NDArray[np.float64]:
    """Separability of a set's tiles at the tiles of another, by the area they share: (n,)."""
    own = separability(emb).astype(np.float64)
    known = np.isfinite(own)
    weights = areas(base.grid, base.tiles, emb)
    total = weights @ known.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ np.where(known, own, 0)) / total, np.float64)


def ordered_colours(n: int) -> list[Colour]:
    """``n`` colours from dark to light, whose order can be seen with any colour vision."""
    at = np.linspace(0, len(STOPS) - 1, n)
    channels = [np.interp(at, np.arange(len(STOPS)), STOPS[:, c]) for c in range(3)]
    return [(round(r), round(g), round(b)) for r, g, b in zip(*channels, strict=True)]
