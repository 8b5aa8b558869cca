"""TIFF in all its dialects: Aperio SVS, Hamamatsu NDPI, Leica SCN, OME-TIFF, Philips, generic.

tiffslide tells the dialect apart and finds the levels; pieces are fetched and decoded one by one
through tifffile, so that each is decoded once whoever asks for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, UnreachableError
from ..chunks import ChunkCache, assemble
from ..resolution import Statement, as_number
from ..slide import BACKGROUND, Pixels
from . import tags
from .complaints import Complaints
from .handle import Handle
from .jpeg import JpegPieces

_FORMATS: Mapping[str, str] = {
    "aperio": "Aperio SVS",
    "hamamatsu": "Hamamatsu NDPI",
    "leica": "Leica SCN",
}
#: More pieces than this are not named: it is the file that is damaged, then.
DOUBTS = 100


@dataclass(frozen=True)
class _Area:
    """One scanned piece of the slide: its levels, and where it lies in the frame at each."""

    pages: tuple[Any, ...]
    offsets: tuple[tuple[int, int], ...]


class TiffReader:
    """Reads the pyramid of a TIFF file. See `slides.slide.Reader`."""

    def __init__(self, path: Path, chunks: ChunkCache | None = None) -> None:
        import tiffslide

        self._cache = chunks or ChunkCache()
        self._path = path
        with warnings.catch_warnings(), Complaints("tifffile") as complaints:
            # tiffslide warns that it does not parse every vendor field. The resolution is
            # resolved (and doubted) by us, and the rest is not used.
            warnings.simplefilter("ignore")
            _refuse_endless(path)
            self._tiff = tiffslide.TiffSlide(path)
            try:
                parsed = dict(self._tiff.properties)
                if parsed.get("tiffslide.vendor") == "ventana":
                    raise NotImplementedError("Ventana BIF, whose tiles overlap")
                self._areas = self._find_areas(parsed)
                self._check()
            except BaseException:
                self._tiff.close()
                raise
        self.properties: Mapping[str, Any] = {
            k: v for k, v in parsed.items() if v is not None and k != "tiff.ImageDescription"
        }
        self.sizes = tuple(self._tiff.level_dimensions)
        self.chunks = tuple((p.chunks[1], p.chunks[0]) for p in self._areas[0].pages)
        self._jpeg = [[JpegPieces.of(page) for page in area.pages] for area in self._areas]
        self.reductions = self._find_reductions()
        tif = self._tiff.ts_tifffile
        if tif.is_ome or tif.is_philips:
            self.format = "OME-TIFF" if tif.is_ome else "Philips TIFF"
        else:
            self.format = _FORMATS.get(str(parsed.get("tiffslide.vendor")), "TIFF")
        index = int(parsed["tiffslide.series-index"])
        self.associated = tuple(s.name.lower() for s in tif.series[index + 1 :] if s.name)
        self.doubts = [
            f"{path.name} is damaged, and parts of it may be missing ({text})."
            for text in dict.fromkeys(complaints.texts[:DOUBTS])
        ]
        self._handle: Handle | None = Handle(path)

    def _find_areas(self, properties: Mapping[str, Any]) -> list[_Area]:
        """The scanned pieces: one, except in Leica files, which place several in one frame."""
        series = self._tiff.ts_tifffile.series
        composition = properties.get("tiffslide.series-composition")
        if composition is None:
            located = {int(properties["tiffslide.series-index"]): None}
        else:
            located = composition["located_series"]
        areas = []
        for index, offsets in located.items():
            levels = series[index].levels
            if series[index].axes not in ("YXS", "YX"):
                raise SlideError(
                    f"{self._path.name} is laid out as {series[index].axes} "
                    f"{series[index].shape}, not as one brightfield image.",
                    "Open it with a multichannel reader, or export the brightfield image as RGB.",
                )
            areas.append(
                _Area(
                    tuple(level.pages[0] for level in levels),
                    tuple((int(o[0]), int(o[1])) for o in offsets or [(0, 0)] * len(levels)),
                )
            )
        return areas

    def _check(self) -> None:
        """Refuse what is cut off, and what is no 8-bit RGB or grey."""
        size = self._path.stat().st_size
        for page in (page for area in self._areas for page in area.pages):
            if page.dtype != np.uint8 or page.samplesperpixel == 2:
                raise SlideError(
                    f"{self._path.name} holds {page.samplesperpixel} channels of {page.dtype}; "
                    "ScaleScope reads 8-bit RGB.",
                    "Convert it to 8-bit RGB.",
                )
            sides = (page.imagelength, page.imagewidth)
            h, w = page.chunks[:2]
            pieces = 0 if min(h, w) < 1 else -(-sides[0] // h) * -(-sides[1] // w)
            if not 0 < pieces <= len(page.dataoffsets) or page.shape[:2] != sides:
                raise SlideError(
                    f"{self._path.name} is damaged: it lists {len(page.dataoffsets)} pieces of "
                    f"{w} x {h} px for {sides[1]} x {sides[0]} px.",
                    "Copy the file again from its source.",
                )
            end = max(
                (o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)),
                default=0,
            )
            if end > size:
                raise SlideError(
                    f"{self._path.name} is damaged: it is cut off at {size} of {end} bytes.",
                    "Copy the file again from its source.",
                )

    def _find_reductions(self) -> tuple[tuple[int, ...], ...]:
        """Of every level; none where several areas would have to be placed at a fraction."""
        if len(self._areas) > 1 or any(o != (0, 0) for o in self._areas[0].offsets):
            return tuple(() for _ in self.sizes)
        return tuple(() if jpeg is None else jpeg.factors for jpeg in self._jpeg[0])

    # --- pixels ---

    def read_reduced(self, level: int, by: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside a level decoded smaller than it is stored."""
        return self._read_area(0, level, x, y, w, h, by)

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside a level."""
        if len(self._areas) == 1 and self._areas[0].offsets[level] == (0, 0):
            return self._read_area(0, level, x, y, w, h)
        out = np.full((h, w, 3), BACKGROUND, np.uint8)
        for number, area in enumerate(self._areas):
            page, (top, left) = area.pages[level], area.offsets[level]
            x0, y0 = max(x, left), max(y, top)
            x1, y1 = min(x + w, left + page.imagewidth), min(y + h, top + page.imagelength)
            if x1 > x0 and y1 > y0:
                out[y0 - y : y1 - y, x0 - x : x1 - x] = self._read_area(
                    number, level, x0 - left, y0 - top, x1 - x0, y1 - y0
                )
        return out

    def _read_area(
        self, area: int, level: int, x: int, y: int, w: int, h: int, reduce: int = 1
    ) -> Pixels:
        page = self._areas[area].pages[level]
        return assemble(
            x,
            y,
            w,
            h,
            (page.chunks[1] // reduce, page.chunks[0] // reduce),
            lambda row, col: self._cache.get(
                (area, level, row, col, reduce),
                lambda: self._decode(area, level, row, col, reduce),
            ),
        )

    def _decode(self, area: int, level: int, row: int, col: int, reduce: int) -> Pixels:
        page, jpeg = self._areas[area].pages[level], self._jpeg[area][level]
        index = row * -(-page.imagewidth // page.chunks[1]) + col
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if not count:
            # Sparse files leave out pieces that were not scanned. It is glass, not black tissue.
            h, w = (side // reduce for side in page.chunks[:2])
            return np.full((h, w, 3), BACKGROUND, np.uint8)
        handle = self._handle
        if handle is None:
            raise UnreachableError(f"{self._path.name} was closed.", "Open it again.")
        try:
            data = handle.read(offset, count)
            if jpeg is not None:
                pixels = self._decode_jpeg(jpeg, data, reduce, level, row, col)
            else:
                pixels = page.decode(
                    data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
                )[0][0]
            _check_size(pixels, page, row, col, reduce)
        except (OSError, MemoryError) as error:  # of the moment, not of the file
            raise UnreachableError.of(self._path.name, error) from error
        except Exception as error:  # a dozen codecs raise a dozen kinds of error
            raise SlideError(
                f"{self._path.name} is damaged: piece ({row}, {col}) of level {level} cannot be "
                f"decoded ({error}).",
                "Copy the file again from its source.",
            ) from error
        if pixels.shape[-1] == 1:
            pixels = np.repeat(pixels, 3, axis=-1)
        return np.ascontiguousarray(pixels[..., :3])

    def _decode_jpeg(
        self, jpeg: JpegPieces, data: bytes, reduce: int, level: int, row: int, col: int
    ) -> Pixels:
        try:
            return jpeg.decode(data, reduce)
        except ValueError as error:
            # Some scanners write what a strict decoder complains of; and of what a flipped bit
            # spoilt, much is still right. It is shown, and said.
            pixels = jpeg.decode(data, reduce, strict=False)
            if len(self.doubts) < DOUBTS:
                self.doubts.append(
                    f"{self._path.name}: piece ({row}, {col}) of level {level} is damaged and may "
                    f"look wrong ({error})."
                )
            return pixels

    def close(self) -> None:
        """Close the file."""
        self._handle = None
        self._tiff.close()
        self._cache.clear()

    # --- resolution ---

    def statements(self) -> tuple[list[Statement], float | None]:
        """What every tag says about the resolution, and the objective's power."""
        p = self.properties
        out = []
        if (mpp := as_number(p.get("aperio.MPP"))) is not None:
            out.append(Statement("Aperio MPP", mpp, mpp))
        if p.get("tiffslide.vendor") == "leica" or self.format == "Philips TIFF":
            x, y = as_number(p.get("tiffslide.mpp-x")), as_number(p.get("tiffslide.mpp-y"))
            if x is not None and y is not None:
                out.append(Statement(f"{self.format} metadata", x, y))
        tif, page = self._tiff.ts_tifffile, self._areas[0].pages[0]
        out += tags.ome(tif.ome_metadata)
        out += tags.imagej(tif.imagej_metadata, page)
        out += tags.resolution(page)
        return out, as_number(p.get("tiffslide.objective-power"))


def _check_size(pixels: Pixels, page: Any, row: int, col: int, reduce: int) -> None:
    """Whether a piece covers its part of the page; at the far edges it may be cut."""
    h, w = (
        min(side, whole - at * side) // reduce
        for side, whole, at in zip(
            page.chunks[:2], (page.imagelength, page.imagewidth), (row, col), strict=True
        )
    )
    if pixels.shape[0] < h or pixels.shape[1] < w:
        raise ValueError(f"it is {pixels.shape[1]} x {pixels.shape[0]} px, not {w} x {h}")


def _refuse_endless(path: Path) -> None:
    """Refuse a file in which a page names an earlier one as the next: tifffile never ends there."""
    import tifffile

    with tifffile.TiffFile(path) as tif:
        seen = set()
        for page in tif.pages:
            if page.offset in seen:
                raise SlideError(
                    f"{path.name} is damaged: its pages go in circles.",
                    "Copy the file again from its source.",
                )
            seen.add(page.offset)
