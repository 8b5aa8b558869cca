"""Analysis: embeddings in, maps, tables and numbers out. Pure functions."""

from .aligned import lay_out_aligned, same_place
from .attention import Span, attention_map, attention_span
from .clustering import (
    ClusterRow,
    Clusters,
    Known,
    Suggestion,
    as_known,
    cluster,
    keep_names,
    suggest_k,
)
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
from .projection import Projection, lay_out, project, warm_up
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
    "ClusterRow",
    "Clusters",
    "Entropy",
    "Hit",
    "Known",
    "MapClass",
    "PcaColours",
    "Projection",
    "ScaleAnswer",
    "ScaleProfile",
    "Span",
    "Suggestion",
    "TileMap",
    "ViewingAgreement",
    "Visit",
    "Whitening",
    "area_above",
    "as_known",
    "attention_entropy",
    "attention_map",
    "attention_span",
    "best_magnification",
    "cluster",
    "cross_scale_agreement",
    "cross_scale_search",
    "find_hits",
    "fit_pca",
    "keep_names",
    "lay_out",
    "lay_out_aligned",
    "mil_attention",
    "mil_attention_map",
    "pca_map",
    "profile_steps",
    "project",
    "regions_above",
    "same_place",
    "scale_profile",
    "separability",
    "similarity",
    "similarity_map",
    "suggest_k",
    "text_map",
    "viewing_agreement",
    "viewing_map",
    "warm_up",
    "whiten",
    "whiten_tokens",
]
