"""A made-up H&E slide of any size, painted when it is read, with ground truth at every point.

`world` decides where every structure is, from hashes of the place alone (`lattice`); `paint`
turns that into concentrations of dyes and light (`textures`, `nuclei`), `stain` into the colours
of a scanner; `slide` serves it in levels. The truth is read off the same fields that are painted.
"""

from .classes import CLASSES, TissueClass
from .slide import PhantomReader, PhantomSlide, phantom
from .stain import SCANNERS, STAINS

__all__ = [
    "CLASSES",
    "SCANNERS",
    "STAINS",
    "PhantomReader",
    "PhantomSlide",
    "TissueClass",
    "phantom",
]
