"""From a session's state to the map that is shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..analysis import Clusters, TileMap, attention_map, pca_map, similarity_map
from ..analysis.tile_map import spread
from ..embeddings import EmbeddingSet
from ..embeddings.embedding_set import FLAG, Part
from ..geometry import Box, IntArray
from ..slides import TissueMask
from .reading import TextQuery
from .state import Look

#: How far beyond the tissue a map still shows, µm.
EDGE_UM = 24.0


def needs(look: Look) -> tuple[Part, ...]:
    """What an overlay needs beside the vectors."""
    if look.overlay == "attention":
        return ("attention",)
    if look.tokens and look.overlay in ("similarity", "pca"):
        return ("patch_tokens",)
    return ()


def in_view(emb: EmbeddingSet, box: Box, part: Part) -> IntArray:
    """The tiles in and just around a view that have a part."""
    tiles = emb.grid.tiles_in(box.grown(emb.grid.pitch))
    kept: IntArray = tiles[emb.state[tiles[:, 0], tiles[:, 1]] & FLAG[part] > 0]
    return kept


def make_map(
    emb: EmbeddingSet,
    look: Look,
    box: Box,
    query: tuple[float, float] | TextQuery | None,
    clusters: Clusters | None,
    mask: TissueMask | None,
) -> TileMap | None:
    """The overlay for a view, None while there is nothing to show.

    Maps at token resolution cover the tissue in view; maps of tiles cover the slide. A text is
    compared with tiles: their vectors are what was trained to lie near it, tokens were not.
    """
    if isinstance(query, TextQuery):
        if look.overlay == "similarity":
            return query.map(emb)
        query = None
    made = _whole_map(emb, look, box, query, clusters)
    return made if made is None or mask is None or not needs(look) else on_tissue(made, mask)


def on_tissue(tile_map: TileMap, mask: TissueMask) -> TileMap:
    """A map of tokens without those that lie on glass.

    What an encoder makes of empty glass is of no interest, and would take up the colours. The
    tissue is widened a little, so that its edge is not cut.
    """
    near = mask.near(EDGE_UM)
    rows, cols = tile_map.values.shape[:2]
    place = tile_map.placement
    y = place.y + (np.arange(rows) + 0.5) * place.cell
    x = place.x + (np.arange(cols) + 0.5) * place.cell
    at = mask.placement.index(np.stack(np.broadcast_arrays(x[None], y[:, None]), -1))
    inside = ((at >= 0) & (at < near.shape)).all(-1)
    row, col = np.clip(at, 0, np.array(near.shape) - 1).transpose(2, 0, 1)
    shown = inside & near[row, col]
    values = tile_map.values.copy()
    values[~shown] = 0 if tile_map.kind == "colour" else np.nan
    limits = spread(values) if tile_map.kind == "score" else tile_map.limits
    return replace(tile_map, values=values, limits=limits, legend=f"{tile_map.legend} Tissue only.")


def _whole_map(
    emb: EmbeddingSet,
    look: Look,
    box: Box,
    query: tuple[float, float] | None,
    clusters: Clusters | None,
) -> TileMap | None:
    part = needs(look)
    tiles = in_view(emb, box, part[0]) if part else None
    if (tiles is not None and not len(tiles)) or not len(emb):
        return None
    if look.overlay == "attention":
        return attention_map(emb, "mean" if look.head is None else look.head, tiles=tiles)
    if look.overlay == "pca":
        return pca_map(emb, tokens=look.tokens, tiles=tiles)
    if look.overlay == "clusters":
        return None if clusters is None else clusters.map()
    if query is None:
        return None
    try:
        return similarity_map(emb, query, tokens=look.tokens, tiles=tiles)
    except LookupError:
        return None  # the place of the query is not encoded at this scale yet
