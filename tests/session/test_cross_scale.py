"""Overlays that need other magnifications, and the scale profile."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View
from napari_scalescope.session.look import Look
from napari_scalescope.session.overlays import AgreementOverlay, BestMagnificationOverlay
from napari_scalescope.session.scales import needed_mpps

from ..embeddings.fake import FakeEncoder
from ..slides.memory import coloured_slide

#: Some tiles of 1 µm/px (128 level-0 px wide) on each side.
VIEW = View(Box(400, 300, 900, 800), 1.0)


def look(session: Session, view: View = VIEW) -> None:
    session.set_live(True)
    session.set_view(view)
    assert session.wait(60)


def test_which_resolutions_are_needed_besides() -> None:
    finer, coarser = AgreementOverlay(), AgreementOverlay(step=2.0)
    assert finer.further(1.0, 0.25) == (0.5,)
    assert coarser.further(1.0, 0.25) == (2.0,)
    assert finer.further(0.25, 0.25) == (0.5,)  # nothing is finer than the slide
    assert finer.further(0.5, 0.2502) == (0.25,)  # within what scanners differ by
    assert BestMagnificationOverlay(octaves=2).further(2.0, 0.25) == (1.0, 0.5)
    assert BestMagnificationOverlay(octaves=2).further(0.5, 0.25) == (0.25, 1.0)
    assert BestMagnificationOverlay(octaves=1).further(0.25, 0.25) == (0.5,)
    assert needed_mpps((1.0, 0.5), 1.0, 0.25, finer) == (1.0, 0.5)
    assert needed_mpps((1.0,), 1.0, 0.25, finer) == (1.0, 0.5)
    assert needed_mpps((1.0,), 1.0, None, finer) == (1.0,)
    assert needed_mpps((1.0,), 1.0, 0.25, Look().attention) == (1.0,)


@pytest.mark.parametrize("kind", ["global", "local", "gram", "neighbours"])
def test_a_view_is_encoded_at_both_magnifications(session: Session, kind: str) -> None:
    look(session)
    assert session.embeddings(0.5) is None
    session.show("agreement", kind=kind)
    assert session.wait(60)
    assert session.mpps == (1.0,)
    assert session.needed_mpps == (1.0, 0.5)
    fine = session.embeddings(0.5)
    assert fine is not None
    assert (fine.index_of(fine.grid.tiles_in(VIEW.box)) >= 0).all()
    made = session.map.found
    assert made is not None
    assert made.name == f"Cross-scale agreement ({kind})"
    assert made.values.shape == session.embeddings().grid.shape  # type: ignore[union-attr]
    assert np.isfinite(made.values).sum() >= 30


def test_a_slide_is_encoded_at_both_magnifications(session: Session, encoder: FakeEncoder) -> None:
    session.set_view(VIEW)
    session.show("agreement")
    assert session.wait(10)
    assert session.map.found is None
    assert "two magnifications" in session.look.shown.waiting
    assert encoder.encoded == 0
    session.encode_slide()
    assert session.wait(60)
    for mpp in (1.0, 0.5):
        assert session.embeddings(mpp).state.all()  # type: ignore[union-attr]
    assert session.map.found is not None


def test_other_overlays_need_no_more(session: Session, encoder: FakeEncoder) -> None:
    look(session)
    session.show("agreement")
    assert session.wait(60)
    session.show("attention")
    assert session.wait(60)
    count = encoder.encoded
    look(session, View(Box(1600, 1200, 300, 300), 1.0))
    more = encoder.encoded - count
    session.show("agreement")
    assert session.wait(60)
    assert encoder.encoded - count - more > more


def test_at_the_slides_own_resolution_the_coarser_one_is_compared(session: Session) -> None:
    look(session, View(Box(800, 700, 500, 500), 0.5))
    session.show("agreement")
    assert session.wait(60)
    assert session.needed_mpps == (0.5, 1.0)
    assert session.map.found is not None
    assert session.map.found.mpp == 1.0


def test_the_best_of_magnifications(session: Session) -> None:
    look(session)
    session.show("best", octaves=1)
    assert session.wait(60)
    made = session.map.found
    assert made is not None
    assert [c.name for c in made.classes] == ["0.5 µm/px", "1 µm/px"]
    assert made.at(*VIEW.box.centre) in (1, 2)
    session.show("best", octaves=2)
    assert session.wait(60)
    assert [c.name for c in session.map.found.classes] == ["0.5 µm/px", "1 µm/px", "2 µm/px"]  # type: ignore[union-attr]


# --- the profile of a place ---


def test_a_profile_is_made_while_nothing_waits_for_it(session: Session) -> None:
    parts: list[int] = []
    session.profile.changed.connect(
        lambda: parts.append(int(session.profile.found.encoded.sum()))  # type: ignore[union-attr]
    )
    session.profile.ask(900, 800)
    assert session.wait(30)
    found = session.profile.found
    assert found is not None
    assert found.at == (900.0, 800.0)
    assert found.encoded.all()
    assert parts == list(range(1, 17))
    # It outlives the scale.
    session.choose_scale((2.0,))
    assert session.profile.found is found


def test_another_place_overtakes(session: Session, encoder: FakeEncoder) -> None:
    encoder.delay_s = 0.05
    asked = []

    def ask_again() -> None:
        if not asked:
            asked.append(encoder.encoded)
            session.profile.ask(300, 300)

    session.profile.changed.connect(ask_again)
    session.profile.ask(900, 800)
    assert session.wait(30)
    assert session.profile.found is not None
    assert session.profile.found.at == (300.0, 300.0)
    assert session.profile.found.encoded.all()
    assert encoder.encoded <= asked[0] + 1 + 16


@pytest.mark.parametrize("change", ["slide", "tile", "stop"])
def test_it_is_left_unfinished_when_it_is_about_something_else(
    session: Session, encoder: FakeEncoder, change: str
) -> None:
    done = []

    def meanwhile() -> None:
        if not done:
            done.append(encoder.encoded)
            if change == "slide":
                session.set_slide(coloured_slide(900, 900))
            elif change == "tile":
                session.tiling.choose(tile_px=32)
            else:
                session.profile.stop()

    session.profile.changed.connect(meanwhile)
    session.profile.ask(900, 800)
    assert session.wait(30)
    assert encoder.encoded <= done[0] + 1
    assert (session.profile.found is None) == (change != "stop")


def test_what_goes_wrong_is_said(session: Session, encoder: FakeEncoder, said: list[str]) -> None:
    encoder.fail_after = 3
    session.profile.ask(900, 800)
    assert session.wait(30)
    assert [s for s in said if s != "map"] == ["failed: The fake failed. Use a real one."]
    assert session.profile.found is not None
    assert session.profile.found.encoded.sum() == 3


def test_nothing_is_made_without_a_slide(session: Session, encoder: FakeEncoder) -> None:
    session.set_slide(None)
    session.profile.ask(1, 1)
    assert session.wait(10)
    assert session.profile.found is None
    assert encoder.encoded == 0
