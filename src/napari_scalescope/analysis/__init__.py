"""Analysis: embeddings in, maps, tables and numbers out. Pure functions."""

from .attention import attention_map
from .clustering import Clusters, cluster
from .projection import pca_map, project
from .similarity import similarity, similarity_map, text_map
from .tile_map import MapClass, TileMap

__all__ = [
    "Clusters",
    "MapClass",
    "TileMap",
    "attention_map",
    "cluster",
    "pca_map",
    "project",
    "similarity",
    "similarity_map",
    "text_map",
]
