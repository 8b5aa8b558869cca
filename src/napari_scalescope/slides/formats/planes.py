"""TIFF whose channels lie in planes of their own: fluorescence, and RGB stored apart."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError
from ..chunks import ChunkCache, assemble
from ..resolution import Statement
from ..slide import Pixels
from . import tags
from .candidates import Candidate, names_of
from .damage import check_size, piece_errors_in_words, refuse_cut_off, refuse_impossible
from .fluorescence import Composite, Planes, named, sampled
from .handle import Handle
from .tiff_file import TiffFileReader
from .tiff_series import piece_size


class PlanesReader(TiffFileReader):
    """Reads a series of planes as one picture. See `slides.slide.Reader`.

    Parameters
    ----------
    path : Path
    tif : tifffile.TiffFile
        Open; closed with the reader.
    chosen : Candidate
        Which series, and what its planes are.
    others : list of Candidate
        The other series, which become `associated`.
    """

    def __init__(
        self,
        path: Path,
        tif: Any,
        chosen: Candidate,
        others: list[Candidate],
        chunks: ChunkCache | None = None,
    ) -> None:
        self._levels = tif.series[chosen.number].levels
        first = self._levels[0].keyframe
        super().__init__(path, tif, first, names_of(others), chunks)
        self._check(len(chosen.channels))
        self._statements = [
            *(chosen.image.resolution if chosen.image else ()),
            *tags.imagej(tif.imagej_metadata, first),
            *tags.resolution(first),
        ]
        self.format = "OME-TIFF" if tif.is_ome else "TIFF"
        self.sizes = tuple(
            (int(v.keyframe.imagewidth), int(v.keyframe.imagelength)) for v in self._levels
        )
        self.chunks = tuple(piece_size(v.keyframe) for v in self._levels)
        self.properties: Mapping[str, Any] = {"axes": self._levels[0].axes, "name": chosen.name}
        self.channels = named(chosen.channels) if chosen.kind == "fluorescence" else ()
        self._composite = Composite(
            chosen.channels, partial(sampled, self.sizes, self.chunks, self._planes)
        )

    def _check(self, planes: int) -> None:
        """Refuse what is cut off, incomplete, or continued in another file."""
        for level in self._levels:
            pages = [page for page in level.pages if page is not None]
            samples = level.keyframe.samplesperpixel if len(pages) == 1 else 1
            if len(pages) * samples != planes:
                raise SlideError(
                    f"{self._path.name} is damaged: it has {len(pages) * samples} planes for "
                    f"{planes} channels.",
                    "Copy the file again from its source.",
                )
            if any(page.parent is not self._file for page in pages):
                raise SlideError(
                    f"{self._path.name} is one of several files that make up the image.",
                    "Write the image as one OME-TIFF file or as OME-Zarr.",
                )
            refuse_impossible(self._path, [level.keyframe])
            refuse_cut_off(self._path, pages)

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside a level, in false colours if it is fluorescence."""
        return assemble(
            x,
            y,
            w,
            h,
            self.chunks[level],
            lambda row, col: self._cache.get(
                (level, row, col),
                lambda: self._composite(self._planes(level, row, col, self._composite.shown)),
            ),
        )

    def _planes(self, level: int, row: int, col: int, which: tuple[int, ...]) -> Planes:
        """One piece (len(which), h, w) of some channels, in the values of the file."""
        series = self._levels[level]
        page = series.keyframe
        handle = self._open_handle()
        cw, _ = self.chunks[level]
        index = row * -(-page.imagewidth // cw) + col
        with piece_errors_in_words(self._path.name, level, row, col):
            if len(series.pages) > 1:
                return np.stack([self._segment(handle, series, c, index)[..., 0] for c in which])
            if page.planarconfig == 1:
                return np.moveaxis(self._segment(handle, series, 0, index), -1, 0)[list(which)]
            step = len(page.dataoffsets) // page.samplesperpixel
            return np.stack(
                [self._segment(handle, series, 0, c * step + index)[..., 0] for c in which]
            )

    def _segment(self, handle: Handle, series: Any, number: int, index: int) -> Planes:
        """One stored piece (h, w, samples) of one page; zeros where there is none."""
        frame, page = series.pages[number], series.keyframe
        count = frame.databytecounts[index]
        if not count:
            cw, ch = piece_size(page)
            samples = page.samplesperpixel if page.planarconfig == 1 else 1
            return np.zeros((ch, cw, samples), page.dtype)
        data = handle.read(frame.dataoffsets[index], count)
        out: Planes = page.decode(
            data, index, jpegtables=frame.jpegtables, jpegheader=page.jpegheader
        )[0][0]
        check_size(out, page, index)
        return out

    def statements(self) -> tuple[list[Statement], float | None]:
        """What the tags say about the resolution."""
        return self._statements, None
