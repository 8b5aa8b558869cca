"""Maps at the resolution of patch tokens: of the tissue in view."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...analysis import TileMap
from ...analysis.tile_map import spread
from ...embeddings.embedding_set import FLAG, Part, TileState
from ...geometry import IntArray
from ...slides import TissueMask
from ...slides.tissue import held

if TYPE_CHECKING:
    from ..scene import Scene

#: How far beyond the tissue a map still shows, µm.
EDGE_UM = 24.0


def in_view(scene: Scene, part: Part | None) -> IntArray:
    """The tiles in and just around the view that have a part, or their vector."""
    emb = scene.emb
    flag = TileState.ENCODED if part is None else FLAG[part]
    tiles = emb.grid.tiles_in(scene.box.grown(emb.grid.pitch))
    kept: IntArray = tiles[emb.state[tiles[:, 0], tiles[:, 1]] & flag > 0]
    return kept


def on_tissue(tile_map: TileMap, mask: TissueMask | None, *, fit: bool = True) -> TileMap:
    """A map of tokens without those that lie on glass, as far as is known where that is.

    What an encoder makes of empty glass is of no interest, and would take up the colours. The
    tissue is widened a little, so that its edge is not cut. With ``fit`` the colours of a score are
    fitted to what is left.
    """
    if mask is None:
        return tile_map
    rows, cols = tile_map.values.shape[:2]
    place = tile_map.placement
    y = place.y + (np.arange(rows) + 0.5) * place.cell
    x = place.x + (np.arange(cols) + 0.5) * place.cell
    cells = np.stack(np.broadcast_arrays(x[None], y[:, None]), -1)
    shown = held(mask.near(EDGE_UM), mask.placement, cells)
    values = tile_map.values.copy()
    values[~shown] = 0 if tile_map.kind == "colour" else np.nan
    limits = spread(values) if fit and tile_map.kind == "score" else tile_map.limits
    return replace(tile_map, values=values, limits=limits, legend=f"{tile_map.legend} Tissue only.")
