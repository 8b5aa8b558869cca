"""Where things are: every conversion of coordinates in ScaleScope is in this folder.

The one coordinate system is **level-0 pixels**: x to the right, y down, the origin at the
*corner* of the first pixel, floats. A pixel with index i therefore covers [i, i + 1) and has its
centre at i + 0.5. Lengths on the glass are in micrometres (µm); resolution is µm per pixel
(``mpp``). Arrays are indexed ``[row, column]``, points and boxes are written ``(x, y)``.

napari's world is µm on the same axes (or level-0 pixels for a slide of unknown resolution), so
``world = level0 * mpp``. Because napari puts the *centre* of pixel i at ``i * scale +
translate``, every raster layer carries a translation of half of its own pixel: see `Placement`.
"""

from .boxes import (
    Box,
    FloatArray,
    IntArray,
    from_level,
    from_um,
    level_downsample,
    to_level,
    to_um,
)
from .grid import TileGrid
from .links import Overlaps, child_spans, children, overlaps, parent_spans, parents
from .placement import Placement, scale_for_view, screen_mpp, viewport_box
from .spans import Link

__all__ = [
    "Box",
    "FloatArray",
    "IntArray",
    "Link",
    "Overlaps",
    "Placement",
    "TileGrid",
    "child_spans",
    "children",
    "from_level",
    "from_um",
    "level_downsample",
    "overlaps",
    "parent_spans",
    "parents",
    "scale_for_view",
    "screen_mpp",
    "to_level",
    "to_um",
    "viewport_box",
]
