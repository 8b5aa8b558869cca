"""What looks like this? Scores, maps, the places that score highest and outlines of them."""

from ...embeddings.half import Vectors, unit
from .examples import token_at, token_in, vector_at, vector_in
from .hits import Hit, find_hits
from .maps import blended_map, similarity_map, text_map
from .outlines import area_above, regions_above
from .scores import MEASURES, Measure, nearest, ranked, similarity
from .whitening import WhitenedSet, Whitening, whiten, whiten_tokens

__all__ = [
    "MEASURES",
    "Hit",
    "Measure",
    "Vectors",
    "WhitenedSet",
    "Whitening",
    "area_above",
    "blended_map",
    "find_hits",
    "nearest",
    "ranked",
    "regions_above",
    "similarity",
    "similarity_map",
    "text_map",
    "token_at",
    "token_in",
    "unit",
    "vector_at",
    "vector_in",
    "whiten",
    "whiten_tokens",
]
