"""A viewing record as a file: JSON lines, one header and then one line per visit."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...analysis import Visit
from ...errors import ExchangeError
from ...geometry import Box

KIND = "viewing record"
VERSION = 1
#: What stands in the header, so that a file explains itself.
FIELDS = {
    "start": "seconds since 1970-01-01 UTC",
    "duration": "how long it was looked at, seconds",
    "box": "x, y, width, height in level-0 pixels, from the slide's upper left corner",
    "mpp": "micrometres per screen pixel",
    "slide": "name of the slide",
    "fingerprint": "sha256 of its content, of samples of it for large files",
}


def write_viewing(visits: Iterable[Visit], path: str | Path, patience_s: float) -> None:
    """Write visits as JSON lines. A file that is there is replaced as a whole, or not at all.

    Parameters
    ----------
    visits : iterable of Visit
    path : path
    patience_s : float
        How long a view counted without a sign of life; it is noted in the header.

    Raises
    ------
    ExchangeError
        If the file cannot be written.
    """
    path = Path(path)
    header = {"scalescope": KIND, "version": VERSION, "patience_s": patience_s, "fields": FIELDS}
    lines = [header, *map(_line, visits)]
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text("".join(f"{json.dumps(x)}\n" for x in lines), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExchangeError(
            f"{path} cannot be written ({error.strerror or error}).",
            "Choose a folder you may write to.",
        ) from error


def read_viewing(path: str | Path) -> list[Visit]:
    """Read the visits of a viewing record.

    Parameters
    ----------
    path : path
        As `ViewingRecord.export` wrote it.

    Returns
    -------
    list of Visit

    Raises
    ------
    ExchangeError
        If it is no viewing record, one of a later version, or damaged: the line is named.
    """
    path = Path(path)
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise ExchangeError(f"{path} cannot be read ({error}).", "Check the file.") from error
    _check_header(path, header)
    visits = []
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        try:
            visits.append(_visit(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise ExchangeError(
                f"Line {number} of {path.name} is no visit ({error}).",
                "Export the record again, or remove the line.",
            ) from error
    return visits


def _check_header(path: Path, line: str) -> None:
    try:
        header = json.loads(line)
        kind, version = header["scalescope"], header["version"]
    except (ValueError, KeyError, TypeError):
        kind, version = None, 0
    if kind != KIND or not isinstance(version, int):
        raise ExchangeError(
            f"{path.name} is no viewing record: its first line does not say so.",
            "Choose a file that was exported from “Viewing time”.",
        )
    if version > VERSION:
        raise ExchangeError(
            f"{path.name} is a viewing record of version {version}; this ScaleScope knows up to "
            f"{VERSION}.",
            "Update ScaleScope.",
        )


def _line(visit: Visit) -> dict[str, Any]:
    return {
        "start": visit.start,
        "duration": visit.seconds,
        "box": list(visit.box),
        "mpp": visit.mpp,
        "slide": visit.slide,
        "fingerprint": visit.fingerprint,
    }


def _visit(line: dict[str, Any]) -> Visit:
    box = Box(*(float(v) for v in line["box"]))
    start, seconds, mpp = (float(line[key]) for key in ("start", "duration", "mpp"))
    if not all(map(math.isfinite, (start, seconds, mpp, *box))):
        raise ValueError("a number is not finite")
    if min(seconds, mpp, box.w, box.h) <= 0:
        raise ValueError("duration, mpp and the sides of the box have to be above 0")
    slide, fingerprint = line["slide"], line["fingerprint"]
    if not (isinstance(slide, str) and isinstance(fingerprint, str)):
        raise TypeError("slide and fingerprint have to be texts")
    return Visit(start, seconds, box, mpp, slide, fingerprint)
