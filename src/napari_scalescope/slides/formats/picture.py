"""PNG and JPEG: one level, decoded whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import SlideError, UnreachableError
from ..resolution import Statement
from ..slide import Pixels

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


class PictureReader:
    """Reads a plain picture. See `slides.slide.Reader`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._pixels: Pixels | None = None
        with _opened(path) as image:
            self.sizes = ((image.width, image.height),)
            self.chunks = self.sizes
            self.format = str(image.format)
            self.properties: Mapping[str, Any] = {"mode": image.mode}
            self._dpi = image.info.get("dpi")
            self.profile: bytes | None = image.info.get("icc_profile") or None
        self.associated: tuple[str, ...] = ()
        self.doubts: list[str] = []
        self._finish: Callable[[Pixels], Pixels] | None = None

    def recolour(self, transform: Callable[[Pixels], Pixels]) -> None:
        """Have the picture pass through a function when it is decoded."""
        with self._lock:
            self._pixels, self._finish = None, transform

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside the picture."""
        with self._lock:
            if self._pixels is None:
                pixels = self._decode()
                self._pixels = pixels if self._finish is None else self._finish(pixels)
        return self._pixels[y : y + h, x : x + w].copy()

    def _decode(self) -> Pixels:
        from PIL import Image

        try:
            with _opened(self._path) as image:
                # Decoding alone is content with anything that fills the picture.
                if image.format == "PNG":
                    image.verify()
                elif image.mode in ("RGB", "L"):
                    return self._decode_jpeg()
            with _opened(self._path) as image:
                if image.mode in ("RGBA", "LA", "PA", "P"):
                    # What is transparent is shown on white, as glass is.
                    rgba = image.convert("RGBA")
                    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
                    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"))
                return np.asarray(image.convert("RGB"))
        except MemoryError as error:
            w, h = self.sizes[0]
            raise UnreachableError(
                f"{self._path.name} needs {w * h * 3 / 1e9:.1f} GB of memory, because a picture is "
                "decoded whole.",
                "Convert it to pyramidal TIFF or OME-Zarr.",
            ) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise SlideError(
                f"{self._path.name} is damaged and cannot be decoded ({error}).",
                "Copy the file again from its source.",
            ) from error

    def _decode_jpeg(self) -> Pixels:
        """Strictly, and where that fails as far as it goes, with a doubt."""
        import simplejpeg

        content = self._path.read_bytes()
        try:
            return np.asarray(simplejpeg.decode_jpeg(content, "RGB", strict=True))
        except ValueError as error:
            pixels = simplejpeg.decode_jpeg(content, "RGB", strict=False)
            self.doubts.append(f"{self._path.name} is damaged and may look wrong ({error}).")
            return np.asarray(pixels)

    def close(self) -> None:
        """Forget the decoded picture."""
        with self._lock:
            self._pixels = None

    def statements(self) -> tuple[list[Statement], float | None]:
        """What the file says about the resolution."""
        if not self._dpi or not all(d > 0 for d in self._dpi):
            return [], None
        x, y = (25400.0 / float(d) for d in self._dpi)
        return [Statement(f"{self.format} dots per inch", x, y)], None


def _opened(path: Path) -> ImageFile:
    """A picture, not decoded yet.

    By its own class, because `Image.open` refuses what has more than 179 megapixels as a possible
    attack. That is a small piece of a slide, and this is a file the user chose.
    """
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    with path.open("rb") as file:
        is_png = file.read(4) == b"\x89PNG"
    return PngImageFile(path) if is_png else JpegImageFile(path)
