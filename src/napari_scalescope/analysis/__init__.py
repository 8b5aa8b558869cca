"""Analysis: embeddings in, maps, tables and numbers out. Pure functions."""

from .attention import attention_map
from .clustering import Clusters, cluster
from .mil import Entropy, attention_entropy, mil_attention, mil_attention_map
from .projection import pca_map, project
from .similarity import similarity, similarity_map, text_map
from .tile_map import MapClass, TileMap

__all__ = [
    "Clusters",
    "Entropy",
    "MapClass",
    "TileMap",
    "attention_entropy",
    "attention_map",
    "cluster",
    "mil_attention",
    "mil_attention_map",
    "pca_map",
    "project",
    "similarity",
    "similarity_map",
    "text_map",
]
