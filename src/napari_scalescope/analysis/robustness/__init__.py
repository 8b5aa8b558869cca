"""Robustness: how far a vector moves when a tile changes in what should not matter."""

from .changes import PERTURBATIONS, Perturbation, Version, as_jpeg, blurred, restained, rotated
from .stability import Stability, drift, spread, stability

__all__ = [
    "PERTURBATIONS",
    "Perturbation",
    "Stability",
    "Version",
    "as_jpeg",
    "blurred",
    "drift",
    "restained",
    "rotated",
    "spread",
    "stability",
]
