"""Slides: files in, pixels at any place and scale out."""

from .formats import open_slide
from .slide import Level, Slide
from .tiles import MIN_TISSUE, TileBatch, read_tiles
from .tissue import TissueMask, informative, tissue_mask

__all__ = [
    "MIN_TISSUE",
    "Level",
    "Slide",
    "TileBatch",
    "TissueMask",
    "informative",
    "open_slide",
    "read_tiles",
    "tissue_mask",
]
