"""The same places in sets of different encoders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import IntArray
from ..aligned import same_place
from ..cross_scale.places import require_one_slide


def common_places(sets: Sequence[EmbeddingSet]) -> IntArray:
    """Which tile of each set lies at the same place, for places that all of them have.

    Encoders may be given tiles of different sizes, so that their grids differ. Of each further set
    the tile is taken that lies over the centre of the first set's tile (`same_place`), and the
    place is left out where there is none.

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
    SlideError
        If they are of different slides.
    """
    require_one_slide(*sets)
    first = sets[0]
    rest = [same_place(first, other) for other in sets[1:]]
    found = np.stack([np.arange(len(first)), *rest], axis=1)
    kept: IntArray = found[(found >= 0).all(1)]
    return kept
