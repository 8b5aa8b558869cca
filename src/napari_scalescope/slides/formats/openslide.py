"""What only openslide reads: MIRAX, Hamamatsu VMS and VMU, Ventana BIF, DICOM, Zeiss CZI, …"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, UnreachableError
from ..chunks import ChunkCache, assemble
from ..resolution import Statement, as_number
from ..slide import BACKGROUND, Pixels
from .damage import piece_errors_in_words

_FORMATS: Mapping[str, str] = {
    "mirax": "MIRAX",
    "hamamatsu": "Hamamatsu VMS",
    "ventana": "Ventana BIF",
    "dicom": "DICOM",
    "zeiss": "Zeiss CZI",
    "sakura": "Sakura SVSLIDE",
    "trestle": "Trestle TIFF",
}
#: Side of the pieces it is asked for. Stored ones overlap or are sparse in half of these formats.
PIECE = 512


def knows(path: Path) -> bool:
    """Whether openslide is installed and says that it reads this file."""
    try:
        import openslide
    except (ImportError, OSError):  # the bindings without the library raise the latter
        return False
    try:
        return openslide.OpenSlide.detect_format(str(path)) is not None
    except openslide.OpenSlideError:
        return False


class OpenSlideReader:
    """Reads through openslide. See `slides.slide.Reader`.

    A handle that met one damaged piece answers nothing but that error ever after, so it is
    replaced by a fresh one.
    """

    def __init__(self, path: Path, chunks: ChunkCache | None = None) -> None:
        import openslide

        self._cache = chunks or ChunkCache()
        self._path = path
        self._lock = threading.Lock()
        slide = openslide.OpenSlide(str(path))
        self._slide: Any = slide
        self.properties: Mapping[str, Any] = dict(slide.properties)
        vendor = str(self.properties.get("openslide.vendor"))
        self.format = _FORMATS.get(vendor, vendor)
        self.associated: tuple[str, ...] = tuple(slide.associated_images)
        profile = slide.color_profile
        self.profile: bytes | None = None if profile is None else profile.tobytes()
        self.doubts: list[str] = []
        # openslide invents downsamples from sizes; places are asked for in level-0 pixels of them.
        self._downsamples = tuple(slide.level_downsamples)
        self._as_ycc = vendor == "dicom" and _jpeg_taken_for_rgb(path)
        self.sizes = tuple(slide.level_dimensions)
        self.chunks = tuple((min(PIECE, w), min(PIECE, h)) for w, h in self.sizes)

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside a level."""
        return assemble(
            x,
            y,
            w,
            h,
            self.chunks[level],
            lambda row, col: self._cache.get(
                (level, row, col), lambda: self._piece(level, row, col)
            ),
        )

    def _piece(self, level: int, row: int, col: int) -> Pixels:
        import openslide

        (cw, ch), (width, height) = self.chunks[level], self.sizes[level]
        x, y = col * cw, row * ch
        size = (min(cw, width - x), min(ch, height - y))
        d = self._downsamples[level]
        slide = self._open_slide()
        with piece_errors_in_words(self._path.name, level, row, col):
            try:
                rgba = np.array(slide.read_region((round(x * d), round(y * d)), level, size))
            except openslide.OpenSlideError:
                self._replace(slide)
                raise
        if self._as_ycc:
            rgba[..., :3] = _from_ycc(rgba[..., :3])
        return _on_glass(rgba)

    def associated_image(self, name: str) -> Pixels:
        """The pixels (h, w, 3) of a label, macro or thumbnail."""
        import openslide

        slide = self._open_slide()
        try:
            return _on_glass(np.array(slide.associated_images[name].convert("RGBA")))
        except openslide.OpenSlideError as error:
            self._replace(slide)
            raise SlideError(
                f"The image {name!r} of {self._path.name} cannot be decoded ({error}).",
                "Copy the file again from its source.",
            ) from error

    def recolour(self, transform: Callable[[Pixels], Pixels]) -> None:
        """Have every piece pass through a function when it is decoded."""
        self._cache.finish_with(transform)

    def _open_slide(self) -> Any:
        slide = self._slide
        if slide is None:
            raise UnreachableError(f"{self._path.name} was closed.", "Open it again.")
        return slide

    def _replace(self, broken: Any) -> None:
        """A fresh handle, unless another thread has put one there already."""
        import openslide

        with self._lock:
            if self._slide is broken:
                self._slide = openslide.OpenSlide(str(self._path))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            slide, self._slide = self._slide, None
        if slide is not None:
            slide.close()
        self._cache.clear()

    def statements(self) -> tuple[list[Statement], float | None]:
        """What openslide found on the resolution, and the objective's power."""
        x, y, power = (
            as_number(self.properties.get(f"openslide.{name}"))
            for name in ("mpp-x", "mpp-y", "objective-power")
        )
        said = [] if x is None or y is None else [Statement(f"{self.format} metadata", x, y)]
        return said, power


def _jpeg_taken_for_rgb(path: Path) -> bool:
    """Whether a DICOM file calls its pixels RGB while they are JFIF, which is YCbCr by definition.

    openslide believes the former, and everything turns pink and green.
    """
    with path.open("rb") as file:
        head = file.read(1 << 20)
    # (0028,0004) Photometric Interpretation, explicit VR, little endian
    at = head.find(b"\x28\x00\x04\x00CS")
    start = head.find(b"\xff\xd8\xff\xe0", at)
    return at >= 0 and head[at + 8 : at + 11] == b"RGB" and head[start + 6 : start + 10] == b"JFIF"


def _on_glass(rgba: Pixels) -> Pixels:
    """Pixels (h, w, 3) of (h, w, 4). What was not scanned is transparent: glass, not tissue."""
    alpha = rgba[..., 3:]
    if alpha.min() == 255:
        return np.ascontiguousarray(rgba[..., :3])
    seen = rgba[..., :3].astype(np.uint16) * alpha + BACKGROUND * (255 - alpha.astype(np.uint16))
    return (seen // 255).astype(np.uint8)


def _from_ycc(pixels: Pixels) -> Pixels:
    from PIL import Image

    return np.asarray(Image.fromarray(pixels, "YCbCr").convert("RGB"))
