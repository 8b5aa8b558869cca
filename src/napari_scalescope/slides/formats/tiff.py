"""TIFF in all its dialects: Aperio SVS, Hamamatsu NDPI, Leica SCN, OME-TIFF, Philips, generic.

tiffslide reads the metadata of scanners' dialects, `tiff_series` chooses among the images of the
others; pieces are fetched and decoded one by one through tifffile, so that each is decoded once
whoever asks for it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..chunks import ChunkCache, as_rgb, assemble
from ..resolution import Statement, as_number
from ..slide import BACKGROUND, Pixels
from . import tags
from .candidates import Candidate, names_of
from .complaints import Complaints
from .damage import (
    check_size,
    piece_errors_in_words,
    refuse_cut_off,
    refuse_endless,
    refuse_impossible,
)
from .jpeg import JpegPieces
from .ome_xml import ome_images
from .planes import PlanesReader
from .tiff_file import TiffFileReader
from .tiff_series import choose, piece_size

_FORMATS: Mapping[str, str] = {
    "aperio": "Aperio SVS",
    "hamamatsu": "Hamamatsu NDPI",
    "leica": "Leica SCN",
}
#: More pieces than this are not named: it is the file that is damaged, then.
DOUBTS = 100
#: Of a Hamamatsu page: the set of filters it was scanned through.
_FILTER_SET = 65434
_ORIENTATION = 274


def open_tiff(path: Path) -> TiffReader | PlanesReader:
    """A reader of the image in a TIFF file that is the slide."""
    with warnings.catch_warnings(), Complaints("tifffile") as complaints:
        # tiffslide warns that it does not parse every vendor field. The resolution is
        # resolved (and doubted) by us, and the rest is not used.
        warnings.simplefilter("ignore")
        reader = _reader(path)
    reader.doubts += [
        f"{path.name} may be damaged, and parts of it missing ({text})."
        for text in dict.fromkeys(complaints.texts[:DOUBTS])
    ]
    return reader


def _reader(path: Path) -> TiffReader | PlanesReader:
    import tifffile

    tif = tifffile.TiffFile(path)
    try:
        refuse_endless(tif, path.name)
        if any(getattr(tif, f"is_{name}") for name in ("svs", "scn", "bif", "ndpi", "philips")):
            tif.close()
            return TiffReader(path)
        chosen, others = choose(tif, path.name)
        if chosen.kind == "brightfield":
            return TiffReader(path, chosen=(tif, chosen, others))
        return PlanesReader(path, tif, chosen, others)
    except BaseException:
        tif.close()
        raise


@dataclass(frozen=True)
class _Area:
    """One scanned piece of the slide: its levels, and where it lies in the frame at each."""

    pages: tuple[Any, ...]
    offsets: tuple[tuple[int, int], ...]


class TiffReader(TiffFileReader):
    """Reads the pyramid of a TIFF file. See `slides.slide.Reader`.

    Parameters
    ----------
    path : Path
    chunks : ChunkCache, optional
    chosen : (tifffile.TiffFile, Candidate, list of Candidate), optional
        The open file, the image that is the slide and the others; without it, tiffslide says.
    """

    def __init__(
        self,
        path: Path,
        chunks: ChunkCache | None = None,
        chosen: tuple[Any, Candidate, list[Candidate]] | None = None,
    ) -> None:
        file, parsed = (chosen[0], {}) if chosen is not None else _scanner_file(path)
        tif = file.ts_tifffile if chosen is None else file
        try:
            if chosen is not None:
                index, others = chosen[1].number, names_of(chosen[2])
            else:
                index = int(parsed["tiffslide.series-index"])
                after = enumerate(tif.series[index + 1 :], index + 1)
                others = {s.name.lower(): number for number, s in after if s.name}
            self._areas = _find_areas(
                path.name, tif.series, index, parsed.get("tiffslide.series-composition")
            )
            _check(path, [page for area in self._areas for page in area.pages])
        except BaseException:
            file.close()
            raise
        first = self._areas[0].pages
        super().__init__(path, file, first[0], others, chunks)
        self.properties: Mapping[str, Any] = {
            k: v for k, v in parsed.items() if v is not None and k != "tiff.ImageDescription"
        }
        self.sizes = (
            tuple(file.level_dimensions)
            if chosen is None
            else tuple((int(p.imagewidth), int(p.imagelength)) for p in first)
        )
        self.chunks = tuple(piece_size(p) for p in first)
        self._jpeg = [[JpegPieces.of(page) for page in area.pages] for area in self._areas]
        self.reductions = self._find_reductions()
        self.format = _format(tif, str(parsed.get("tiffslide.vendor")))
        image = chosen[1].image if chosen is not None else None
        images = [image] if image is not None else ome_images(tif.ome_metadata)[:1]
        self._statements = [
            *(statement for image in images for statement in image.resolution),
            *tags.imagej(tif.imagej_metadata, first[0]),
            *tags.resolution(first[0]),
        ]
        self.channels = _filters(first[0]) if tif.is_ndpi else ()
        turned = first[0].tags.valueof(_ORIENTATION, default=1)
        if turned != 1:
            self.doubts.append(
                f"{path.name} says that it is stored turned or mirrored (orientation {turned}); it "
                "is shown as it is stored."
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
        cw, ch = piece_size(self._areas[area].pages[level])
        return assemble(
            x,
            y,
            w,
            h,
            (cw // reduce, ch // reduce),
            lambda row, col: self._cache.get(
                (area, level, row, col, reduce),
                lambda: self._decode(area, level, row, col, reduce),
            ),
        )

    def _decode(self, area: int, level: int, row: int, col: int, reduce: int) -> Pixels:
        page, jpeg = self._areas[area].pages[level], self._jpeg[area][level]
        cw, ch = piece_size(page)
        index = row * -(-page.imagewidth // cw) + col
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if not count:
            # Sparse files leave out pieces that were not scanned. It is glass, not black tissue.
            return np.full((ch // reduce, cw // reduce, 3), BACKGROUND, np.uint8)
        handle = self._open_handle()
        with piece_errors_in_words(self._path.name, level, row, col):
            data = handle.read(offset, count)
            if jpeg is not None:
                pixels = self._decode_jpeg(jpeg, data, reduce, level, row, col)
            else:
                pixels = page.decode(
                    data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
                )[0][0]
            check_size(pixels, page, index, reduce)
        return as_rgb(pixels)

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
        return [*out, *self._statements], as_number(p.get("tiffslide.objective-power"))


def _find_areas(
    file: str, series: Any, index: int, composition: Mapping[str, Any] | None
) -> list[_Area]:
    """The scanned pieces: one, except in Leica files, which place several in one frame."""
    located = {index: None} if composition is None else composition["located_series"]
    areas = []
    for index, offsets in located.items():
        levels = series[index].levels
        if series[index].axes not in ("YXS", "YX"):
            raise SlideError(
                f"{file} is laid out as {series[index].axes} "
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


def _check(path: Path, pages: list[Any]) -> None:
    """Refuse what is cut off, and what is no 8-bit RGB or grey."""
    for page in pages:
        if page.dtype != np.uint8 or page.samplesperpixel == 2:
            raise SlideError(
                f"{path.name} holds {page.samplesperpixel} channels of {page.dtype}; "
                "ScaleScope reads 8-bit RGB.",
                "Convert it to 8-bit RGB.",
            )
    refuse_impossible(path, pages)
    refuse_cut_off(path, pages)


def _scanner_file(path: Path) -> tuple[Any, dict[str, Any]]:
    """A file of a scanner's own dialect, opened by tiffslide, and the metadata it finds."""
    import tiffslide

    file = tiffslide.TiffSlide(path)
    try:
        parsed = dict(file.properties)
        if parsed.get("tiffslide.vendor") == "ventana":
            raise NotImplementedError("Ventana BIF, whose tiles overlap")
    except BaseException:
        file.close()
        raise
    return file, parsed


def _format(tif: Any, vendor: str) -> str:
    if tif.is_ome or tif.is_philips:
        return "OME-TIFF" if tif.is_ome else "Philips TIFF"
    return _FORMATS.get(vendor, "TIFF")


def _filters(page: Any) -> tuple[str, ...]:
    """The filters a Hamamatsu page was scanned through: none in brightfield.

    Its fluorescence is stored in false colours, a file per channel.
    """
    tag = page.tags.get(_FILTER_SET)
    name = str(tag.value).strip("\0 ") if tag is not None else ""
    return () if not name or re.search(r"bright|empty|none", name, re.IGNORECASE) else (name,)
