"""What is wrong with a file, in the same words for every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ...errors import SlideError, UnreachableError
from .tiff_series import piece_size


@contextmanager
def piece_errors_in_words(
    name: str, level: int, row: int, col: int, what: str = "file"
) -> Iterator[None]:
    """Errors of reading and decoding one piece, as errors of ours.

    Parameters
    ----------
    name : str
        Of the slide.
    level, row, col : int
        Which piece.
    what : str
        "file" or "folder": what would have to be copied again.
    """
    try:
        yield
    except SlideError:
        raise
    except (OSError, MemoryError) as error:  # of the moment, not of the file
        raise UnreachableError.of(name, error) from error
    except Exception as error:  # a dozen codecs raise a dozen kinds of error
        raise SlideError(
            f"{name} is damaged: piece ({row}, {col}) of level {level} cannot be decoded "
            f"({error}).",
            f"Copy the {what} again from its source.",
        ) from error


def refuse_cut_off(path: Path, pages: Iterable[Any]) -> None:
    """An error if pages of a TIFF lie beyond the end of the file."""
    size = path.stat().st_size
    for page in pages:
        end = max(
            (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0
        )
        if end > size:
            raise SlideError(
                f"{path.name} is damaged: it is cut off at {size} of {end} bytes.",
                "Copy the file again from its source.",
            )


def refuse_impossible(path: Path, pages: Iterable[Any]) -> None:
    """An error if a page lists fewer pieces than it has, or pieces of no size."""
    for page in pages:
        (w, h), sides = piece_size(page), (page.imagelength, page.imagewidth)
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        pieces = 0 if min(h, w) < 1 else -(-sides[0] // h) * -(-sides[1] // w) * planes
        is_flat = sides in (page.shape[:2], page.shape[-2:])
        if not (0 < pieces <= len(page.dataoffsets) and is_flat):
            raise SlideError(
                f"{path.name} is damaged: it lists {len(page.dataoffsets)} pieces of {w} x {h} px "
                f"for {sides[1]} x {sides[0]} px.",
                "Copy the file again from its source.",
            )


def refuse_endless(tif: Any, name: str) -> None:
    """An error if a page of a TIFF names an earlier one as the next: tifffile never ends there."""
    seen = set()
    for page in tif.pages:
        if page.offset in seen:
            raise SlideError(
                f"{name} is damaged: its pages go in circles.",
                "Copy the file again from its source.",
            )
        seen.add(page.offset)


def check_size(pixels: npt.NDArray[Any], page: Any, index: int, reduce: int = 1) -> None:
    """Whether a decoded piece covers its part of a page; at the far edges it may be cut.

    Parameters
    ----------
    pixels : (h, w, ...)
    page : tifffile.TiffPage
    index : int
        Which of its pieces, counted in rows.
    reduce : int
        How many times smaller it was decoded.

    Raises
    ------
    ValueError
        If it does not.
    """
    cw, ch = piece_size(page)
    across, down = -(-page.imagewidth // cw), -(-page.imagelength // ch)
    row, col = divmod(index % (across * down), across)  # of one plane
    w = min(cw, page.imagewidth - col * cw) // reduce
    h = min(ch, page.imagelength - row * ch) // reduce
    if pixels.shape[0] < h or pixels.shape[1] < w:
        raise ValueError(f"it is {pixels.shape[1]} x {pixels.shape[0]} px, not {w} x {h}")
