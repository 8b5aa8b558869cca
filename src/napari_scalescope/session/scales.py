"""At which resolutions to encode, and which of them to show."""

from __future__ import annotations

import math

from ..geometry import scale_for_view
from .overlays import Overlay
from .state import FOLLOW, Scale, View

#: No tiles are finer than this share of the slide's own µm per pixel. Beyond it there is nothing
#: to see that was not there before, and every further halving makes four times as many tiles.
FINEST = 0.5


def wanted_mpps(scale: Scale, native: float | None, view: View | None) -> tuple[float, ...]:
    """The resolutions to encode at, µm/px. Empty while that cannot be said.

    Parameters
    ----------
    scale : "follow" or tuple of float
        What was chosen.
    native : float or None
        The slide's own µm per pixel.
    view : View or None
        What is on the screen.
    """
    if scale != FOLLOW:
        finest = 0.0 if native is None else FINEST * native
        return tuple(dict.fromkeys(max(mpp, finest) for mpp in scale))
    if native is None or view is None:
        return ()
    return (scale_for_view(view.mpp, native),)


def shown_mpp(mpps: tuple[float, ...], view: View | None) -> float | None:
    """The one of them whose maps are shown: the nearest to what the screen shows."""
    if not mpps or view is None:
        return mpps[0] if mpps else None
    return min(mpps, key=lambda mpp: abs(math.log(mpp / view.mpp)))


def needed_mpps(
    mpps: tuple[float, ...], shown: float | None, native: float | None, overlay: Overlay
) -> tuple[float, ...]:
    """The resolutions to encode at, and those an overlay compares the shown one with."""
    if shown is None or native is None:
        return mpps
    return tuple(dict.fromkeys((*mpps, *overlay.further(shown, native))))
