"""Groups of tiles that look alike to the encoder."""

from .clusters import ClusterRow, Clusters
from .grouping import KS, Method, cluster, points_of, suggest_k
from .naming import Known, as_known, keep_names
from .suggestion import Suggestion

__all__ = [
    "KS",
    "ClusterRow",
    "Clusters",
    "Known",
    "Method",
    "Suggestion",
    "as_known",
    "cluster",
    "keep_names",
    "points_of",
    "suggest_k",
]
