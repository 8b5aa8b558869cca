"""The images in a TIFF file without a scanner's dialect, and those beside the slide in any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..chunks import as_rgb
from ..slide import Pixels
from .candidates import LARGEST_BESIDE, Candidate, Kind, pick
from .fluorescence import Channel, is_fluorescence, rgb_planes
from .ome_xml import OmeImage, image_of, ome_images


def choose(tif: Any, file: str) -> tuple[Candidate, list[Candidate]]:
    """The image to show, and the others.

    Parameters
    ----------
    tif : tifffile.TiffFile
    file : str
        Its name, for the error.

    Raises
    ------
    SlideError
        If none can be shown, for the reason of the first.
    """
    images = ome_images(tif.ome_metadata)
    series = tif.series
    found = [
        _examined(s, i, file, image_of(s, i, len(series), images)) for i, s in enumerate(series)
    ]
    return pick(found, file)


def _examined(series: Any, number: int, file: str, image: OmeImage | None) -> Candidate:
    page = series.keyframe
    name = series.name or f"image {number + 1}"
    area = int(page.imagewidth) * int(page.imagelength)

    def made(kind: Kind, channels: Sequence[Channel] = ()) -> Candidate:
        return Candidate(number, name, kind, area, tuple(channels), image)

    def unread(problem: SlideError) -> Candidate:
        return Candidate(number, name, "unread", area, (), image, problem)

    sizes = dict(zip(series.axes, series.shape, strict=True))
    stacked = {a for a, n in sizes.items() if n > 1} - set("CSYX")
    both = sizes.get("C", 1) > 1 and sizes.get("S", 1) > 1
    if stacked or both or not {"Y", "X"} <= set(sizes) or series.dtype.kind not in "uif":
        return unread(
            SlideError(
                f"{file} is laid out as {series.axes} {series.shape} of {series.dtype}, not as "
                "one image: stacks and time series are not read.",
                "Export one plane of it, brightfield as RGB.",
            )
        )
    n = max(sizes.get("C", 1), sizes.get("S", 1))
    together = page.samplesperpixel > 1 and page.planarconfig == 1
    said = image.channels if image is not None and len(image.channels) == n else ()
    deep_rgb = page.photometric == 2 and n in (3, 4) and page.dtype != np.uint8
    if page.samplesperpixel == 2 or (deep_rgb and not any(c.names_a_dye for c in said)):
        return unread(
            SlideError(
                f"{file} holds {n} channels of {page.dtype}; ScaleScope reads 8-bit RGB.",
                "Convert it to 8-bit RGB.",
            )
        )
    channels = said or tuple(Channel() for _ in range(n))
    coloured = together or page.photometric in (2, 6)
    is_rgb = page.dtype == np.uint8 and "S" in sizes and n in (3, 4) and coloured
    if is_rgb or not is_fluorescence(channels, page.dtype, three_are_rgb=False):
        if together or n == 1:
            return made("brightfield")
        return made("planes", rgb_planes(n))
    return made("fluorescence", channels)


def read_beside(path: Path, number: int, name: str) -> Pixels:
    """The pixels (h, w, 3) of an image beside the slide, from its coarsest level.

    The file is opened anew: it happens seldom, and nobody else's reading is disturbed.
    """
    import tifffile

    what = f"The image {name!r} of {path.name}"
    try:
        with tifffile.TiffFile(path) as tif:
            level = tif.series[number].levels[-1]
            if level.axes not in ("YX", "YXS") or level.dtype != np.uint8:
                raise SlideError(
                    f"{what} is {level.axes} of {level.dtype}, and only 8-bit RGB or grey is shown "
                    "of what lies beside a slide.",
                    "Export it by itself.",
                )
            if level.size > LARGEST_BESIDE * 3:
                raise SlideError(
                    f"{what} has {level.shape[1]} × {level.shape[0]} px without a smaller level.",
                    "Export it by itself.",
                )
            pixels = np.asarray(level.asarray())
    except SlideError:
        raise
    except Exception as error:  # parsers and codecs of damaged files raise anything
        raise SlideError(
            f"{what} cannot be decoded ({error}).", "Copy the file again from its source."
        ) from error
    return as_rgb(pixels if pixels.ndim == 3 else pixels[..., None])


def piece_size(page: Any) -> tuple[int, int]:
    """Width and height of the stored pieces of a page."""
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), min(int(page.rowsperstrip), int(page.imagelength))
