"""Many slides: a catalogue of what was embedded, and what looks alike across them."""

from .catalogue import Cohort
from .collection import Collection
from .hit import Found, Hit
from .rows import SetRow
from .scanning import SlideFinder

__all__ = ["Cohort", "Collection", "Found", "Hit", "SetRow", "SlideFinder"]
