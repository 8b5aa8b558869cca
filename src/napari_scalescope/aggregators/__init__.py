"""Aggregators: heads that weigh the tiles of a slide against each other, and their files."""

from .aggregator import Aggregator
from .attention_pooling import AttentionPooling, Scorer
from .dual_stream import DualStream
from .reading import aggregator_of, read_aggregator
from .steps import softmax

__all__ = [
    "Aggregator",
    "AttentionPooling",
    "DualStream",
    "Scorer",
    "aggregator_of",
    "read_aggregator",
    "softmax",
]
