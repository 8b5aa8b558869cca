"""Encoders: what is known of them, their weights, and tiles in, vectors out."""

from .catalogue import DEFAULT_ENCODER, Entry, Unreleased, catalogue, find_entry, unreleased
from .encoder import Encoder, Encoding, load_encoder
from .weights import availability

__all__ = [
    "DEFAULT_ENCODER",
    "Encoder",
    "Encoding",
    "Entry",
    "Unreleased",
    "availability",
    "catalogue",
    "find_entry",
    "load_encoder",
    "unreleased",
]
