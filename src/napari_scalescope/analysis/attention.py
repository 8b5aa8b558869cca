"""Where an encoder looks inside each tile."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from .mosaic import mosaic
from .tile_map import TileMap, spread


def attention_map(
    emb: EmbeddingSet,
    head: Literal["mean"] | int = "mean",
    *,
    normalise: Literal["uniform", "tile"] = "uniform",
    tiles: npt.ArrayLike | None = None,
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
    normalise : "uniform" or "tile"
        "uniform": 1 is what a token gets when attention is spread evenly; comparable across
        tiles. "tile": each tile's smallest is 0 and its largest 1; shows structure inside
        tiles that give most attention to registers, and cannot be compared across tiles.
    tiles : (n, 2), optional
        Which tiles to show; default all that have attention.

    Returns
    -------
    TileMap
        Scores. Colours span the 1st to 99th percentile.

    Raises
    ------
    LookupError
        If no attention was kept.
    IndexError
        If there is no such head.
    """
    tiles = emb.having("attention") if tiles is None else np.asarray(tiles, np.int64)
    values = np.concatenate(
        [
            maps.mean(1) if head == "mean" else maps[:, head]
            for maps in emb.pieces("attention", tiles)
        ]
    )
    g = values.shape[1]
    if normalise == "uniform":
        values = values * (g * g)
        unit, scale = "× uniform", "1 is an even spread over the tile"
    else:
        lo, hi = values.min((1, 2), keepdims=True), values.max((1, 2), keepdims=True)
        values = (values - lo) / np.maximum(hi - lo, 1e-12)
        unit, scale = "within the tile", "each tile from its own smallest (0) to its largest (1)"
    raster, placement = mosaic(values, tiles, emb.grid)
    name, meaning = _words(emb, head)
    return TileMap(
        name,
        raster,
        placement,
        "score",
        unit=unit,
        limits=spread(raster),
        colormap="inferno",
        legend=f"{meaning}; {scale}. Colours span the 1st to 99th percentile.",
        mpp=emb.grid.mpp,
        smooth=True,
    )


def _words(emb: EmbeddingSet, head: Literal["mean"] | int) -> tuple[str, str]:
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
