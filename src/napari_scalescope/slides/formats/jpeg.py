"""Pieces stored as JPEG, decoded whole or at a fraction of their size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..slide import Pixels
from .tiff_series import piece_size

#: Says that the three components are RGB, which a decoder would else take for YCbCr.
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
#: By how much libjpeg can decode smaller. It leaves out coefficients of the cosine transform, and
#: what comes out is, within half a grey value, the mean of the pixels that were put together.
FACTORS = (2, 4, 8)


class JpegPieces:
    """Decodes the pieces of one TIFF page.

    Parameters
    ----------
    page : tifffile.TiffPage
        Compressed as JPEG, 8 bit, one or three samples.
    """

    def __init__(self, page: Any) -> None:
        tables = page.jpegtables
        # between "start of image" and "end of image", which the pieces have themselves
        self._tables = b"" if not tables else bytes(tables[2:-2])
        self._w, self._h = piece_size(page)
        self._plain_rgb = page.photometric == 2 and page.samplesperpixel == 3

    @classmethod
    def of(cls, page: Any) -> JpegPieces | None:
        """For a page of JPEG pieces, None for any other."""
        is_jpeg = page.compression == 7 and page.jpegheader is None
        plain = page.dtype == np.uint8 and page.samplesperpixel in (1, 3) and page.planarconfig == 1
        return cls(page) if is_jpeg and plain else None

    @property
    def factors(self) -> tuple[int, ...]:
        """Which of `FACTORS` divide a piece, so that reduced ones adjoin."""
        return tuple(f for f in FACTORS if not (self._h % f or self._w % f))

    def decode(self, data: bytes, factor: int = 1, strict: bool = True) -> Pixels:
        """A piece (h / factor, w / factor, 3).

        Raises
        ------
        ValueError
            If the data are damaged; where not ``strict``, only if nothing comes out.
        """
        import simplejpeg

        is_jfif = data[6:10] == b"JFIF"
        rgb = _ADOBE_RGB if self._plain_rgb and not is_jfif else b""
        stream = data[:2] + rgb + self._tables + data[2:] if rgb or self._tables else data
        out: Pixels = simplejpeg.decode_jpeg(
            stream,
            "RGB",
            min_height=self._h // factor,
            min_width=self._w // factor,
            strict=strict,
        )
        return out
