"""What a script or an agent looks at, and what it gets to see."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.analysis import TileMap
from napari_scalescope.errors import ResolutionError, SlideError
from napari_scalescope.geometry import Box, Placement
from napari_scalescope.session import Session, View
from napari_scalescope.session.seen import LARGEST_PX, aimed, picture

from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide

NATIVE = 0.5
SLIDE = memory_slide(np.full((700, 1000, 3), 200, np.uint8), NATIVE)
anywhere = st.floats(-1e7, 1e7)


@given(
    anywhere, anywhere, st.floats(1e-6, 1e6), st.tuples(st.integers(1, 2000), st.integers(1, 2000))
)
def test_wherever_one_aims_it_is_on_the_slide_and_said(
    x: float, y: float, mpp: float, size: tuple[int, int]
) -> None:
    view = aimed(SLIDE, x, y, mpp, size)
    box, (w, h) = view.box, SLIDE.dimensions
    assert 0 <= box.x <= box.x1 <= w + 1e-9
    assert 0 <= box.y <= box.y1 <= h + 1e-9
    assert view.mpp >= NATIVE / 2
    # As large as asked for, or as large as the slide is there.
    for side, px, n in zip((box.w, box.h), size, (w, h), strict=True):
        assert side == pytest.approx(min(px * view.mpp / NATIVE, n))
    # As far there as the slide allows.
    for at, side, corner, n in ((x, box.w, box.x, w), (y, box.h, box.y, h)):
        assert corner == pytest.approx(min(max(at - side / 2, 0), n - side))
    whole = max(w * NATIVE / size[0], h * NATIVE / size[1], NATIVE / 2)
    assert view.mpp == pytest.approx(min(max(mpp, NATIVE / 2), whole))


def test_the_whole_slide_unless_told_otherwise(session: Session) -> None:
    view = session.look_at()
    assert view.box == session.slide.box == (0, 0, 2600, 2000)
    assert view.mpp == pytest.approx(max(1300 / 1024, 1000 / 768))
    assert session.on_screen == view
    assert session.look_at(0, 0, mpp=100, size=(100, 100)).box == (0, 0, 2600, 2000)


def test_nonsense_is_refused(session: Session) -> None:
    for wrong in ({"mpp": 0}, {"mpp": math.nan}, {"x": math.nan}, {"size": (0, 5)}):
        with pytest.raises(ValueError, match=r"px|numbers|above 0"):
            session.look_at(**{"x": 5, "y": 5, "mpp": 1.0, **wrong})
    with pytest.raises(ValueError, match=str(LARGEST_PX)):
        session.look_at(5, 5, 1.0, (LARGEST_PX + 1, 5))
    with pytest.raises(ValueError, match="an overlay is one of"):
        session.view(["colours"])
    session.set_slide(memory_slide(smooth_picture(90, 70), None))
    with pytest.raises(ResolutionError):
        session.look_at(5, 5, 1.0)
    session.set_slide(None)
    for look in (session.look_at, session.view):
        with pytest.raises(SlideError, match="No slide is open"):
            look()


def test_the_picture_is_that_place_at_that_scale(session: Session) -> None:
    asked = session.look_at(1300, 1000, 1.0, size=(300, 200))
    pixels, box, mpp, _ = session.view()
    assert pixels.shape == (200, 300, 3)
    assert pixels.dtype == np.uint8
    assert (box, mpp) == (asked.box, 1.0) == (Box(1000, 800, 600, 400), 1.0)
    np.testing.assert_array_equal(pixels, session.slide.read(box, mpp=1.0))
    # Left of the middle of the slide is pink, right of it blue.
    assert pixels[:, :140, 0].mean() > pixels[:, 160:, 0].mean() + 50


def test_looking_at_nothing_yet_is_looking_at_all(session: Session) -> None:
    seen = session.view()
    assert seen.box == session.slide.box
    assert seen.overlays == {}


def test_a_picture_is_never_larger_than_it_may_be() -> None:
    slide = memory_slide(np.full((300, 9000, 3), 200, np.uint8), None)
    pixels, mpp = picture(slide, View(slide.box, 0.5))
    assert pixels.shape == (round(300 * LARGEST_PX / 9000), LARGEST_PX, 3)
    assert mpp == pytest.approx(9000 / LARGEST_PX)


def test_overlays_come_with_the_picture_cut_to_it(session: Session) -> None:
    session.set_live(True)
    session.look_at(1000, 800, 0.5, size=(256, 192))
    assert session.wait(30)
    seen = session.view(["attention", "pca", "viewing", "similarity"])
    assert set(seen.overlays) == {"attention", "pca"}  # nothing was asked or recorded
    attention = seen.overlays["attention"]
    assert (attention.unit, attention.placement.cell) == ("× uniform", 16.0)
    covered = attention.placement.box(attention.values.shape)
    assert covered.x <= seen.box.x < covered.x + 16
    assert covered.y <= seen.box.y < covered.y + 16
    assert covered.x1 - 16 < seen.box.x1 <= covered.x1
    whole = session.map.found
    x, y = seen.box.centre
    assert attention.at(x, y) == whole.at(x, y)
    assert list(session.view().overlays) == ["attention"]
    assert session.look.overlay == "attention"  # asking for others shows none of them
    assert seen.overlays["pca"].values.shape[2] == 4


boxes = st.builds(
    Box, st.floats(-90, 90), st.floats(-90, 90), st.floats(0.01, 90), st.floats(0.01, 90)
)


@given(boxes, st.floats(-20, 20), st.floats(0.3, 9))
def test_a_map_is_cut_to_the_cells_a_box_touches(box: Box, corner: float, cell: float) -> None:
    values = np.arange(35, dtype=np.float32).reshape(5, 7)
    whole = TileMap("m", values, Placement(corner, -corner, cell), "score")
    part = whole.cropped(box)
    touched = [
        (r, c)
        for r in range(5)
        for c in range(7)
        if (b := Box(corner + c * cell, -corner + r * cell, cell, cell).intersection(box))
        and min(b.w, b.h) > 1e-9
    ]
    if part is None:
        assert not touched
        return
    rows, cols = part.values.shape
    r0, c0 = divmod(int(part.values[0, 0]), 7)
    kept = {(r0 + r, c0 + c) for r in range(rows) for c in range(cols)}
    assert set(touched) <= kept
    # No cell more, unless it touches by less than rounding can tell.
    near = box.grown(1e-6)
    for r, c in kept:
        assert Box(corner + c * cell, -corner + r * cell, cell, cell).intersection(near)
    assert part.placement.x == pytest.approx(corner + c0 * cell)
    assert part.placement.y == pytest.approx(-corner + r0 * cell)


def test_the_highest_score_has_a_place() -> None:
    values = np.full((5, 7), np.nan, np.float32)
    values[3, 2], values[0, 0] = 0.9, 0.1
    made = TileMap("m", values, Placement(10, -20, 4), "score")
    assert made.highest() == (10 + 2.5 * 4, -20 + 3.5 * 4)
    assert made.at(*made.highest()) == pytest.approx(0.9)
    for nothing in (np.full((2, 2), np.nan), np.zeros((0, 3))):
        with pytest.raises(ValueError, match="no highest"):
            TileMap("m", nothing, Placement(0, 0, 4), "score").highest()


def test_a_script_that_looks_tells_whoever_has_a_camera(session: Session) -> None:
    told: list[View] = []
    session.look_asked.connect(told.append)
    view = session.look_at(500, 500, 1.0)
    session.set_view(View(Box(0, 0, 9, 9), 0.5))
    assert told == [view]
