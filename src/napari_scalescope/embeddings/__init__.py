"""Embeddings: computed once, kept, and handed out as values."""

from .embedding_set import EmbeddingSet, TileState
from .pipeline import embed
from .progress import Progress
from .store import Store
from .stored_set import StoredSet

__all__ = ["EmbeddingSet", "Progress", "Store", "StoredSet", "TileState", "embed"]
