"""The pieces a session's state is made of: small values that can be compared and passed on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ..embeddings import Progress
from ..geometry import Box

#: Encode at whatever scale the screen shows.
FOLLOW: Literal["follow"] = "follow"
Scale = Literal["follow"] | tuple[float, ...]


@dataclass(frozen=True)
class View:
    """What is on the screen.

    Parameters
    ----------
    box : Box
        The part of the slide, level-0 pixels.
    mpp : float
        µm per screen pixel.
    """

    box: Box
    mpp: float


@dataclass(frozen=True)
class Status:
    """What the session is doing, for one line of text and a bar.

    Parameters
    ----------
    text : str
    progress : Progress or None
        None where there is nothing to count.
    busy : bool
    """

    text: str = ""
    progress: Progress | None = None
    busy: bool = False


def worded(text: str, progress: Progress | None, doubts: Iterable[str] = ()) -> str:
    """A line of status with what a bar cannot show of a job: what it leaves out, and doubts."""
    notes = [text]
    if progress is not None and progress.left_out:
        taken = progress.total + progress.reused
        every = taken + progress.left_out
        notes.append(f"only the {taken:,} tiles nearest to the centre of {every:,} in view")
    if progress is not None and progress.unreadable:
        notes.append(f"{progress.unreadable:,} unreadable")
    if progress is not None and progress.note:
        notes.append(progress.note)
    return " · ".join([*notes, *doubts])
