"""Encoders beside one another on my own slide: where they differ, and which knows my labels."""

from .alike import agreement_map, compared, described
from .labelled import Labelled, probe_encoders
from .numbers import Number
from .places import common_places

__all__ = [
    "Labelled",
    "Number",
    "agreement_map",
    "common_places",
    "compared",
    "described",
    "probe_encoders",
]
