"""Encoders: what is known of them, their weights, and tiles in, vectors out."""

from .catalogue import DEFAULT_ENCODER, Entry, Unreleased, catalogue, unreleased
from .encoder import Encoder
from .encoding import Encoding, Tokens
from .known import find_entry, known_encoders
from .loading import load_encoder
from .own import register_encoder
from .tokens import AttentionSource
from .weights import availability

__all__ = [
    "DEFAULT_ENCODER",
    "AttentionSource",
    "Encoder",
    "Encoding",
    "Entry",
    "Tokens",
    "Unreleased",
    "availability",
    "catalogue",
    "find_entry",
    "known_encoders",
    "load_encoder",
    "register_encoder",
    "unreleased",
]
