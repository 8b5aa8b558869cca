"""What can be laid over the tissue: one module each, with its options and how it is painted."""

from .attention import AttentionOverlay
from .clusters import ClusterOverlay
from .mil import MilOverlay
from .overlay import Overlay
from .pca import PcaOverlay
from .similarity import SimilarityOverlay
from .viewing import ViewingOverlay

__all__ = [
    "AttentionOverlay",
    "ClusterOverlay",
    "MilOverlay",
    "Overlay",
    "PcaOverlay",
    "SimilarityOverlay",
    "ViewingOverlay",
]
