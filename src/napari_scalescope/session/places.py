"""From what was found in a cohort to its place on its slide."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..embeddings.cohort import Hit, SlideFinder
from ..errors import SlideError
from ..slides import Slide, open_slide
from .state import View

if TYPE_CHECKING:
    from .session import Session

#: How much is shown: the tile and as much on every side, in sides of a tile.
AROUND = 1.0


def open_hit(
    session: Session, hit: Hit, slides: Iterable[str | Path] = (), *, around: float = AROUND
) -> View:
    """Open the slide of a hit in a session and set the view on the tile.

    A slide that is open already stays open. One whose resolution is another than the one it was
    embedded at (or that has none) is given that.

    Parameters
    ----------
    session : Session
    hit : Hit
    slides : iterable of path or URL
        Where to look for the slide before looking where the cohort says: folders, files, URLs.
    around : float
        How much to show on every side of the tile, in sides of a tile.

    Returns
    -------
    View
        What is shown: a box of the slide around the tile, at the tile's resolution.

    Raises
    ------
    SlideError
        If the slide is not found, or what lies there is another.
    """
    slide = session.slide
    new = slide is None or slide.fingerprint != hit.source.fingerprint
    if slide is None or new:
        slide = open_slide_of(hit, slides)
    if slide.mpp is None or abs(slide.mpp / hit.source.slide_mpp - 1) > 1e-6:
        slide.set_mpp(hit.source.slide_mpp, "what it was embedded at")
        new = True
    if new:
        session.set_slide(slide)
    view = View(hit.box.grown(around * hit.box.w), hit.mpp)
    session.set_view(view)
    return view


def open_slide_of(hit: Hit, slides: Iterable[str | Path] = ()) -> Slide:
    """The slide a hit is on, opened as it was when it was embedded: see `open_hit`."""
    at = hit.source
    candidates = [SlideFinder(slides).find(at.slide, at.fingerprint), at.place]
    where = "; the cohort does not say where it is" if not at.place else f" at {at.place}"
    wrong = ""
    for place in filter(None, candidates):
        try:
            slide = open_slide(place, icc="+icc" in at.fingerprint)
        except SlideError as error:
            wrong = wrong or error.problem
            continue
        if slide.fingerprint == at.fingerprint:
            return slide
        slide.close()
        wrong = f"{place} is another slide of the same name: its content differs."
    raise SlideError(
        f"The slide {at.slide} was not found{where}." + (f" {wrong}" if wrong else ""),
        "Say in which folder it is: open_hit(…, slides=[folder]), scalescope cohort scan --slides.",
    )
