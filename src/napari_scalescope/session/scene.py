"""`Scene`: all that a map is painted from, as it is at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis import Clusters
from ..embeddings import EmbeddingSet
from ..encoders import Encoder
from ..geometry import Box
from ..slides import Slide, TissueMask
from .reading import TextQuery

if TYPE_CHECKING:
    from .findings.questions import Question


@dataclass(frozen=True, eq=False)
class Scene:
    """What is looked at, and what is known of it.

    Parameters
    ----------
    slide : Slide
    box : Box
        The part of it on the screen, level-0 pixels.
    emb : EmbeddingSet
        At the resolution that is shown, with the attention that is shown.
    others : mapping of mpp to EmbeddingSet
        At every resolution that is open, the shown one among them.
    encoder : Encoder or None
        What made them, None while it is not loaded.
    tissue : TissueMask or None
        None while it was not needed.
    question : Question or None
    read : TextQuery or None
        The question as the encoder reads it, where it is one in words.
    clusters : Clusters or None
    """

    slide: Slide
    box: Box
    emb: EmbeddingSet
    others: Mapping[float, EmbeddingSet]
    encoder: Encoder | None
    tissue: TissueMask | None
    question: Question | None
    read: TextQuery | None
    clusters: Clusters | None
