"""The state of one viewer, without a viewer."""

from .session import Session
from .state import FOLLOW, OVERLAYS, Look, Overlay, Projection, Scale, Selection, Status, View
from .trust import Remark, trust

__all__ = [
    "FOLLOW",
    "OVERLAYS",
    "Look",
    "Overlay",
    "Projection",
    "Remark",
    "Scale",
    "Selection",
    "Session",
    "Status",
    "View",
    "trust",
]
