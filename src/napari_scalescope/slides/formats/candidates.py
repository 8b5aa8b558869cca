"""Which of the images in a file is the slide, and what the others are.

It is the largest brightfield image that is no label, macro or thumbnail; where there is
fluorescence of far more pixels, that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import SlideError
from .fluorescence import Channel
from .ome_xml import OmeImage

#: A brightfield image of a smaller share of the pixels of a fluorescence image is its overview.
OVERVIEW_SHARE = 0.25
#: Images beside the slide are decoded whole, from their coarsest level, up to so many pixels.
LARGEST_BESIDE = 100_000_000

_BESIDE = re.compile(r"\b(label|macro|thumb(nail)?|overview|map|preview|barcode)\b", re.IGNORECASE)

Kind = Literal["brightfield", "planes", "fluorescence", "unread"]


@dataclass(frozen=True)
class Candidate:
    """One image of a file.

    Parameters
    ----------
    number : int
        Of the image in its file.
    name : str
        What the file calls it, or its number.
    kind : str
        "brightfield" (samples of a pixel lie together, or grey), "planes" (brightfield whose
        colours lie apart), "fluorescence" or "unread".
    area : int
        Pixels of its finest level.
    channels : tuple of Channel
        One per plane; empty for "brightfield" and "unread".
    image : OmeImage or None
        What OME-XML says of it.
    problem : SlideError or None
        Why it is not read.
    """

    number: int
    name: str
    kind: Kind
    area: int
    channels: tuple[Channel, ...] = ()
    image: OmeImage | None = None
    problem: SlideError | None = None

    @property
    def is_beside(self) -> bool:
        """Whether its name says that it is a label, a macro, a thumbnail."""
        return _BESIDE.search(self.name) is not None


def pick(found: Sequence[Candidate], file: str) -> tuple[Candidate, list[Candidate]]:
    """The image to show, and the others.

    Raises
    ------
    SlideError
        If none can be shown, for the reason of the first.
    """
    best = _best([c for c in found if not c.is_beside]) or _best(found)
    if best is None:
        problem = found[0].problem if found else None
        raise problem or SlideError(
            f"{file} is damaged: there is no image in it.", "Copy the file again from its source."
        )
    return best, [c for c in found if c is not best]


def _best(candidates: Iterable[Candidate]) -> Candidate | None:
    readable = [c for c in candidates if c.kind != "unread"]
    if not readable:
        return None
    largest = max(readable, key=lambda c: c.area)
    stained = [c for c in readable if c.kind != "fluorescence"]
    bright = max(stained, key=lambda c: c.area, default=largest)
    return bright if bright.area >= OVERVIEW_SHARE * largest.area else largest


def names_of(others: Sequence[Candidate]) -> dict[str, int]:
    """The number of the series by a name of its own."""
    out: dict[str, int] = {}
    for other in others:
        name = other.name.lower() if other.is_beside else other.name
        taken = sum(n == name or n.startswith(f"{name} (") for n in out)
        out[f"{name} ({taken + 1})" if taken else name] = other.number
    return out
