"""Where an encoder looks inside each tile."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from ..geometry import IntArray
from .mosaic import mosaic
from .tile_map import TileMap, spread

Head = Literal["mean"] | int
Normalise = Literal["view", "slide", "tile"]

#: `attention_span` looks at about this many tiles. Percentiles of 100,000 tokens do not move by
#: more, and the attention of a slide is gigabytes.
SAMPLE_TILES = 512


class Span(NamedTuple):
    """The range of attention over a slide.

    Attributes
    ----------
    low, high : float
        1st and 99th percentile, × uniform.
    tiles : int
        Of how many tiles.
    """

    low: float
    high: float
    tiles: int


def attention_map(
    emb: EmbeddingSet,
    head: Head = "mean",
    *,
    normalise: Normalise = "view",
    tiles: npt.ArrayLike | None = None,
    span: Span | None = None,
) -> TileMap:
    """Attention of CLS to the patch tokens, at token resolution.

    Of what the set was encoded for (`Encoder.looking`): the last block, unless the catalogue names
    another one for the encoder or somebody chose another block or attention rollout. Of an
    encoder without attention it is the length of each place's features, and is called so.

    Parameters
    ----------
    emb : EmbeddingSet
        With attention kept.
    head : "mean" or int
        The mean of all heads, or one of them.
    normalise : "view", "slide" or "tile"
        "view" and "slide": 1 is what a token gets when attention is spread evenly over its tile,
        so that numbers can be compared across tiles. They differ in what the colours span, from
        the 1st to the 99th percentile: of what is shown, which uses all colours on any picture,
        or of all tiles of the set that have attention, so that a colour means the same number
        wherever one looks. "tile": each tile's smallest is 0 and its largest 1; shows structure
        inside tiles that give most attention to registers, and cannot be compared across tiles.
    tiles : (n, 2), optional
        Which tiles to show; default all that have attention.
    span : Span, optional
        For "slide": what `attention_span` gave, if that is known already.

    Returns
    -------
    TileMap
        Scores. Tiles that overlap are blended (`mosaic`).

    Raises
    ------
    LookupError
        If no attention was kept.
    IndexError
        If there is no such head.
    """
    tiles = emb.having("attention") if tiles is None else np.asarray(tiles, np.int64)
    values = _even(emb, head, tiles)
    if normalise == "tile":
        lo, hi = values.min((1, 2), keepdims=True), values.max((1, 2), keepdims=True)
        values = (values - lo) / np.maximum(hi - lo, 1e-12)
    raster, placement = mosaic(values, tiles, emb.grid)
    if normalise == "tile":
        unit, limits = "within the tile", (0.0, 1.0)
        scale = "Each tile from its own smallest (0) to its largest (1): not comparable across."
    else:
        unit, limits = "× uniform", spread(raster)
        scale = "1 is an even spread over the tile. Colours span the 1st to 99th percentile of "
        if normalise == "view":
            scale += "what is shown."
        else:
            span = span or attention_span(emb, head)
            limits = (span.low, span.high)
            scale += f"the slide ({span.tiles:,} tile{'' if span.tiles == 1 else 's'})."
    name, meaning = _words(emb, head)
    return TileMap(
        name,
        raster,
        placement,
        "score",
        unit=unit,
        limits=limits,
        colormap="inferno",
        legend=f"{meaning}. {scale}",
        mpp=emb.grid.mpp,
        smooth=True,
    )


def attention_span(
    emb: EmbeddingSet, head: Head = "mean", *, tiles: npt.ArrayLike | None = None
) -> Span:
    """The range of attention over all tiles of a set that have it.

    Parameters
    ----------
    emb, head
        As for `attention_map`, and with its errors.
    tiles : (n, 2), optional
        Which to look at; default all that have attention.

    Returns
    -------
    Span
        From `SAMPLE_TILES` tiles spread evenly over them where there are more.
    """
    tiles = emb.having("attention") if tiles is None else np.asarray(tiles, np.int64)
    some = tiles[np.linspace(0, len(tiles) - 1, min(len(tiles), SAMPLE_TILES)).astype(int)]
    return Span(*spread(_even(emb, head, some)), len(tiles))


def _even(emb: EmbeddingSet, head: Head, tiles: IntArray) -> npt.NDArray[np.float32]:
    """Attention (n, g, g) of tiles in units of an even spread."""
    values = np.concatenate(
        [
            maps.mean(1) if head == "mean" else maps[:, head]
            for maps in emb.pieces("attention", tiles)
        ]
    )
    even: npt.NDArray[np.float32] = values * values[0].size
    return even


def _words(emb: EmbeddingSet, head: Head) -> tuple[str, str]:
    """What the map is called, and what it is."""
    encoder = emb.provenance.get("encoder", {})
    source = encoder.get("attention", -1)
    if source == "feature norm":
        return "Feature norm", "Length of the last features before the final norm"
    if source == "rollout":
        return "Attention (rollout)", "Attention rolled out through all blocks, mean of heads"
    before = -1 - int(source)
    block = "Last block" if before == 0 else f"Last block but {before}"
    which = "mean of heads" if head == "mean" else f"head {head + 1}"
    return f"Attention ({which})", f"{block}, CLS to patch tokens, {which}"
