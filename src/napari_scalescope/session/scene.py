"""`Place` and `Scene`: all that a map is painted from, as it is at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis import Clusters, Visit
from ..embeddings import EmbeddingSet
from ..encoders import Encoder
from ..geometry import Box
from ..slides import Slide, TissueMask
from .fits import Fits
from .scales import needed_mpps

if TYPE_CHECKING:
    from .asking import Answers, Question
    from .findings.mil import TileWeights
    from .overlays import Overlay
    from .session import Session


@dataclass(frozen=True, eq=False)
class Place:
    """What is looked at.

    Parameters
    ----------
    slide : Slide
    box : Box
        The part of it on the screen, level-0 pixels.
    visits : tuple of Visit
        What was looked at before, on any slide.
    """

    slide: Slide
    box: Box
    visits: tuple[Visit, ...]


@dataclass(frozen=True, eq=False)
class Scene(Place):
    """A place of which something is encoded, and all that is known of it.

    Parameters
    ----------
    emb : EmbeddingSet
        At the resolution that is shown, with the attention that is shown.
    others : mapping of mpp to EmbeddingSet
        At every resolution that is open or that the overlay needs, the shown one among them.
    encoder : Encoder or None
        What made them, None while it is not loaded.
    tissue : TissueMask or None
        None while it was not needed.
    question : Question or None
    answers : Answers
        Who answers it.
    clusters : Clusters or None
    mil : TileWeights or None
        What a slide-level head looks at.
    fits : Fits
        What earlier maps were fitted to.
    """

    emb: EmbeddingSet
    others: Mapping[float, EmbeddingSet]
    encoder: Encoder | None
    tissue: TissueMask | None
    question: Question | None
    answers: Answers
    clusters: Clusters | None
    mil: TileWeights | None
    fits: Fits


def scene_of(session: Session, overlay: Overlay) -> Place | None:
    """What there is to paint an overlay from, None without a slide.

    It is a `Scene` where something is encoded.
    """
    slide, view, visits = session.slide, session.on_screen, session.record.visits
    if slide is None:
        return None
    box = slide.box if view is None else view.box
    emb = session.embeddings(attention=overlay.source)
    if emb is None:
        return Place(slide, box, visits)
    needed = needed_mpps(session.mpps, session.mpp, slide.mpp, overlay)
    return Scene(
        slide=slide,
        box=box,
        visits=visits,
        emb=emb,
        others={m: e for m in needed if (e := session.embeddings(m)) is not None},
        encoder=session.encoder,
        tissue=session.tissue,
        question=session.questions.found,
        answers=session.questions.answers,
        clusters=session.groups.found,
        mil=session.mil.found,
        fits=session.fits,
    )
