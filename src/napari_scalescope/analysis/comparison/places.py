"""The same places in sets of different encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import IntArray


def common_places(sets: Sequence[EmbeddingSet]) -> IntArray:
    """Which tile of each set lies at the same place, for places that all of them have.

    Encoders may be given tiles of different sizes, so that their grids differ. Of each further set
    the tile is taken whose centre is nearest to that of the first set's tile, and the place is
    left out where none is nearer than half of the larger distance between tiles.

    Parameters
    ----------
    sets : sequence of EmbeddingSet
        Of one slide; one at least.

    Returns
    -------
    (m, len(sets)) int64
        Positions in each set, in the order of the first one's tiles.

    Raises
    ------
    ValueError
        If they are of different slides.
    """
    from scipy.spatial import cKDTree

    first = sets[0]
    slides = {s.provenance.get("slide", {}).get("fingerprint") for s in sets}
    if len(slides) > 1:
        raise ValueError("sets of different slides have no places in common")
    found = np.full((len(first), len(sets)), -1, np.int64)
    found[:, 0] = np.arange(len(first))
    for j, other in enumerate(sets[1:], 1):
        if not len(other) or not len(first):
            continue
        if other.grid == first.grid:
            found[:, j] = other.index_of(first.tiles)
            continue
        far, at = cKDTree(other.centres).query(first.centres)
        near = far <= max(first.grid.pitch, other.grid.pitch) / 2
        found[:, j] = np.where(near, at, -1)
    kept: IntArray = found[(found >= 0).all(1)]
    return kept
