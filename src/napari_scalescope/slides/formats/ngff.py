"""What the metadata of an OME-Zarr group say: its images, their axes and channels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from ...errors import SlideError
from .candidates import Candidate, Kind
from .fluorescence import Channel, Colour, is_fluorescence

#: No file has more images than this; a store that answers to any name would else never end.
MOST_IMAGES = 1000


@dataclass(frozen=True)
class NgffImage:
    """One multiscale image.

    Parameters
    ----------
    name : str
    multiscale : dict
        Its metadata.
    axes, units : list
        Names of the axes in lower case, and their units where they have one.
    levels : list of zarr.Array
        Finest first.
    omero : dict
        How it wants to be shown.
    version : str
        Of the format.
    """

    name: str
    multiscale: dict[str, Any]
    axes: list[str]
    units: list[str | None]
    levels: list[Any]
    omero: dict[str, Any]
    version: str


def images_in(group: Any, file: str) -> list[NgffImage]:
    """The image of a group, or those of its sub-groups as bioformats2raw lays them out.

    Raises
    ------
    SlideError
        If there is none, or it lists levels that are not there.
    """
    import zarr

    if _multiscale(group) is not None:
        return [_image(group, file, file)]
    found: list[NgffImage] = []
    for number in map(str, count()):
        if number not in group or len(found) == MOST_IMAGES:
            break
        part = group[number]
        if isinstance(part, zarr.Group) and _multiscale(part) is not None:
            found.append(_image(part, file, f"image {len(found) + 1}"))
    if not found:
        raise SlideError(
            f"{file} is a zarr folder without an OME-NGFF image in it.",
            'Choose the folder whose attributes have "multiscales".',
        )
    return found


def _image(group: Any, file: str, name: str) -> NgffImage:
    multiscale = _multiscale(group) or {}
    datasets = multiscale.get("datasets") or []
    if not datasets:
        raise SlideError(
            f"{file} lists no resolution levels.", "Write the image again with its levels."
        )
    axes = multiscale.get("axes", "tczyx")
    try:
        levels = [group[d["path"]] for d in datasets]
    except KeyError as error:
        raise SlideError(
            f"{file} lists a level that is not there ({error}).",
            "Copy the folder again from its source.",
        ) from error
    attrs = _attrs(group)
    return NgffImage(
        str(multiscale.get("name") or name),
        multiscale,
        [str(a["name"] if isinstance(a, Mapping) else a).lower() for a in axes],
        [a.get("unit") if isinstance(a, Mapping) else None for a in axes],
        levels,
        dict(attrs.get("omero") or {}),
        str(multiscale.get("version") or attrs.get("version", "")),
    )


def examined(image: NgffImage, number: int, file: str) -> Candidate:
    """Whether an image is brightfield, fluorescence, or why it is not read."""
    first = image.levels[0]
    shape = dict(zip(image.axes, first.shape, strict=False))

    def unread(what: str, remedy: str) -> Candidate:
        return Candidate(number, image.name, "unread", 0, problem=SlideError(what, remedy))

    if len(image.axes) != first.ndim or "x" not in shape or "y" not in shape:
        return unread(
            f"{file} has axes {image.axes} but an array of shape {first.shape}.",
            "Write the image again: its metadata does not fit its data.",
        )
    n = shape.get("c", 1)
    extra = [f"{size} {axis}" for axis, size in shape.items() if axis not in "cyx" and size > 1]
    if extra or first.dtype.kind not in "uif":
        what = ", ".join([*extra, f"{n} channels of {first.dtype}"])
        return unread(
            f"{file} holds {what}: stacks and time series are not read.",
            "Export one plane of it, brightfield as RGB.",
        )
    channels = _channels(image.omero, n)
    kind: Kind = "brightfield"
    if is_fluorescence(channels, first.dtype, three_are_rgb=True):
        kind = "fluorescence"
    return Candidate(number, image.name, kind, shape["x"] * shape["y"], tuple(channels))


def _channels(omero: Mapping[str, Any], n: int) -> list[Channel]:
    """Of every channel, what is said; nothing where there is something said of others."""
    said = omero.get("channels")
    if not isinstance(said, list) or len(said) != n:
        return [Channel() for _ in range(n)]
    return [
        Channel(
            str(c.get("label") or ""),
            _colour(c.get("color")),
            _window(c.get("window")),
            shown=bool(c.get("active", True)),
        )
        if isinstance(c, Mapping)
        else Channel()
        for c in said
    ]


def _colour(text: object) -> Colour | None:
    """Red, green and blue of six hexadecimal digits."""
    digits = str(text or "").lstrip("#")[:6]
    try:
        value = int(digits, 16)
    except ValueError:
        return None
    return None if len(digits) < 6 else (value >> 16, value >> 8 & 255, value & 255)


def _window(window: object) -> tuple[float, float] | None:
    """Where it starts and ends, None where that is not said or means nothing."""
    if not isinstance(window, Mapping):
        return None
    try:
        low, high = float(window["start"]), float(window["end"])
    except (KeyError, TypeError, ValueError):
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def _multiscale(group: Any) -> dict[str, Any] | None:
    found = _attrs(group).get("multiscales")
    return dict(found[0]) if found else None


def _attrs(group: Any) -> dict[str, Any]:
    """The attributes NGFF puts at the top in 0.4 and under "ome" in 0.5."""
    attrs = dict(group.attrs)
    return dict(attrs.get("ome") or attrs)
