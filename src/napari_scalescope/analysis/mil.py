"""Which tiles a slide-level head looks at: the second source of attention."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..aggregators import Aggregator, softmax
from ..embeddings.embedding_set import EmbeddingSet
from ..errors import EncoderError
from .tile_map import TileMap, spread


class Entropy(NamedTuple):
    """How widely attention is spread over n tiles.

    Attributes
    ----------
    nats : float
        0 where one tile has all of it, log(n) where all have the same.
    share : float
        Of log(n), 0 to 1: comparable across slides. 1 for a single tile.
    """

    nats: float
    share: float


def attention_entropy(weights: npt.ArrayLike) -> Entropy:
    """Entropy of attention over tiles.

    Heads that put nearly all of it on a few tiles tend to be overfitted: Attention Entropy
    Maximization (AEM, Zhang et al. 2024, arXiv:2406.15303) found entropy and accuracy to go
    together, and trains for more of it.

    Parameters
    ----------
    weights : (n,)
        What each tile gets; not negative, brought to a sum of 1.

    Raises
    ------
    ValueError
        If there are none, or they cannot be brought to a sum of 1.
    """
    p = np.asarray(weights, np.float64).ravel()
    total = p.sum()
    if not p.size or p.min() < 0 or not 0 < total < np.inf:
        raise ValueError("attention is not negative and has a sum between 0 and infinity")
    p = p[p > 0] / total
    nats = max(0.0, float(-(p * np.log(p)).sum()))
    most = np.log(np.size(weights))
    return Entropy(nats, min(1.0, nats / float(most)) if most > 0 else 1.0)


def mil_attention(
    emb: EmbeddingSet, head: Aggregator, branch: int | Literal["mean"] = 0
) -> npt.NDArray[np.float64]:
    """How a slide-level head shares its attention among the encoded tiles.

    Parameters
    ----------
    emb : EmbeddingSet
        Of the encoder, and at the resolution, that the head was trained on. Its file says
        neither: only the length of the vectors can be compared.
    head : Aggregator
        From `read_aggregator`, or anything with the same four members.
    branch : int or "mean"
        One of the head's branches, or the mean of what they give.

    Returns
    -------
    (n,) float64
        In the order of ``emb.tiles``; the sum is 1.

    Raises
    ------
    LookupError
        If nothing is encoded.
    IndexError
        If there is no such branch.
    EncoderError
        If the head was trained on vectors of another length, or gives something that is no number.
    """
    if not len(emb):
        raise LookupError("nothing is encoded yet")
    if branch != "mean" and not 0 <= branch < len(head.branches):
        raise IndexError(f"{head.name} has {len(head.branches)} branches, and none with {branch}")
    if emb.dim != head.dim:
        whose = emb.provenance.get("encoder", {}).get("name", "the encoder")
        raise EncoderError(
            f"{head.name} was trained on {head.dim}-d vectors, those of {whose} have {emb.dim}.",
            "Choose the encoder that the head was trained on.",
        )
    raw = head.attention(emb.vectors)
    lost = int(np.count_nonzero(~np.isfinite(raw).all(1)))
    if lost:
        # A vector that outgrew float16 would take the whole map with it.
        raise EncoderError(
            f"{head.name} gives no number for {lost:,} of {len(emb):,} tiles.",
            "Choose the encoder that the head was trained on.",
        )
    weights = softmax(raw)
    return np.asarray(weights.mean(1) if branch == "mean" else weights[:, branch], np.float64)


def mil_attention_map(
    emb: EmbeddingSet,
    head: Aggregator,
    branch: int | Literal["mean"] = 0,
    *,
    normalise: Literal["softmax", "rank"] = "softmax",
    weights: npt.NDArray[np.float64] | None = None,
) -> TileMap:
    """How a slide-level head shares its attention among the encoded tiles, over the slide.

    Parameters
    ----------
    emb, head, branch
        As for `mil_attention`, and with its errors.
    normalise : "softmax" or "rank"
        "softmax": the share of a tile in units of an even one, so that the numbers do not depend
        on how many tiles there are. "rank": how many percent of the tiles get as much or less,
        ties in the middle of their places, as CLAM draws it; shows structure among tiles that
        get next to nothing, and hides how little that is.
    weights : (n,), optional
        What `mil_attention` gave, to draw it again.

    Returns
    -------
    TileMap
        Scores. The legend gives the entropy of the attention, whichever way it is drawn.
    """
    weights = mil_attention(emb, head, branch) if weights is None else weights
    n = len(weights)
    if normalise == "softmax":
        values = weights * n
        unit, scale = "× uniform", "1 is an even share"
    else:
        from scipy.stats import rankdata

        values = rankdata(weights, "average") / n * 100
        unit, scale = "percentile", "percent of tiles that get as much or less"
    raster = emb.raster(values.astype(np.float32))
    which = _branch_name(head, branch)
    entropy = attention_entropy(weights)
    tiles = "1 tile" if n == 1 else f"the {n:,} encoded tiles"
    return TileMap(
        "MIL attention" if which == "attention" else f"MIL attention ({which})",
        raster,
        emb.grid.placement,
        "score",
        unit=unit,
        limits=spread(raster),
        colormap="inferno",
        legend=f"{head.name}, {which}: softmax over {tiles}; {scale}. Entropy "
        f"{entropy.nats:.2f} nats, {entropy.share:.0%} of an even spread. "
        "Colours span the 1st to 99th percentile.",
        mpp=emb.grid.mpp,
    )


def _branch_name(head: Aggregator, branch: int | Literal["mean"]) -> str:
    if branch == "mean":
        return f"mean of {len(head.branches)}"
    return head.branches[branch]
