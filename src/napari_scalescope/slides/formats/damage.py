"""What is wrong with a file, in the same words for every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import SlideError, UnreachableError


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
