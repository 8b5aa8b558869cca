"""What a layer of ours is, which slide it belongs to, and where that puts it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...geometry import Placement
from ...slides import Slide

if TYPE_CHECKING:
    from napari.layers import Layer

#: Key of a layer's metadata under which its `Mark` is found.
METADATA = "scalescope"

#: A map is known by the kind of its values, because that decides the type of layer.
Role = Literal["slide", "score", "class", "colour", "selection", "query", "regions"]
LAYER_TYPES: dict[Role, str] = {
    "slide": "Image",
    "score": "Image",
    "class": "Labels",
    "colour": "Image",
    "selection": "Image",
    "query": "Points",
    "regions": "Shapes",
}


@dataclass(frozen=True)
class Mark:
    """Kept with a layer for as long as it exists, so that a later session finds it again.

    Parameters
    ----------
    role : str
        What the layer shows.
    slide : str
        Fingerprint of the slide it belongs to.
    unit : float
        World units per level-0 pixel it was placed with.
    """

    role: Role
    slide: str
    unit: float


def mark_of(layer: Layer) -> Mark | None:
    """The mark of a layer that lies on a slide of ours, None for any other layer."""
    mark = layer.metadata.get(METADATA)
    return mark if isinstance(mark, Mark) and layer.ndim == 2 else None


def is_ours(layer: Layer, mark: Mark) -> bool:
    """Whether a marked layer is ours to change and to remove.

    napari copies the metadata when the user duplicates or converts a layer. What they made of an
    overlay is theirs; a copy of a drawing is as good as the drawing.
    """
    copied = layer.source.parent is not None and mark.role != "regions"
    return type(layer).__name__ == LAYER_TYPES[mark.role] and not copied


def unit_of(slide: Slide) -> float:
    """World units per level-0 pixel: µm, or 1 for a slide of unknown resolution."""
    return slide.mpp or 1.0


def units(slide: Slide) -> tuple[str, str]:
    """Units of the world axes: µm, or pixels for a slide of unknown resolution.

    napari ignores the units of all layers when one differs, so every layer gets these.
    """
    return ("pixel", "pixel") if slide.mpp is None else ("µm", "µm")


def marked(role: Role, slide: Slide) -> dict[str, Any]:
    """``metadata`` and ``units`` of a new layer."""
    mark = Mark(role, slide.fingerprint, unit_of(slide))
    return {"metadata": {METADATA: mark}, "units": units(slide)}


def raster(role: Role, slide: Slide, placement: Placement) -> dict[str, Any]:
    """Options of a new layer of pixels."""
    return {**marked(role, slide), **placement.napari(slide.mpp)}


def vector(role: Role, slide: Slide) -> dict[str, Any]:
    """Options of a new layer of level-0 coordinates: a vertex is a point, not a pixel."""
    return {**marked(role, slide), "scale": (unit_of(slide),) * 2}


def move(layer: Layer, slide: Slide, placement: Placement) -> None:
    """Put a layer of pixels in another place on its slide."""
    where = placement.napari(slide.mpp)
    layer.scale, layer.translate = where["scale"], where["translate"]


def rescale(layer: Layer, slide: Slide) -> None:
    """Place a marked layer for the slide's resolution, if it was placed for another."""
    mark = mark_of(layer)
    assert mark is not None
    ratio = unit_of(slide) / mark.unit
    layer.metadata[METADATA] = replace(mark, unit=unit_of(slide))
    if ratio != 1.0:
        layer.scale = np.multiply(layer.scale, ratio)
        layer.translate = np.multiply(layer.translate, ratio)
    layer.units = units(slide)
