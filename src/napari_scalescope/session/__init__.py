"""The state of one viewer, without a viewer."""

from .asking import Area, Picture, Question, Spot, Words
from .findings import Projection, Selection
from .look import OVERLAYS, Look
from .session import Session
from .state import FOLLOW, Scale, Status, View
from .trust import Remark, trust

__all__ = [
    "FOLLOW",
    "OVERLAYS",
    "Area",
    "Look",
    "Picture",
    "Projection",
    "Question",
    "Remark",
    "Scale",
    "Selection",
    "Session",
    "Spot",
    "Status",
    "View",
    "Words",
    "trust",
]
