"""What was found out about the thing that is looked at, and is forgotten with it."""

from ...analysis import Projection
from .colouring import Coloured, Colouring
from .finding import Finding
from .groups import Groups
from .mil import Mil, TileWeights
from .overlay_map import OverlayMap
from .points import Points
from .profile import Profile
from .questions import Questions
from .selection import Selected, Selection

__all__ = [
    "Coloured",
    "Colouring",
    "Finding",
    "Groups",
    "Mil",
    "OverlayMap",
    "Points",
    "Profile",
    "Projection",
    "Questions",
    "Selected",
    "Selection",
    "TileWeights",
]
