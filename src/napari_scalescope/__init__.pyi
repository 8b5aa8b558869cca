from .analysis import (
    Clusters,
    TileMap,
    attention_map,
    cluster,
    pca_map,
    project,
    similarity_map,
    text_map,
)
from .embeddings import EmbeddingSet, Store, embed
from .encoders import Encoder, Encoding, load_encoder
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
from .slides import Slide, TissueMask, open_slide, read_tiles, tissue_mask
from .slides.phantom import phantom

__version__: str

__all__ = [
    "Box",
    "Clusters",
    "EmbeddingSet",
    "Encoder",
    "EncoderError",
    "Encoding",
    "ExchangeError",
    "Region",
    "Regions",
    "ResolutionError",
    "ScaleScopeError",
    "Session",
    "Slide",
    "SlideError",
    "Store",
    "StoreError",
    "TileGrid",
    "TileMap",
    "TissueMask",
    "UnreachableError",
    "attention_map",
    "cluster",
    "embed",
    "export",
    "load_encoder",
    "open_slide",
    "pca_map",
    "phantom",
    "project",
    "read_regions",
    "read_tiles",
    "similarity_map",
    "text_map",
    "tissue_mask",
]
