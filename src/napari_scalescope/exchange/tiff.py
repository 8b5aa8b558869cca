"""Slides, or parts of them, as pyramidal TIFF."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from ..errors import ExchangeError
from ..geometry import Box
from ..slides.slide import Pixels, Slide

#: Levels are added until the longest side is at most this.
COARSEST_PX = 1024


def write_pyramidal_tiff(
    slide: Slide,
    path: str | Path,
    *,
    box: tuple[float, float, float, float] | None = None,
    mpp: float | None = None,
    quality: int = 80,
    tile_px: int = 256,
) -> None:
    """Write a slide as tiled, JPEG-compressed, pyramidal TIFF with its resolution in the tags.

    Parameters
    ----------
    slide : Slide
        Of known resolution.
    path : path
        Replaced whole once it is complete.
    box : (x, y, w, h), optional
        The part to write, level-0 pixels; default the whole slide.
    mpp : float, optional
        Resolution of the finest level in µm/px; default the slide's own. Coarser levels halve it.
    quality : int
        JPEG quality, 1 to 100.
    tile_px : int
        Side of a tile, a multiple of 16.

    Raises
    ------
    ResolutionError
        If the slide's resolution is unknown.
    ExchangeError
        If the file cannot be written.
    """
    import tifffile

    native = slide.require_mpp()
    mpp = mpp or native
    part = Box(*box) if box is not None else slide.box
    width, height = (max(1, round(side * native / mpp)) for side in (part.w, part.h))
    sizes = [(width, height)]
    while max(sizes[-1]) > COARSEST_PX:
        sizes.append((max(1, sizes[-1][0] // 2), max(1, sizes[-1][1] // 2)))

    def tiles(level: int) -> Iterator[Pixels]:
        side = tile_px * mpp * 2**level / native
        w, h = sizes[level]
        for row in range(-(-h // tile_px)):
            for col in range(-(-w // tile_px)):
                at = (part.x + col * side, part.y + row * side, side, side)
                yield slide.read(at, size=(tile_px, tile_px))

    path = Path(path)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with tifffile.TiffWriter(draft, bigtiff=width * height > 1 << 30) as tif:
            for level, (w, h) in enumerate(sizes):
                per_cm = 1e4 / (mpp * 2**level)
                tif.write(
                    tiles(level),
                    shape=(h, w, 3),
                    dtype="uint8",
                    tile=(tile_px, tile_px),
                    photometric="rgb",
                    compression="jpeg",
                    compressionargs={"level": quality},
                    resolution=(per_cm, per_cm),
                    resolutionunit="CENTIMETER",
                    metadata=None,
                    software=False,
                    subifds=len(sizes) - 1 if level == 0 else None,
                    subfiletype=1 if level else 0,
                )
        draft.replace(path)
    except OSError as error:
        raise ExchangeError(
            f"{path.name} cannot be written ({error}).", "Choose another folder."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
