"""Which resolutions are encoded, and which of them is shown."""

from __future__ import annotations

from napari_scalescope.geometry import Box
from napari_scalescope.session import FOLLOW, Session, View
from napari_scalescope.session.scales import shown_mpp, wanted_mpps

VIEW = View(Box(0, 0, 100, 100), 1.1)


def test_following_needs_a_view_and_a_resolution() -> None:
    assert wanted_mpps(FOLLOW, 0.25, VIEW) == (1.0,)
    assert wanted_mpps(FOLLOW, None, VIEW) == ()
    assert wanted_mpps(FOLLOW, 0.25, None) == ()


def test_nothing_much_finer_than_the_slide() -> None:
    assert wanted_mpps((0.01, 0.1, 0.2, 1.0), 0.25, VIEW) == (0.125, 0.2, 1.0)
    assert wanted_mpps((0.01,), None, VIEW) == (0.01,)


def test_the_nearest_to_the_screen_is_shown() -> None:
    assert shown_mpp((0.25, 1.0, 4.0), VIEW) == 1.0
    assert shown_mpp((0.25, 1.0), None) == 0.25
    assert shown_mpp((), VIEW) is None


def test_halving_the_scale_again_and_again_ends(session: Session) -> None:
    session.choose_scale((0.5,))
    for _ in range(8):
        assert session.mpp is not None
        session.choose_scale((session.mpp / 2,))
    assert session.scale == session.mpps == (0.25,)
