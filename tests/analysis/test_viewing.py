"""Where somebody looked, and whether it is where a map is high."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from napari_scalescope.analysis import TileMap, Visit, viewing_agreement, viewing_map
from napari_scalescope.analysis.viewing import AT_ONCE, dwell
from napari_scalescope.geometry import Box, Placement
from napari_scalescope.slides.phantom import phantom

from ..slides.memory import memory_slide

W, H = 1000, 600
SLIDE = memory_slide(np.full((H, W, 3), 200, np.uint8), 0.5)


def visit(box: Box, seconds: float = 1.0, mpp: float = 0.5, of: str = "") -> Visit:
    return Visit(0.0, seconds, box, mpp, SLIDE.name, of or SLIDE.fingerprint)


def boxes() -> st.SearchStrategy[Box]:
    """Boxes of which some part is on the slide."""
    inside = st.tuples(st.floats(0, W - 1), st.floats(0, H - 1))
    sides = st.tuples(*[st.floats(0.5, 800)] * 4)
    return st.builds(
        lambda p, s: Box.from_corners(p[0] - s[0], p[1] - s[1], p[0] + s[2], p[1] + s[3]),
        inside,
        sides,
    )


visits = st.lists(st.builds(visit, boxes(), st.floats(0.001, 1e4), st.floats(0.1, 20)), max_size=12)


@given(visits, st.floats(7, 900))
def test_the_cells_add_up_to_the_time_whatever_leaves_the_slide(
    looked: list[Visit], cell: float
) -> None:
    shape = (math.ceil(H / cell), math.ceil(W / cell))
    seconds = dwell(looked, Placement(0, 0, cell), shape, SLIDE.box)
    assert seconds.min() >= 0
    assert seconds.sum() == pytest.approx(sum(v.seconds for v in looked), rel=1e-9)


@given(st.lists(st.builds(visit, boxes(), st.floats(0.001, 1e4)), min_size=1, max_size=4))
def test_a_part_of_the_raster_holds_what_the_whole_holds_there(looked: list[Visit]) -> None:
    whole = dwell(looked, Placement(0, 0, 50), (12, 20), SLIDE.box)
    part = dwell(looked, Placement(150, 100, 50), (4, 6), SLIDE.box)
    np.testing.assert_allclose(part, whole[2:6, 3:9], atol=1e-9 * whole.sum())


def test_more_visits_than_are_laid_down_at_once() -> None:
    looked = [visit(Box(i % 900, 0, 100, 100), 0.01) for i in range(2 * AT_ONCE + 5)]
    seconds = dwell(looked, Placement(0, 0, 100), (6, 10), SLIDE.box)
    assert seconds.sum() == pytest.approx(0.01 * len(looked))


def test_a_cell_has_the_share_of_a_view_that_lies_in_it() -> None:
    seconds = dwell([visit(Box(50, 0, 100, 50), 8.0)], Placement(0, 0, 100), (6, 10), SLIDE.box)
    assert seconds[0, :3].tolist() == [4.0, 4.0, 0.0]
    # Half of it beyond the edge: what was looked at is the rest.
    seconds = dwell([visit(Box(-50, 0, 100, 50), 8.0)], Placement(0, 0, 100), (6, 10), SLIDE.box)
    assert seconds[0, 0] == 8.0


def test_a_map_of_one_slide_in_a_band() -> None:
    looked = [
        visit(Box(0, 0, 100, 100), 3.0, 0.25),
        visit(Box(400, 200, 200, 100), 5.0, 1.0),
        visit(Box(0, 0, 100, 100), 70.0, 1.0, of="another"),
    ]
    made = viewing_map(looked, SLIDE, cell_um=50)
    assert made.placement == Placement(0, 0, 100)
    assert made.values.shape == (6, 10)
    assert made.unit == "s"
    assert made.at(50, 50) == 3.0
    assert made.at(450, 250) == made.at(550, 250) == 2.5
    assert made.at(850, 550) is None
    assert "cell of 50 µm: 8 s in 2 views, each" in made.legend
    band = viewing_map(looked, SLIDE, cell_um=50, mpps=(0.7, 1.4))
    assert band.at(50, 50) is None
    assert band.at(450, 250) == 2.5
    assert "5 s in 1 view at 0.7 to 1.4 µm/px" in band.legend
    assert max(viewing_map(looked, SLIDE).values.shape) == 128
    with pytest.raises(LookupError, match="nothing was looked at"):
        viewing_map(looked, SLIDE, mpps=(4.0, math.inf))


def scores(values: np.ndarray, cell: float = 100.0) -> TileMap:
    return TileMap("Attention", values.astype(np.float32), Placement(0, 0, cell), "score")


def test_numbers_are_those_of_the_definitions(rng: np.random.Generator) -> None:
    values = rng.normal(size=(6, 10))
    values[2, 3] = np.nan
    looked = [
        visit(Box(*rng.uniform(0, 500, 2), *rng.uniform(50, 400, 2)), t)
        for t in rng.uniform(1, 9, 7)
    ]
    found = viewing_agreement(looked, scores(values), SLIDE)
    known = np.isfinite(values)
    seconds = dwell(looked, Placement(0, 0, 100), (6, 10), SLIDE.box)[known]
    expected = stats.spearmanr(seconds, values[known].astype(np.float32)).statistic
    assert found.rank == pytest.approx(expected)
    z = stats.zscore(values[known].astype(np.float32).astype(np.float64))
    assert found.saliency == pytest.approx(np.average(z, weights=seconds))
    assert found.cells == 59
    assert found.seconds == pytest.approx(seconds.sum())


def test_looking_where_it_is_high_low_or_everywhere() -> None:
    values = np.zeros((6, 10))
    values[1, 2] = 1.0
    high, low, even = (
        viewing_agreement([visit(box)], scores(values), SLIDE)
        for box in (Box(200, 100, 100, 100), Box(700, 400, 100, 100), SLIDE.box)
    )
    assert high.rank == pytest.approx(1)
    assert high.saliency == pytest.approx(59**0.5)  # one of 60: (1 - 1/60) / sd
    assert low.rank < 0
    assert low.saliency < 0
    assert math.isnan(even.rank)
    assert even.saliency == pytest.approx(0, abs=1e-12)
    flat = viewing_agreement([visit(Box(0, 0, 50, 50))], scores(np.ones((6, 10))), SLIDE)
    assert math.isnan(flat.rank)
    assert math.isnan(flat.saliency)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(LookupError, match="where Attention is known"):
        viewing_agreement([], scores(np.ones((6, 10))), SLIDE)
    colours = TileMap("PCA", np.zeros((6, 10, 4), np.uint8), Placement(0, 0, 100), "colour")
    with pytest.raises(ValueError, match="not with PCA"):
        viewing_agreement([visit(SLIDE.box)], colours, SLIDE)


def test_somebody_who_looks_at_lymphoid_tissue_agrees_with_a_map_of_it() -> None:
    """Against the phantom's truth, and against somebody who looks anywhere."""
    cell, side = 64.0, 4096
    with phantom(size=(side, side), seed=3) as slide:
        truth = slide.truth(slide.box, slide.require_mpp() * cell)
        classes, counts = np.unique(truth, return_counts=True)
        wanted = classes[np.argsort(counts)[-2]]  # neither everywhere nor nowhere
        made = TileMap(
            "Truth", (truth == wanted).astype(np.float32), Placement(0, 0, cell), "score"
        )
        rng = np.random.default_rng(0)

        def views(cells: np.ndarray) -> list[Visit]:
            return [
                Visit(0.0, 2.0, Box.around(((c + 0.5) * cell, (r + 0.5) * cell), 200.0), 0.5,
                      slide.name, slide.fingerprint)
                for r, c in cells
            ]  # fmt: skip

        aimed = viewing_agreement(
            views(rng.permutation(np.argwhere(truth == wanted))[:60]), made, slide
        )
        stray = viewing_agreement(views(rng.permutation(np.argwhere(truth >= 0))[:60]), made, slide)
        assert aimed.rank > 0.2
        assert aimed.saliency > 0.5
        assert abs(stray.rank) < aimed.rank / 2
        assert abs(stray.saliency) < aimed.saliency / 2
