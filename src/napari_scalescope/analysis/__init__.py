"""Analysis: embeddings in, maps, tables and numbers out. Pure functions."""

from .attention import Span, attention_map, attention_span
from .clustering import Clusters, cluster
from .cross_scale import (
    ScaleAnswer,
    ScaleProfile,
    best_magnification,
    cross_scale_agreement,
    cross_scale_search,
    profile_steps,
    scale_profile,
    separability,
)
from .mil import Entropy, attention_entropy, mil_attention, mil_attention_map
from .pca import PcaColours, fit_pca, pca_map
from .projection import project
from .similarity import (
    Hit,
    Whitening,
    area_above,
    find_hits,
    regions_above,
    similarity,
    similarity_map,
    text_map,
    whiten,
    whiten_tokens,
)
from .tile_map import MapClass, TileMap
from .viewing import ViewingAgreement, Visit, viewing_agreement, viewing_map

__all__ = [
    "Clusters",
    "Entropy",
    "Hit",
    "MapClass",
    "PcaColours",
    "ScaleAnswer",
    "ScaleProfile",
    "Span",
    "TileMap",
    "ViewingAgreement",
    "Visit",
    "Whitening",
    "area_above",
    "attention_entropy",
    "attention_map",
    "attention_span",
    "best_magnification",
    "cluster",
    "cross_scale_agreement",
    "cross_scale_search",
    "find_hits",
    "fit_pca",
    "mil_attention",
    "mil_attention_map",
    "pca_map",
    "profile_steps",
    "project",
    "regions_above",
    "scale_profile",
    "separability",
    "similarity",
    "similarity_map",
    "text_map",
    "viewing_agreement",
    "viewing_map",
    "whiten",
    "whiten_tokens",
]
