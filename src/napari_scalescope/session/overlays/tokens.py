"""Maps at the resolution of patch tokens: of the tissue in view."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...analysis import TileMap
from ...analysis.tile_map import spread
from ...embeddings.embedding_set import FLAG, Part
from ...geometry import IntArray
from ...slides import TissueMask

if TYPE_CHECKING:
    from ..scene import Scene

#: How far beyond the tissue a map still shows, µm.
EDGE_UM = 24.0


def in_view(scene: Scene, part: Part) -> IntArray:
    """The tiles in and just around the view that have a part."""
    emb = scene.emb
    tiles = emb.grid.tiles_in(scene.box.grown(emb.grid.pitch))
    kept: IntArray = tiles[emb.state[tiles[:, 0], tiles[:, 1]] & FLAG[part] > 0]
    return kept


def on_tissue(tile_map: TileMap, mask: TissueMask | None) -> TileMap:
    """A map of tokens without those that lie on glass, as far as is known where that is.

    What an encoder makes of empty glass is of no interest, and would take up the colours. The
    tissue is widened a little, so that its edge is not cut.
    """
    if mask is None:
        return tile_map
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
