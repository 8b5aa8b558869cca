"""Small slides written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

Pixels = np.ndarray


def smooth_picture(w: int, h: int, seed: int = 0) -> Pixels:
    """A smooth colourful picture: survives JPEG and resampling with small errors."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    layers = []
    for _ in range(3):
        fx, fy, phase = (*rng.uniform(0.005, 0.03, 2), rng.uniform(0, 6))
        layers.append(128 + 90 * np.sin(fx * x + phase) * np.cos(fy * y))
    return np.stack(layers, -1).astype(np.uint8)


def halved(pixels: Pixels) -> Pixels:
    """The picture at half size (the last odd row and column cut), averaged."""
    h, w = (n // 2 * 2 for n in pixels.shape[:2])
    p = pixels[:h, :w].astype(np.float32)
    return np.rint((p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4).astype(np.uint8)


def write_pyramid(
    path: Path,
    pixels: Pixels,
    *,
    mpp: float | None = 0.5,
    levels: int = 3,
    tile: int = 128,
    compression: str = "jpeg",
    description: str | None = None,
    **options: Any,
) -> list[Pixels]:
    """A tiled pyramidal TIFF with sub-IFDs; returns the pixels of its levels."""
    pyramid = [pixels]
    for _ in range(levels - 1):
        pyramid.append(halved(pyramid[-1]))
    common: dict[str, Any] = {
        "tile": (tile, tile),
        "compression": compression,
        "photometric": "rgb",
        "metadata": None,
        **options,
    }
    if compression == "jpeg":
        common["compressionargs"] = {"level": 95}
    with tifffile.TiffWriter(path) as tif:
        for i, level in enumerate(pyramid):
            extra: dict[str, Any] = {"subifds": levels - 1} if i == 0 else {"subfiletype": 1}
            if mpp is not None:
                extra["resolution"] = (1e4 / mpp / 2**i, 1e4 / mpp / 2**i)
                extra["resolutionunit"] = "CENTIMETER"
            if i == 0 and description is not None:
                extra["description"] = description
            tif.write(level, **common, **extra)
    return pyramid


def write_ngff(
    place: Any,
    levels: list[Pixels],
    *,
    version: str = "0.4",
    axes: str = "cyx",
    mpp: float = 0.25,
    omero: dict[str, Any] | None = None,
    path: str = "",
    name: str = "a",
    chunk: int = 64,
) -> None:
    """An OME-Zarr image of planes (channels, h, w), at a path or into a store."""
    import zarr

    group = zarr.open_group(place, mode="a", path=path, zarr_format=2 if version == "0.4" else 3)
    kinds = {"c": "channel", "t": "time"}
    multiscale = {
        "name": name,
        "axes": [
            {"name": a, "type": kinds[a]}
            if a in kinds
            else {"name": a, "type": "space", "unit": "micrometer"}
            for a in axes
        ],
        "datasets": [
            {
                "path": str(i),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [mpp * 2**i if a in "yx" else 1.0 for a in axes]}
                ],
            }
            for i in range(len(levels))
        ],
    }
    shown = {} if omero is None else {"omero": omero}
    if version == "0.4":
        group.attrs.update({"multiscales": [{**multiscale, "version": "0.4"}], **shown})
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale], **shown}
    for i, level in enumerate(levels):
        order = ["cyx".index(a) for a in axes if a in "cyx"]
        array = level.transpose(order)
        for at, a in enumerate(axes):
            if a not in "cyx":
                array = np.expand_dims(array, at)
        group.create_array(str(i), data=array, chunks=tuple(min(chunk, n) for n in array.shape))


def spoil_piece(path: Path, piece: int, how: Callable[[bytearray], None]) -> None:
    """Change the stored bytes of one piece of a TIFF's first page, in place and at their length."""
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        start, count = page.dataoffsets[piece], page.databytecounts[piece]
    content = bytearray(path.read_bytes())
    part = content[start : start + count]
    how(part)
    content[start : start + count] = part
    path.write_bytes(content)


def zeroed(part: bytearray) -> None:
    part[:] = bytes(len(part))


@pytest.fixture
def tiff(tmp_path: Path) -> Callable[..., tuple[Path, list[Pixels]]]:
    """Make a pyramidal TIFF: ``tiff(w, h, **options) -> (path, levels)``."""

    def make(w: int = 700, h: int = 500, name: str = "slide.tif", **options: Any) -> Any:
        path = tmp_path / name
        return path, write_pyramid(path, smooth_picture(w, h), **options)

    return make
