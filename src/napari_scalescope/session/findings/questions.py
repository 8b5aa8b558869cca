"""What somebody asked about."""

from __future__ import annotations

from dataclasses import dataclass

from ..reading import TextQuery
from .finding import Finding

Point = tuple[float, float]


@dataclass(frozen=True)
class Question:
    """What looks like this?

    Parameters
    ----------
    place : (x, y), optional
        A place on the slide, level-0 pixels.
    text : str
        In words.
    """

    place: Point | None = None
    text: str = ""


class Questions(Finding[Question]):
    """The question that was asked last, and the answer to one in words.

    A question outlives the encoder and the scale it was asked at: it can be answered at others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read: TextQuery | None = None

    def forget(self) -> None:
        """Nothing is asked any more."""
        self.read = None
        super().forget()

    def ask(self, question: Question) -> None:
        """Ask this from now on."""
        self.read = None
        self.keep(question, self.generation)

    def answer(self, read: TextQuery) -> None:
        """A text was read. Another question may have been asked meanwhile."""
        if self.found is not None and read.text == self.found.text:
            self.read = read
