"""What an OME-XML block says of its images, their channels and their scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from ..resolution import UM_PER, Statement, as_number
from .fluorescence import Channel, Colour


@dataclass(frozen=True)
class OmeImage:
    """One image of an OME-XML block.

    Parameters
    ----------
    name : str
    size : (int, int)
        Width and height in pixels.
    channels : tuple of Channel
        One per `Channel` element: RGB is a single one of three samples.
    resolution : tuple of Statement
        Its physical pixel size, none where it gives none or in no unit of length.
    """

    name: str
    size: tuple[int, int]
    channels: tuple[Channel, ...]
    resolution: tuple[Statement, ...]


def ome_images(xml: str | None) -> list[OmeImage]:
    """The images of a block, none where it cannot be read."""
    if not xml:
        return []
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return []
    found = []
    for image in _all(root, "Image"):
        pixels = next(_all(image, "Pixels"), None)
        if pixels is None:
            continue
        size = (_whole(pixels.get("SizeX")), _whole(pixels.get("SizeY")))
        channels = tuple(_channel(c) for c in _all(pixels, "Channel"))
        found.append(OmeImage(image.get("Name") or "", size, channels, _resolution(pixels)))
    return found


def image_of(series: Any, number: int, count: int, images: list[OmeImage]) -> OmeImage | None:
    """The image a tifffile series was made from.

    By its number where there are as many (images without pixels make no series), else by name
    and size.
    """
    if len(images) == count:
        return images[number]
    page = series.keyframe
    size = (int(page.imagewidth), int(page.imagelength))
    return next((i for i in images if i.name == series.name and i.size == size), None)


def _resolution(pixels: ElementTree.Element) -> tuple[Statement, ...]:
    sides = []
    for axis in "XY":
        size = as_number(pixels.get(f"PhysicalSize{axis}"))
        unit = UM_PER.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        if size is None or unit is None:
            return ()
        sides.append(size * unit)
    return (Statement("OME PhysicalSizeX", *sides),)


def _channel(element: ElementTree.Element) -> Channel:
    fluorescent = (
        element.get("ContrastMethod") == "Fluorescence"
        or element.get("Fluor") is not None
        or element.get("EmissionWavelength") is not None
    )
    name = element.get("Name") or element.get("Fluor") or ""
    return Channel(name, _colour(element.get("Color")), fluorescent=fluorescent)


def _colour(text: str | None) -> Colour | None:
    """Red, green and blue of a signed 32-bit number that holds RGBA."""
    try:
        rgba = int(text or "") & 0xFFFFFFFF
    except ValueError:
        return None
    return (rgba >> 24, rgba >> 16 & 255, rgba >> 8 & 255)


def _all(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Elements of a name below one, whatever version of the schema names them."""
    return (e for e in element.iter() if e.tag.rpartition("}")[2] == name)


def _whole(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        return 0
