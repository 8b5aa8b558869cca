"""Of all that comes in, the best are kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.embeddings.cohort.merging import Top, limited
from napari_scalescope.geometry import Box

scores = st.lists(st.integers(-5, 5), max_size=40)
found = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 12)), max_size=30)


@given(scores, st.integers(1, 8), st.integers(1, 9))
def test_top_is_a_stable_sort(values: list[int], k: int, step: int) -> None:
    top = Top(2, k)
    both = np.array([values, [-v for v in values]], np.float32)
    for i in range(0, len(values), step):
        top.put(both[:, i : i + step], np.arange(i, min(i + step, len(values))))
    for row, its, codes in zip(both, top.scores, top.codes, strict=True):
        order = np.argsort(-row, kind="stable")[:k]
        assert codes[codes >= 0].tolist() == order.tolist()
        assert its[codes >= 0].tolist() == row[order].tolist()


@given(scores)
def test_what_is_not_a_number_does_not_count(values: list[int]) -> None:
    top = Top(1, 3)
    top.put(np.full((1, 4), np.nan, np.float32), np.arange(4))
    top.put(np.array([values], np.float32), np.arange(len(values)))
    assert np.isfinite(top.scores[top.codes >= 0]).all()
    assert (top.codes >= 0).sum() == min(3, len(values))


@given(found, st.integers(1, 12), st.none() | st.integers(1, 4), st.booleans())
def test_limits_hold_and_leave_out_nothing_else(
    tiles: list[tuple[str, int]], k: int, per_slide: int | None, overlapping: bool
) -> None:
    """Tiles 2 px wide on a line, best first."""

    def box(tile: tuple[str, int]) -> Box:
        return Box(tile[1], 0, 2, 2)

    kept = limited(tiles, lambda t: t[0], box, k, per_slide=per_slide, overlapping=overlapping)
    assert len(kept) <= k
    rest = iter(tiles)
    assert all(one in rest for one in kept)  # in their order
    assert all(per_slide is None or sum(o[0] == s for o in kept) <= per_slide for s in "abcd")
    # Whatever was left out was left out for a reason: better ones were in its way.
    before: list[tuple[str, int]] = []
    for tile in tiles:
        full = len(before) == k
        many = per_slide is not None and sum(b[0] == tile[0] for b in before) >= per_slide
        near = not overlapping and any(b[0] == tile[0] and abs(b[1] - tile[1]) < 2 for b in before)
        if not (full or many or near):
            before.append(tile)
    assert kept == before
