"""What is said of slides that were embedded: the same words wherever they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ScaleScopeError, SlideError
from .progress import Progress

Lines = list[dict[str, Any]]


@dataclass
class Outcome:
    """What came of a slide, or of all slides of a run. Its `vars` are for JSON.

    Parameters
    ----------
    sets : list of dict
        A `row` for each encoder and resolution.
    skipped : list of dict
        Slides that were complete already, and passed over.
    warnings : list of dict
        What is doubtful about slides.
    failed : list of dict
        Slides that were given up, and of which nothing could be read.
    """

    sets: Lines = field(default_factory=list)
    skipped: Lines = field(default_factory=list)
    warnings: Lines = field(default_factory=list)
    failed: Lines = field(default_factory=list)

    def done(self, slide: str | Path, row: dict[str, Any]) -> None:
        """A set is finished. One of which no tile could be read is a failure, too."""
        self.sets.append(row)
        if row["tiles"] and row["tiles"] == row["unreadable"]:
            self.fail(
                slide,
                SlideError(
                    f"{row['slide']} is damaged: none of its {row['tiles']} tiles at "
                    f"{row['mpp']:g} µm/px can be decoded.",
                    "Copy the file again from its source.",
                ),
            )

    def skip(self, slide: str | Path) -> None:
        """A slide was passed over."""
        self.skipped.append({"slide": str(slide)})

    def warn(self, slide: str | Path, doubts: Iterable[str]) -> None:
        """Something about a slide is doubtful."""
        self.warnings += [{"slide": str(slide), "warning": doubt} for doubt in doubts]

    def fail(self, slide: str | Path, error: ScaleScopeError) -> None:
        """A slide was given up."""
        self.failed.append({"slide": str(slide), "error": error.problem, "remedy": error.remedy})

    def add(self, other: Outcome) -> None:
        """All that came of another slide."""
        for kind, lines in vars(other).items():
            getattr(self, kind).extend(lines)


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
