"""What the readers of TIFF have in common: the open file, and what lies in it beside the slide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import UnreachableError
from ..chunks import ChunkCache
from ..slide import Pixels
from .handle import Handle
from .tiff_series import read_beside

_ICC = 34675


class TiffFileReader:
    """A TIFF file whose pieces are fetched one by one and kept while they are needed.

    Parameters
    ----------
    path : Path
    file : tifffile.TiffFile or tiffslide.TiffSlide
        Open; closed with the reader.
    page : tifffile.TiffPage
        The slide's finest.
    others : mapping of str to int
        Numbers of the other series by their names, which become `associated`.
    chunks : ChunkCache, optional
    """

    def __init__(
        self,
        path: Path,
        file: Any,
        page: Any,
        others: Mapping[str, int],
        chunks: ChunkCache | None,
    ) -> None:
        self._path, self._file, self._others = path, file, others
        self._cache = chunks or ChunkCache()
        self.associated = tuple(others)
        profile = page.tags.valueof(_ICC)
        self.profile: bytes | None = None if profile is None else bytes(profile)
        self.doubts: list[str] = []
        self._handle: Handle | None = Handle(path)

    def _open_handle(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise UnreachableError(f"{self._path.name} was closed.", "Open it again.")
        return handle

    def associated_image(self, name: str) -> Pixels:
        """The pixels (h, w, 3) of a label, macro, thumbnail or another image."""
        return read_beside(self._path, self._others[name], name)

    def recolour(self, transform: Callable[[Pixels], Pixels]) -> None:
        """Have every piece pass through a function when it is decoded."""
        self._cache.finish_with(transform)

    def close(self) -> None:
        """Close the file."""
        self._handle = None
        self._file.close()
        self._cache.clear()
