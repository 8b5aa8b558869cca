"""Questions: what somebody asks about, what the encoder makes of it, and the answer as a map."""

from .answers import Answers
from .examples import Area, Example, Picture, Question, Spot, Words
from .readings import Reading, Readings

__all__ = [
    "Answers",
    "Area",
    "Example",
    "Picture",
    "Question",
    "Reading",
    "Readings",
    "Spot",
    "Words",
]
