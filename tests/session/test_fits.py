"""Ranges and colours that hold still while the view moves."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View
from napari_scalescope.session.fits import Fits

from ..slides.memory import coloured_slide

HERE, THERE = View(Box(600, 500, 700, 600), 0.5), View(Box(1200, 900, 700, 600), 0.5)


def encode(session: Session, view: View) -> None:
    session.set_view(view)
    session.encode_view()
    assert session.wait(30)


def test_a_fit_on_the_slide_is_kept_until_there_is_much_more() -> None:
    fits, made = Fits(), []

    def fit(count: int, what: str = "a") -> int:
        return fits.of_slide("range", what, count, lambda: made.append(count) or count)

    assert [fit(n) for n in (100, 105, 109, 111, 115)] == [100, 100, 100, 111, 111]
    assert made == [100, 111]
    assert fit(115, "b") == 115  # another slide
    assert fit(50, "b") == 50  # fewer: a store that was repaired


def test_attention_over_the_slide_keeps_its_colours(session: Session) -> None:
    encode(session, THERE)
    encode(session, HERE)
    limits = {}
    for normalise in ("view", "slide"):
        session.show("attention", normalise=normalise)
        limits[normalise] = []
        for view in (HERE, THERE):
            session.set_view(view)
            assert session.wait(30)
            assert session.map.found is not None
            limits[normalise].append(session.map.found.limits)
    assert limits["slide"][0] == limits["slide"][1]
    assert limits["view"][0] != limits["view"][1]
    assert "percentile of the slide (" in session.map.found.legend
    session.show("attention", normalise="tile")
    assert session.wait(30)
    assert session.map.found.limits == (0, 1)
    assert session.map.found.unit == "within the tile"


@pytest.mark.parametrize("tokens", [True, False])
def test_pca_colours_over_the_slide_hold_still(session: Session, tokens: bool) -> None:
    encode(session, THERE)
    encode(session, HERE)
    session.show("pca", tokens=tokens, fitted="slide")
    assert session.wait(30)
    before = session.map.found
    assert before is not None
    assert "Fitted on the slide (" in before.legend
    assert "without glass" in before.legend
    session.set_view(View(Box(700, 560, 700, 600), 0.5))
    assert session.wait(30)
    after = session.map.found
    assert after is not None
    place = (1000, 800)
    assert before.at(*place) == after.at(*place)
    session.show("pca", fitted="view")
    assert session.wait(30)
    assert "Fitted on the view (" in session.map.found.legend


def test_colours_of_the_slide_before(session: Session) -> None:
    session.show("pca", fitted="before")
    encode(session, HERE)
    assert session.map.found is None
    assert "No other slide was coloured" in session.map.refused
    session.show("pca", fitted="slide")
    assert session.wait(30)
    assert session.map.refused == ""
    first = session.map.found
    session.set_slide(coloured_slide(2600, 2100))
    session.show("pca", fitted="before")
    encode(session, HERE)
    assert session.map.found is not None
    assert "Fitted on the slide before (" in session.map.found.legend
    np.testing.assert_allclose(session.map.found.at(900, 800), first.at(900, 800), atol=40)


def test_tiles_that_overlap(session: Session) -> None:
    encode(session, HERE)
    apart = session.embeddings()
    for wrong in ({"overlap": 1.0}, {"tile_px": 100}):
        with pytest.raises(ValueError, match=r"overlap|patches"):
            session.tiling.choose(**wrong)
    session.tiling.choose(overlap=0.5)
    assert session.map.found is None
    encode(session, HERE)
    emb, shown = session.embeddings(), session.map.found
    assert emb is not None
    assert shown is not None
    assert emb.grid.stride_px == 32
    assert len(emb) > 3 * len(apart)
    assert shown.placement.cell == apart.grid.footprint / 4
    session.tiling.choose(overlap=0.0)
    encode(session, HERE)
    assert session.embeddings().key == apart.key
