"""Whether an encoder knows a place again at another magnification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import EmbeddingSet
from ..cross_scale import cross_scale_agreement
from ..cross_scale.places import LEAST_COVER, under
from ..probe import Score, resample
from ..probe.bootstrap import mean_of
from ..similarity import unit
from .alike import draw
from .numbers import Number


def recognised(coarse: EmbeddingSet, fine: EmbeddingSet) -> npt.NDArray[np.bool_]:
    """Of each coarse tile: whether it finds its own place among all places of a finer scale.

    The question is its vector, the answers are the mean fine vectors under every coarse tile, by
    cosine, each scale's mean vector taken off first. Equals count against it, an encoder that
    sees no difference recognises nothing. (DaX trains for this, with cross-scale view pairs.)

    Parameters
    ----------
    coarse, fine : EmbeddingSet
        Of one encoder and slide.

    Returns
    -------
    (n,) bool
        Of the coarse tiles that are encoded well enough at both scales; at most 4,000, drawn.
    """
    below = under(coarse.grid, coarse.tiles, fine)
    known = np.flatnonzero(below.cover >= LEAST_COVER)
    known = known[draw(len(known))]
    if len(known) < 2:
        return np.zeros(0, bool)
    asked, answers = (unit(v - v.mean(0)) for v in (coarse.vectors[known], below.means[known]))
    cosine = asked @ answers.T
    own = np.diag(cosine).copy()
    np.fill_diagonal(cosine, -np.inf)
    return np.asarray(own > cosine.max(1) + 1e-9)


def across_scales(name: str, sets: Mapping[float, EmbeddingSet]) -> Iterator[Number]:
    """Agreement and same-place retrieval of one encoder between every two resolutions.

    Parameters
    ----------
    name : str
    sets : mapping of mpp to EmbeddingSet
        Of one encoder and slide.
    """
    for fine, coarse in combinations(sorted(sets), 2):
        facts = {"encoder": name, "mpp": coarse, "other": name, "other_mpp": fine}
        shared = cross_scale_agreement(sets[coarse], sets[fine], "global").values
        known = shared[np.isfinite(shared)]
        if known.size > 1:
            yield Number.of(_mean(known, name), measure="agreement", n=known.size, **facts)
        found = recognised(sets[coarse], sets[fine])
        if len(found):
            yield Number.of(_mean(found, name), measure="same place", n=len(found), **facts)


def _mean(values: npt.NDArray[np.generic], name: str) -> Score:
    return mean_of(values, resample(np.zeros(len(values)), name))
