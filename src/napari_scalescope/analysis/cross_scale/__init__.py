"""One place at several resolutions: search, agreement, best magnification, scale profile."""

from .agreement import AgreementKind, cross_scale_agreement
from .best import best_magnification, separability
from .profile import ScaleProfile, profile_steps, scale_profile
from .search import ScaleAnswer, cross_scale_search

__all__ = [
    "AgreementKind",
    "ScaleAnswer",
    "ScaleProfile",
    "best_magnification",
    "cross_scale_agreement",
    "cross_scale_search",
    "profile_steps",
    "scale_profile",
    "separability",
]
