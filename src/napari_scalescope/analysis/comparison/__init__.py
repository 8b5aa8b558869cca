"""Encoders beside one another on my own slide: where they differ, and which knows my labels."""

from .across import across_scales, recognised
from .alike import agreement_map, compared, described
from .compare import Comparison, compare_encoders
from .labelled import Labelled, probe_encoders
from .numbers import Number
from .places import common_places

__all__ = [
    "Comparison",
    "Labelled",
    "Number",
    "across_scales",
    "agreement_map",
    "common_places",
    "compare_encoders",
    "compared",
    "described",
    "probe_encoders",
    "recognised",
]
