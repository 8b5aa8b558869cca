"""What is said of slides that were embedded: the same words wherever they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ScaleScopeError, SlideError
from .progress import Progress


def row(
    slide: str,
    encoder: str,
    mpp: float,
    end: Progress,
    background: int,
    seconds: float,
    path: Path,
) -> dict[str, Any]:
    """One encoder at one resolution on one slide; ``end`` is its last progress."""
    return {
        "slide": slide,
        "encoder": encoder,
        "mpp": mpp,
        "tiles": end.done + end.reused,
        "encoded": end.done - end.unreadable,
        "reused": end.reused,
        "unreadable": end.unreadable,
        "background": background,
        "seconds": round(seconds, 3),
        "reading": round(end.reading, 3),
        "encoding": round(end.encoding, 3),
        "writing": round(end.writing, 3),
        "path": str(path),
    }


def failure(slide: str | Path, error: ScaleScopeError) -> dict[str, str]:
    """A slide that was given up."""
    return {"slide": str(slide), "error": error.problem, "remedy": error.remedy}


def all_damaged(row: dict[str, Any]) -> SlideError | None:
    """What to say of a slide of which tiles were wanted and none could be read."""
    if not row["tiles"] or row["tiles"] != row["unreadable"]:
        return None
    return SlideError(
        f"{row['slide']} is damaged: none of its {row['tiles']} tiles at {row['mpp']:g} µm/px "
        "can be decoded.",
        "Copy the file again from its source.",
    )
