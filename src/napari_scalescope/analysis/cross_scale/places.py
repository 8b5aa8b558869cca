"""One place at two resolutions: what may be compared, and what lies under what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ...embeddings.embedding_set import EmbeddingSet
from ...errors import EncoderError, SlideError
from ...geometry import FloatArray, IntArray, TileGrid, overlaps

Vectors = npt.NDArray[np.float32]

#: A place counts where at least this share of it is encoded at the other resolution. A quarter is
#: one tile of four: tissue often ends inside a coarse tile.
LEAST_COVER = 0.25
#: What two sets may differ in and still have vectors of one space.
_NO_MATTER = ("precision", "attention", "name", "trained")


def one_space(a: EmbeddingSet, b: EmbeddingSet) -> bool:
    """Whether the vectors of two sets may be compared: one encoder with one set of weights.

    Sets that do not say what made them are believed if their vectors have one length.
    """
    facts = [
        {
            key: value
            for key, value in emb.provenance.get("encoder", {}).items()
            if key not in _NO_MATTER
        }
        for emb in (a, b)
    ]
    return facts[0] == facts[1] and a.dim == b.dim


def require_one_space(a: EmbeddingSet, b: EmbeddingSet, what: str) -> None:
    """Raise an `EncoderError` unless the vectors of two sets may be compared."""
    if not one_space(a, b):
        names = [str(e.provenance.get("encoder", {}).get("name", "unknown")) for e in (a, b)]
        raise EncoderError(
            f"{what} compares vectors, and those of {names[0]} and {names[1]} lie in different "
            "spaces.",
            "Take two resolutions of one encoder, or compare by neighbours or Gram matrices, "
            "which need no common space.",
        )


def require_one_slide(*sets: EmbeddingSet) -> None:
    """Raise a `SlideError` if sets say that they are of different slides."""
    known = {s for e in sets if (s := e.provenance.get("slide", {}).get("fingerprint"))}
    if len(known) > 1:
        raise SlideError(
            "These embeddings are of different slides, which have no places in common.",
            "Take sets of one slide at several resolutions.",
        )


@dataclass(frozen=True, eq=False)
class Under:
    """What of a set lies under footprints.

    Parameters
    ----------
    means : (n, D) float32
        Mean of its vectors, weighted by the area they share with the footprint; NaN where none
        is encoded.
    cover : (n,) float64
        Share of the footprint that is encoded. More than 1 where its tiles overlap each other.
    """

    means: Vectors
    cover: FloatArray


def areas(grid: TileGrid, tiles: IntArray, emb: EmbeddingSet) -> sparse.csr_array:
    """Level-0 area that footprints have in common with the encoded tiles of a set.

    Parameters
    ----------
    grid : TileGrid
    tiles : (n, 2) int
        The footprints: tiles of ``grid``, row and column.
    emb : EmbeddingSet

    Returns
    -------
    (n, len(emb)) sparse float64
    """
    down, across = overlaps(grid, emb.grid)
    rows, cols = down.tiles[tiles[:, 0]], across.tiles[tiles[:, 1]]
    table = np.full(emb.grid.shape, -1, np.int64)
    table[emb.tiles[:, 0], emb.tiles[:, 1]] = np.arange(len(emb))
    index = table[rows[:, :, None], cols[:, None, :]]
    there = (rows >= 0)[:, :, None] & (cols >= 0)[:, None, :] & (index >= 0)
    heights, widths = down.lengths[tiles[:, 0]], across.lengths[tiles[:, 1]]
    area = heights[:, :, None] * widths[:, None, :]
    place = np.broadcast_to(np.arange(len(tiles))[:, None, None], index.shape)
    return sparse.csr_array(
        (area[there], (place[there], index[there])), shape=(len(tiles), len(emb))
    )


def under(grid: TileGrid, tiles: IntArray, emb: EmbeddingSet) -> Under:
    """The mean vector of a set under each footprint: its children's, or its parents'."""
    weights = areas(grid, tiles, emb)
    total = np.asarray(weights.sum(1)).ravel()
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights.astype(np.float32) @ emb.vectors) / total[:, None].astype(np.float32)
    return Under(np.asarray(means, np.float32), total / grid.footprint**2)
