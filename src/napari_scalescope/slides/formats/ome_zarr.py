"""OME-Zarr (NGFF) 0.4 on zarr 2 and 0.5 on zarr 3, in a folder or at a URL."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SlideError, UnreachableError
from ..chunks import ChunkCache, as_rgb, assemble
from ..resolution import UM_PER, Statement
from ..slide import Pixels
from .candidates import LARGEST_BESIDE, names_of, pick
from .damage import piece_errors_in_words
from .fluorescence import Composite, Planes, named, sampled
from .ngff import NgffImage, examined, images_in
from .remote import address_errors_in_words, close_store, name_of, of_the_network, open_store

#: The content is sampled at so many chunks of the finest and of the coarsest level, each to so
#: many bytes.
SAMPLED_CHUNKS, SAMPLED_BYTES = 16, 64 << 10


def open_remote(url: str) -> OmeZarrReader:
    """The reader of the image at a URL.

    Raises
    ------
    SlideError
        If there is none, it may not be read, or a package is missing that would read it.
    UnreachableError
        If the network or the server fails.
    """
    store = open_store(url)
    try:
        with address_errors_in_words(url):
            return OmeZarrReader(store, name_of(url))
    except BaseException:
        close_store(store)
        raise


class OmeZarrReader:
    """Reads one image of an OME-Zarr group. See `slides.slide.Reader`.

    Parameters
    ----------
    place : Path or zarr Store
    name : str, optional
        What to call it in errors; the folder's name.
    """

    def __init__(
        self, place: Path | Any, name: str | None = None, chunks: ChunkCache | None = None
    ) -> None:
        import zarr

        self._cache = chunks or ChunkCache()
        self._remote = None if isinstance(place, Path) else place
        self._name = name or place.name
        self._group = zarr.open_group(place, mode="r")
        self._images = images_in(self._group, self._name)
        found = [examined(image, i, self._name) for i, image in enumerate(self._images)]
        chosen, others = pick(found, self._name)
        image = self._images[chosen.number]
        self._axes, self._units = image.axes, image.units
        self._levels, self._multiscale = image.levels, image.multiscale
        self.format = f"OME-Zarr {image.version}".strip()
        self.sizes = tuple(_size(image, level) for level in self._levels)
        self.chunks = tuple(
            (min(w, size[0]), min(h, size[1]))
            for (w, h), size in zip(
                (_along(image, level.chunks) for level in self._levels), self.sizes, strict=True
            )
        )
        self.properties: Mapping[str, Any] = {
            "name": image.multiscale.get("name", ""),
            "axes": self._axes,
        }
        self._others = names_of(others)
        self.associated = tuple(self._others)
        self.channels: tuple[str, ...] = ()
        self._composite: Composite | None = None
        if chosen.kind == "fluorescence":
            self.channels = named(chosen.channels)
            self._composite = Composite(
                chosen.channels, partial(sampled, self.sizes, self.chunks, self._planes)
            )
        self.doubts: list[str] = []

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """Pixels (h, w, 3) of a window inside a level, in false colours if it is fluorescence."""
        return assemble(
            x,
            y,
            w,
            h,
            self.chunks[level],
            lambda r, c: self._cache.get((level, r, c), lambda: self._piece(level, r, c)),
        )

    def _piece(self, level: int, row: int, col: int) -> Pixels:
        if self._composite is not None:
            return self._composite(self._planes(level, row, col, self._composite.shown))
        return as_rgb(np.moveaxis(self._planes(level, row, col), 0, -1))

    def _planes(
        self, level: int, row: int, col: int, which: tuple[int, ...] | None = None
    ) -> Planes:
        """One piece (channels, h, w) of all or some channels, in the values of the file."""
        (cw, ch), (w, h) = self.chunks[level], self.sizes[level]
        window: dict[str, Any] = {
            "y": slice(row * ch, min((row + 1) * ch, h)),
            "x": slice(col * cw, min((col + 1) * cw, w)),
            "c": slice(None) if which is None else list(which),
        }
        with piece_errors_in_words(self._name, level, row, col, "folder"):
            try:
                return _selected(self._levels[level], self._axes, window)
            except Exception as error:
                if self._remote is None or not of_the_network(error):
                    raise
                raise UnreachableError(
                    f"{self._name} cannot be read now ({error or type(error).__name__}).",
                    "Check the network, then try again.",
                ) from error

    def associated_image(self, name: str) -> Pixels:
        """The pixels (h, w, 3) of another image, from its coarsest level."""
        image = self._images[self._others[name]]
        level = image.levels[-1]
        if (
            level.dtype != np.uint8
            or not {"x", "y"} <= set(image.axes)
            or level.ndim != len(image.axes)
        ):
            raise SlideError(
                f"The image {name!r} of {self._name} is {level.shape} of {level.dtype}, and only "
                "8-bit RGB or grey is shown of what lies beside a slide.",
                "Export it by itself.",
            )
        w, h = _size(image, level)
        if w * h > LARGEST_BESIDE:
            raise SlideError(
                f"The image {name!r} of {self._name} has {w} × {h} px without a smaller level.",
                "Export it by itself.",
            )
        whole = {"y": slice(None), "x": slice(None), "c": slice(None)}
        with piece_errors_in_words(self._name, len(image.levels) - 1, 0, 0, "folder"):
            return as_rgb(np.moveaxis(_selected(level, image.axes, whole), 0, -1))

    def fingerprint(self) -> str:
        """A sha256 of the metadata documents and of the beginnings of some chunks.

        No listing is needed, so that the same image has the same one in a folder and at a URL.
        """
        paths = [level.path for level in self._levels]
        groups = ["", paths[0].rpartition("/")[0]]
        keys = {
            f"{folder}/{document}".lstrip("/")
            for folders, documents in (
                (groups, ("zarr.json", ".zgroup", ".zattrs")),
                (paths, ("zarr.json", ".zarray")),
            )
            for folder in folders
            for document in documents
        }
        chunks = {
            f"{level.path}/{key}"
            for level in (self._levels[0], self._levels[-1])
            for key in _some_chunks(level)
        }
        digest = hashlib.sha256()
        for names, limit in ((sorted(keys), None), (sorted(chunks), SAMPLED_BYTES)):
            contents = _contents(self._group.store, names, limit)
            for name, content in zip(names, contents, strict=True):
                digest.update(f"{name} {content is not None}\n".encode() + (content or b""))
        return digest.hexdigest()

    def close(self) -> None:
        """Forget decoded pieces, and close the connections to a server."""
        self._cache.clear()
        if self._remote is not None:
            close_store(self._remote)

    def statements(self) -> tuple[list[Statement], float | None]:
        """The scale of level 0, in µm where the axes have a unit of length."""
        scale = np.ones(len(self._axes))
        transforms = [
            *self._multiscale["datasets"][0].get("coordinateTransformations", []),
            *self._multiscale.get("coordinateTransformations", []),
        ]
        found = False
        for transform in transforms:
            if transform.get("type") == "scale" and len(transform["scale"]) == len(scale):
                scale *= np.asarray(transform["scale"], float)
                found = True
        x, y = self._axes.index("x"), self._axes.index("y")
        if not found or None in (self._units[x], self._units[y]):
            return [], None
        um = [float(scale[i]) * UM_PER.get(str(self._units[i]), float("nan")) for i in (x, y)]
        return [Statement("NGFF scale", um[0], um[1])], None


def _along(image: NgffImage, numbers: Iterable[int]) -> tuple[int, int]:
    """Of one number per axis, those of x and y."""
    values = dict(zip(image.axes, numbers, strict=True))
    return int(values["x"]), int(values["y"])


def _size(image: NgffImage, level: Any) -> tuple[int, int]:
    return _along(image, level.shape)


def _selected(array: Any, axes: list[str], window: Mapping[str, Any]) -> Planes:
    """Part of an array as (channels, h, w), whatever the order of its axes."""
    selection = tuple(window.get(a, 0) for a in axes)
    listed = isinstance(window.get("c"), list)
    part = np.asarray(array.oindex[selection] if listed else array[selection])
    kept = [a for a in axes if a in window]
    order = [kept.index(a) for a in "cyx" if a in kept]
    part = np.transpose(part, order)
    return part if "c" in kept else part[None]


def _some_chunks(array: Any) -> list[str]:
    """Keys of stored chunks (or shards), evenly spread over an array."""
    stored = array.shards or array.chunks
    grid = tuple(-(-n // c) for n, c in zip(array.shape, stored, strict=True))
    total = int(np.prod(grid))
    places = np.linspace(0, total - 1, min(SAMPLED_CHUNKS, total)).round().astype(int)
    return [
        array.metadata.encode_chunk_key(tuple(int(i) for i in np.unravel_index(place, grid)))
        for place in places
    ]


def _contents(store: Any, keys: list[str], limit: int | None) -> list[bytes | None]:
    """The first bytes of documents, asked for together; None for those that are not there."""
    from zarr.abc.store import RangeByteRequest
    from zarr.core.buffer import default_buffer_prototype
    from zarr.core.sync import sync

    part = None if limit is None else RangeByteRequest(0, limit)

    async def one(key: str) -> bytes | None:
        found = await store.get(key, default_buffer_prototype(), part)
        # a server that knows nothing of ranges sends all of it
        return None if found is None else bytes(found.to_bytes()[:limit])

    async def every() -> list[bytes | None]:
        return await asyncio.gather(*map(one, keys))

    return sync(every())
