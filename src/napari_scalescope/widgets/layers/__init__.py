"""Values into layers and back. The one place that makes or changes napari layers.

Every layer carries its scale in µm (level-0 pixels where the resolution is unknown) and the
half-pixel translation of `geometry.Placement`, so that all of them agree to a fraction of a
pixel. Layers are changed in place, never removed and added again. They are known by a mark in
their metadata: names are the user's, and so is every layer without a mark.
"""

from .marks import METADATA, Mark, mark_of
from .overlays import QUERY, REGIONS, SELECTION, Layers
from .shapes import regions_of
from .slide_layers import SlideKeeper, pyramid_of, slide_layer, slide_of

__all__ = [
    "METADATA",
    "QUERY",
    "REGIONS",
    "SELECTION",
    "Layers",
    "Mark",
    "SlideKeeper",
    "mark_of",
    "pyramid_of",
    "regions_of",
    "slide_layer",
    "slide_of",
]
