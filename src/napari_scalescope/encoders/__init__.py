"""Encoders: what is known of them, their weights, and tiles in, vectors out."""

from .catalogue import DEFAULT_ENCODER, Entry, catalogue, find_entry
from .encoder import Encoder, Encoding, load_encoder
from .weights import availability

__all__ = [
    "DEFAULT_ENCODER",
    "Encoder",
    "Encoding",
    "Entry",
    "availability",
    "catalogue",
    "find_entry",
    "load_encoder",
]
