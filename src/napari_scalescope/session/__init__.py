"""The state of one viewer, without a viewer."""

from .findings import Projection, Question, Selection
from .look import OVERLAYS, Look
from .session import Session
from .state import FOLLOW, Scale, Status, View
from .trust import Remark, trust

__all__ = [
    "FOLLOW",
    "OVERLAYS",
    "Look",
    "Projection",
    "Question",
    "Remark",
    "Scale",
    "Selection",
    "Session",
    "Status",
    "View",
    "trust",
]
