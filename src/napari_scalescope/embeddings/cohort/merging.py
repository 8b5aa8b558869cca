"""The best of many, kept while they come in: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ...geometry import Box, IntArray

Scores = npt.NDArray[np.float32]
T = TypeVar("T")


class Top:
    """The best ``k`` of everything that was put in, for each of some queries.

    Of equal scores those that came first are kept.

    Attributes
    ----------
    scores : (q, k) float32
        Best first, -inf where there are fewer.
    codes : (q, k) int64
        What they belong to, -1 where there are fewer.
    """

    def __init__(self, queries: int, k: int) -> None:
        self.scores: Scores = np.full((queries, k), -np.inf, np.float32)
        self.codes: IntArray = np.full((queries, k), -1, np.int64)

    def put(self, scores: Scores, codes: IntArray) -> None:
        """Scores (q, n), NaN for what does not count, of codes (n,) or (q, n)."""
        scores = np.where(np.isnan(scores), np.float32(-np.inf), scores)
        # Few of a large block are better than what is there: most rows are left alone.
        better = np.flatnonzero((scores > self.scores[:, -1:]).any(1))
        for i in better.tolist():
            new = np.flatnonzero(scores[i] > self.scores[i, -1])
            its = codes[new] if codes.ndim == 1 else codes[i, new]
            both = np.concatenate([self.scores[i], scores[i, new]])
            order = np.argsort(-both, kind="stable")[: self.scores.shape[1]]
            self.scores[i] = both[order]
            self.codes[i] = np.concatenate([self.codes[i], its])[order]


def limited(
    found: Sequence[T],
    slide_of: Callable[[T], str],
    box_of: Callable[[T], Box],
    k: int,
    *,
    per_slide: int | None = None,
    overlapping: bool = True,
) -> list[T]:
    """The first ``k`` of a list that is sorted best first, with few from each slide.

    Parameters
    ----------
    found : sequence
    slide_of, box_of : callable
        The slide each is on and its footprint there, level-0 pixels.
    per_slide : int, optional
        At most so many of one slide.
    overlapping : bool
        False leaves out what shares pixels with a better one that is kept.
    """
    kept: list[T] = []
    on: dict[str, list[Box]] = {}
    for one in found:
        if len(kept) == k:
            break
        boxes = on.setdefault(slide_of(one), [])
        if per_slide is not None and len(boxes) >= per_slide:
            continue
        box = box_of(one)
        if not overlapping and any(_share_pixels(box, other) for other in boxes):
            continue
        boxes.append(box)
        kept.append(one)
    return kept


def _share_pixels(a: Box, b: Box) -> bool:
    """Whether two footprints overlap by more than rounding."""
    common = a.intersection(b)
    return common is not None and common.area > 1e-6 * min(a.area, b.area)
