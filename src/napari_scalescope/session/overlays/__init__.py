"""What can be laid over the tissue: one module each, with its options and how it is painted."""

from .agreement import AgreementOverlay
from .attention import AttentionOverlay
from .best import BestMagnificationOverlay
from .clusters import ClusterOverlay
from .mil import MilOverlay
from .overlay import Overlay
from .pca import PcaOverlay
from .similarity import SimilarityOverlay
from .viewing import ViewingOverlay

__all__ = [
    "AgreementOverlay",
    "AttentionOverlay",
    "BestMagnificationOverlay",
    "ClusterOverlay",
    "MilOverlay",
    "Overlay",
    "PcaOverlay",
    "SimilarityOverlay",
    "ViewingOverlay",
]
