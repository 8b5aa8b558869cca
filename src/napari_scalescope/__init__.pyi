from .aggregators import Aggregator, read_aggregator
from .analysis import (
    Clusters,
    PcaColours,
    ScaleAnswer,
    ScaleProfile,
    TileMap,
    Visit,
    attention_entropy,
    attention_map,
    best_magnification,
    cluster,
    cross_scale_agreement,
    cross_scale_search,
    fit_pca,
    mil_attention,
    mil_attention_map,
    pca_map,
    project,
    scale_profile,
    similarity_map,
    text_map,
    viewing_agreement,
    viewing_map,
)
from .embeddings import EmbeddingSet, Store, embed
from .embeddings.cohort import Cohort, Hit
from .encoders import Encoder, Encoding, Tokens, load_encoder, register_encoder
from .errors import (
    EncoderError,
    ExchangeError,
    ResolutionError,
    ScaleScopeError,
    SlideError,
    StoreError,
    UnreachableError,
)
from .exchange import export, read_regions
from .geometry import Box, TileGrid
from .regions import Region, Regions
from .session import Session
from .session.places import open_hit
from .session.viewing import read_viewing
from .slides import Slide, TissueMask, open_slide, read_tiles, tissue_mask
from .slides.phantom import phantom

__version__: str

__all__ = [
    "Aggregator",
    "Box",
    "Clusters",
    "Cohort",
    "EmbeddingSet",
    "Encoder",
    "EncoderError",
    "Encoding",
    "ExchangeError",
    "Hit",
    "PcaColours",
    "Region",
    "Regions",
    "ResolutionError",
    "ScaleAnswer",
    "ScaleProfile",
    "ScaleScopeError",
    "Session",
    "Slide",
    "SlideError",
    "Store",
    "StoreError",
    "TileGrid",
    "TileMap",
    "TissueMask",
    "Tokens",
    "UnreachableError",
    "Visit",
    "attention_entropy",
    "attention_map",
    "best_magnification",
    "cluster",
    "cross_scale_agreement",
    "cross_scale_search",
    "embed",
    "export",
    "fit_pca",
    "load_encoder",
    "mil_attention",
    "mil_attention_map",
    "open_hit",
    "open_slide",
    "pca_map",
    "phantom",
    "project",
    "read_aggregator",
    "read_regions",
    "read_tiles",
    "read_viewing",
    "register_encoder",
    "scale_profile",
    "similarity_map",
    "text_map",
    "tissue_mask",
    "viewing_agreement",
    "viewing_map",
]
