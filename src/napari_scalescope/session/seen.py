"""What a script or an agent sees: where it may look, and the picture there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..analysis import TileMap
from ..geometry import Box
from ..slides import Slide
from ..slides.slide import Pixels
from .scales import FINEST
from .state import View

#: Width and height of what is looked at, screen pixels, unless others are asked for. Not the
#: window's own: a script sees the same with and without a window.
SCREEN_PX = (1024, 768)
#: No picture is wider or higher.
LARGEST_PX = 4096


class Seen(NamedTuple):
    """What is looked at.

    Parameters
    ----------
    pixels : (h, w, 3) uint8
    box : Box
        The part of the slide they show, level-0 pixels.
    mpp : float
        Their µm per pixel; level-0 pixels per pixel where the slide's resolution is unknown.
    overlays : mapping of str to TileMap
        The overlays that have something to show here, by their names in `Look`, cut to the cells
        that touch the box: ``values``, ``name``, ``unit``, ``placement``, ``legend``.
    """

    pixels: Pixels
    box: Box
    mpp: float
    overlays: Mapping[str, TileMap]


def aimed(
    slide: Slide, x: float | None, y: float | None, mpp: float | None, size: tuple[int, int]
) -> View:
    """The view of a slide that is nearest to the one asked for.

    Parameters
    ----------
    slide : Slide
        Of known resolution.
    x, y : float or None
        Its centre, level-0 pixels; None for the slide's. Moved so that nothing but the slide
        is in view.
    mpp : float or None
        µm per pixel; None for the whole slide. Kept between half of the slide's own and what
        shows all of it.
    size : (int, int)
        Width and height in pixels, at most `LARGEST_PX`. Where the slide is narrower than that,
        so is the view.

    Raises
    ------
    ResolutionError
        If the slide's resolution is unknown.
    ValueError
        If a number makes no sense.
    """
    native, (w, h) = slide.require_mpp(), slide.dimensions
    if not all(1 <= side <= LARGEST_PX for side in size):
        raise ValueError(f"a picture is 1 to {LARGEST_PX} px wide and high, not {size}")
    if mpp is not None and not mpp > 0:
        raise ValueError(f"µm per pixel are above 0, not {mpp}")
    finest = FINEST * native
    whole = max(finest, w * native / size[0], h * native / size[1])
    shown = whole if mpp is None else min(max(mpp, finest), whole)
    sides = [min(px * shown / native, float(n)) for px, n in zip(size, (w, h), strict=True)]
    centre = [n / 2 if at is None else at for at, n in zip((x, y), (w, h), strict=True)]
    corner = [
        min(max(at - side / 2, 0.0), n - side)
        for at, side, n in zip(centre, sides, (w, h), strict=True)
    ]
    if not all(c == c for c in corner):
        raise ValueError(f"a place is two numbers, not {x}, {y}")
    return View(Box(*corner, *sides), shown)


def picture(slide: Slide, view: View) -> tuple[Pixels, float]:
    """Pixels of a view at its own scale, or as large as they may be; and their µm per pixel."""
    unit = slide.mpp or 1.0
    mpp = max(view.mpp, max(view.box.w, view.box.h) * unit / LARGEST_PX)
    size = (max(1, round(view.box.w * unit / mpp)), max(1, round(view.box.h * unit / mpp)))
    return slide.read(view.box, size=size), mpp
