"""A slide with spots at places known in µm, written in every format that can be written here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from ..slides.conftest import halved, write_ngff

#: Odd, so that coarse levels are cut.
SIZE = (2303, 1901)
#: Of the spots, in level-0 pixels: seen at the coarsest level, and narrow beside their distances.
SIGMA = 24.0
GLASS, INK = 240, 200
#: Corners of the slide and its middle, off the lattice of every level (corner-based).
PLACES = np.array(
    [(131.37, 128.81), (2169.29, 133.06), (129.6, 1770.44), (2172.13, 1769.7), (1151.73, 950.21)]
)


def picture() -> np.ndarray:
    """The finest level."""
    w, h = SIZE
    x, y = np.arange(w) + 0.5, np.arange(h) + 0.5
    ink = np.zeros((h, w))
    for px, py in PLACES:
        ink += np.exp(-((y[:, None] - py) ** 2 + (x[None] - px) ** 2) / (2 * SIGMA**2))
    grey = GLASS - INK * np.clip(ink, 0, 1)
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=-1)


def levels_of(n: int, step: int = 1) -> list[np.ndarray]:
    """The picture, halved ``step`` times from level to level."""
    found = [picture()]
    while len(found) < n:
        level = found[-1]
        for _ in range(step):
            level = halved(level)
        found.append(level)
    return found


def spots(pixels: np.ndarray, places: np.ndarray, reach: float, noise: float = 6) -> np.ndarray:
    """Where the spots lie in a picture, from the ink within ``reach`` of where they should.

    Parameters
    ----------
    pixels : (h, w) or (h, w, 3)
        Dark on light.
    places : (n, 2) float
        x and y in its pixels, corner-based.
    noise : float
        What compression leaves on glass, in grey values.

    Returns
    -------
    (n, 2) float
    """
    grey = pixels.reshape(*pixels.shape[:2], -1)[..., 0].astype(float)
    ink = np.clip(GLASS - grey - noise, 0, None)
    found = []
    for x, y in places:
        x0, y0 = max(0, int(x - reach)), max(0, int(y - reach))
        part = ink[y0 : int(y + reach) + 2, x0 : int(x + reach) + 2]
        rows, cols = np.indices(part.shape) + 0.5
        total = part.sum()
        found.append((x0 + (part * cols).sum() / total, y0 + (part * rows).sum() / total))
    return np.array(found)


def _tiff(path: Path, mpp: float, compression: str = "deflate", step: int = 1) -> None:
    levels = levels_of(4 if step == 1 else 3, step)
    with tifffile.TiffWriter(path) as tif:
        for i, level in enumerate(levels):
            per_cm = 1e4 / mpp / 2 ** (i * step)
            tif.write(
                level,
                tile=(240, 240) if compression != "jpeg" else (256, 256),
                photometric="rgb",
                compression=compression,
                compressionargs={"level": 90} if compression in ("jpeg", "webp") else {},
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
                subifds=len(levels) - 1 if i == 0 else None,
                subfiletype=1 if i else 0,
            )  # fmt: skip


def _strips(path: Path, mpp: float) -> None:
    per_cm = 1e4 / mpp
    tifffile.imwrite(
        path, picture(), photometric="rgb", rowsperstrip=37, compression="lzw",
        resolution=(per_cm, per_cm), resolutionunit="CENTIMETER", metadata=None,
    )  # fmt: skip


def _aperio(path: Path, mpp: float) -> None:
    """Levels as pages of their own, a quarter each, and a thumbnail between them."""
    full, *coarse = levels_of(3, 2)
    text = f"Aperio Image Library v12\r\n{SIZE[0]}x{SIZE[1]} (256x256) JPEG/RGB Q=90|MPP = {mpp}"
    how = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 90}}
    with tifffile.TiffWriter(path) as tif:
        tif.write(full, tile=(256, 256), description=text, metadata=None, **how)
        thumbnail = np.ascontiguousarray(coarse[0][::2, ::2])
        tif.write(thumbnail, rowsperstrip=16, description=text, metadata=None, **how)
        for level in coarse:
            tif.write(level, tile=(256, 256), description=text, metadata=None, **how)


def _philips(path: Path, mpp: float) -> None:
    """Every level filled up to whole tiles, so that their sizes are not their ratio."""
    levels = levels_of(4)
    spacing = "".join(
        f'<DataObject ObjectType="PixelDataRepresentation"><Attribute Name="DICOM_PIXEL_SPACING">'
        f'"{mpp * 2**i / 1000:.9f}" "{mpp * 2**i / 1000:.9f}"</Attribute></DataObject>'
        for i in range(len(levels))
    )
    text = (
        '<DataObject ObjectType="DPUfsImport"><Attribute Name="DICOM_MANUFACTURER">PHILIPS'
        f"</Attribute><Attribute><Array>{spacing}</Array></Attribute></DataObject>"
    )
    with tifffile.TiffWriter(path) as tif:
        for i, level in enumerate(levels):
            filled = [(0, -n % 512) for n in level.shape[:2]]
            tif.write(
                np.pad(level, (*filled, (0, 0)), constant_values=GLASS), tile=(512, 512),
                photometric="rgb", compression="jpeg", compressionargs={"level": 90},
                description=text if i == 0 else "", software="Philips DP v1.0", metadata=None,
            )  # fmt: skip


def _ome_tiff(path: Path, mpp: float) -> None:
    levels = levels_of(4)
    size = {"PhysicalSizeX": mpp * 1000, "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": mpp * 1000, "PhysicalSizeYUnit": "nm"}  # fmt: skip
    with tifffile.TiffWriter(path, ome=True) as tif:
        for i, level in enumerate(levels):
            tif.write(
                level, tile=(128, 128), photometric="rgb", compression="zstd",
                metadata={"axes": "YXS", **size} if i == 0 else None,
                subifds=len(levels) - 1 if i == 0 else None, subfiletype=1 if i else 0,
            )  # fmt: skip


def _zarr(path: Path, mpp: float, version: str) -> None:
    levels = [level.transpose(2, 0, 1) for level in levels_of(4)]
    write_ngff(path, levels, version=version, mpp=mpp, chunk=300)


def _png(path: Path, mpp: float) -> None:
    from PIL import Image

    Image.fromarray(picture()).save(path, dpi=(25400 / mpp,) * 2)


Writer = Callable[[Path, float], None]

WRITERS: dict[str, tuple[str, Writer]] = {
    **{
        f"TIFF, {name}": (
            "a.tif",
            lambda path, mpp, name=name: _tiff(path, mpp, name),  # type: ignore[misc]
        )
        for name in ("jpeg", "jpeg2000", "lzw", "deflate", "webp", "zstd")
    },
    "TIFF, levels by 4": ("a.tif", lambda path, mpp: _tiff(path, mpp, "deflate", 2)),
    "TIFF in strips, one level": ("a.tif", _strips),
    "Aperio SVS": ("a.svs", _aperio),
    "Philips TIFF": ("a.tiff", _philips),
    "OME-TIFF": ("a.ome.tif", _ome_tiff),
    "OME-Zarr 0.4": ("a.ome.zarr", lambda path, mpp: _zarr(path, mpp, "0.4")),
    "OME-Zarr 0.5": ("a.ome.zarr", lambda path, mpp: _zarr(path, mpp, "0.5")),
    "PNG": ("a.png", _png),
}
