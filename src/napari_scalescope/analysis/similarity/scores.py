"""From cosines to scores that can be read."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ...embeddings.half import Vectors, unit

#: How alikeness is counted. "cosine": between vectors as they are. "whitened": the same after
#: `Whitening`. "rank": the share of what is compared whose cosine is lower.
Measure = Literal["cosine", "whitened", "rank"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


def similarity(
    vectors: npt.ArrayLike, positives: npt.ArrayLike, negatives: npt.ArrayLike | None = None
) -> Vectors:
    """Cosine to the nearest of some examples, less the cosine to the nearest counter-example.

    Parameters
    ----------
    vectors : (…, D)
    positives : (p, D) or (D,)
    negatives : (q, D) or (D,), optional

    Returns
    -------
    (…,) float32
        Cosine, -1 to 1; with negatives the difference of two cosines, -2 to 2.
    """
    v = unit(vectors)
    examples, count = joined(positives, negatives)
    return nearest(v @ unit(examples).T, count)


def nearest(cosines: npt.NDArray[np.floating], positives: int) -> Vectors:
    """The highest of the first so many cosines (…, p + q) less the highest of the others: (…,)."""
    score = cosines[..., :positives].max(-1)
    if positives < cosines.shape[-1]:
        score = score - cosines[..., positives:].max(-1)
    return np.asarray(score, np.float32)


def joined(positives: npt.ArrayLike, negatives: npt.ArrayLike | None) -> tuple[Vectors, int]:
    """Examples and counter-examples below one another (p + q, D), and p."""
    for_it = np.atleast_2d(np.asarray(positives, np.float32))
    if negatives is None or not np.size(negatives):
        return for_it, len(for_it)
    return np.concatenate([for_it, np.atleast_2d(np.asarray(negatives, np.float32))]), len(for_it)


def ranked(scores: npt.NDArray[np.floating]) -> Vectors:
    """For each score the share of the others that is lower, 0 to 100 %; equal ones share theirs.

    NaN stays NaN, and counts as nothing.
    """
    flat = np.asarray(scores, np.float32)
    known = np.isfinite(flat)
    values = flat[known]
    order = np.argsort(values, kind="stable")
    # Where runs of equal ones begin: each gets the middle of its run, so that none is put above
    # its equals.
    new = np.append(True, np.diff(values[order]) > 0) if len(values) else np.zeros(0, bool)
    starts = np.append(np.flatnonzero(new), len(values))
    middle = 50.0 * (starts[:-1] + starts[1:] - 1) / max(1, len(values) - 1)
    share = np.empty(len(values), np.float32)
    share[order] = middle[np.cumsum(new) - 1]
    out = np.full(flat.shape, np.nan, np.float32)
    out[known] = share
    return out
