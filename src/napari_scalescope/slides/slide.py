"""`Slide`: a pyramid of lazily read levels, and what is known of its scale and content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import ResolutionError, SlideError
from ..geometry import Box, level_downsample
from .resample import Taps, mixed
from .resolution import Resolution

Pixels = npt.NDArray[np.uint8]

#: What lies outside a slide, and where nothing was scanned.
BACKGROUND = 255
#: Reads of more pixels than this are split, which bounds the memory of one read to about 100 MB.
READ_AT_ONCE = 1 << 25


@dataclass(frozen=True)
class Level:
    """One stored resolution of a slide.

    Parameters
    ----------
    width, height : int
        Size in pixels of this level.
    downsample : float
        Level-0 pixels per pixel of this level.
    chunk : (int, int)
        Width and height of the pieces this level is stored (and decoded) in.
    """

    width: int
    height: int
    downsample: float
    chunk: tuple[int, int]


class Reader(Protocol):
    """What a file format has to provide. Implementations live in `formats`.

    ``read`` is called from several threads at once and must not need a lock held by the caller.
    """

    #: Short name of the format ("Aperio SVS", "OME-Zarr 0.5", …).
    format: str
    #: (width, height) of every level in its own pixels, finest first.
    sizes: tuple[tuple[int, int], ...]
    #: (width, height) of the stored pieces of every level.
    chunks: tuple[tuple[int, int], ...]
    #: Everything the file says about itself, by the name of the tag.
    properties: Mapping[str, Any]
    #: Names of label, macro and thumbnail images: metadata, never levels.
    associated: tuple[str, ...]
    #: What was read so far although it is damaged, each a sentence; grows while reading.
    doubts: list[str]

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """The pixels (h, w, 3) of a window that lies inside a level, in level pixels."""
        ...

    def close(self) -> None:
        """Give back file handles; reading afterwards is an error."""
        ...


@runtime_checkable
class ReducingReader(Reader, Protocol):
    """A format whose pieces can be decoded smaller than they are stored, which is faster."""

    #: By how much, for every level: powers of two, ascending.
    reductions: tuple[tuple[int, ...], ...]

    def read_reduced(self, level: int, by: int, x: int, y: int, w: int, h: int) -> Pixels:
        """As `read`, in pixels of the level reduced.

        It has ``width // by`` by ``height // by`` of them, each the mean of what it covers.
        """
        ...


@runtime_checkable
class ChannelReader(Reader, Protocol):
    """A format that can hold fluorescence, which is shown in false colours."""

    #: What was stained for or how it was excited, channel by channel; empty for brightfield.
    channels: tuple[str, ...]


@runtime_checkable
class AssociatedReader(Reader, Protocol):
    """A format that holds pictures beside the slide."""

    def associated_image(self, name: str) -> Pixels:
        """The pixels (h, w, 3) of one of `associated`."""
        ...


@runtime_checkable
class ProfiledReader(Reader, Protocol):
    """A format that can embed an ICC profile: what its colours look like to the eye."""

    #: The profile as it is stored, None where there is none.
    profile: bytes | None

    def recolour(self, transform: Callable[[Pixels], Pixels]) -> None:
        """Have every piece pass through a function of pixels (h, w, 3) when it is decoded."""
        ...


@dataclass
class Slide:
    """A whole-slide image, read lazily.

    Made by `open_slide` or `phantom`. Reading is safe from several threads.

    Parameters
    ----------
    name : str
        What to call it: the file's name without its folder.
    path : Path or None
        Where it is, None for a slide that exists only in memory.
    reader : Reader
        The file format behind it.
    resolution : Resolution
        µm per pixel, where that came from, and what is doubtful about it.
    fingerprint : str
        sha256 of the content (of samples of it for large files): the same slide in another
        place has the same fingerprint. One that is read with its colours corrected has a suffix.
    url : str or None
        Where it is if that is no path of this machine.
    """

    name: str
    path: Path | None
    reader: Reader
    resolution: Resolution
    fingerprint: str
    url: str | None = None
    levels: tuple[Level, ...] = field(init=False)
    #: What the file itself says, whatever was set since.
    stated: Resolution = field(init=False)
    _reducing: ReducingReader | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.stated = self.resolution
        self._reducing = self.reader if isinstance(self.reader, ReducingReader) else None
        size0 = self.reader.sizes[0]
        self.levels = tuple(
            Level(*size, level_downsample(size0, size), chunk)
            for size, chunk in zip(self.reader.sizes, self.reader.chunks, strict=True)
        )

    # --- what it is ---

    @property
    def dimensions(self) -> tuple[int, int]:
        """(width, height) of level 0 in pixels."""
        return (self.levels[0].width, self.levels[0].height)

    @property
    def box(self) -> Box:
        """The whole slide in level-0 pixels."""
        return Box(0.0, 0.0, float(self.dimensions[0]), float(self.dimensions[1]))

    @property
    def mpp(self) -> float | None:
        """µm per level-0 pixel, None where the file does not say."""
        return self.resolution.mpp

    @property
    def mpp_source(self) -> str:
        """The tag the resolution was taken from, or why there is none."""
        return self.resolution.source

    @property
    def format(self) -> str:
        """Short name of the file format."""
        return self.reader.format

    @property
    def size_mm(self) -> tuple[float, float] | None:
        """(width, height) on the glass in mm, None where the resolution is unknown."""
        if self.mpp is None:
            return None
        return (self.dimensions[0] * self.mpp / 1000, self.dimensions[1] * self.mpp / 1000)

    def require_mpp(self) -> float:
        """The resolution, or an error that says how to give one."""
        if self.mpp is None:
            raise ResolutionError(
                f"{self.name} does not say how many µm a pixel is ({self.mpp_source}).",
                "Give it: the resolution field of the Explorer, --slide-mpp on the command line, "
                "or open_slide(path, mpp=…).",
            )
        return self.mpp

    def set_mpp(self, mpp: float | None, source: str = "set by the user") -> None:
        """Override the resolution (µm per level-0 pixel); None goes back to the file's."""
        self.resolution = self.stated if mpp is None else self.stated.overridden(mpp, source)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of a fluorescence slide, empty for brightfield."""
        return self.reader.channels if isinstance(self.reader, ChannelReader) else ()

    def require_brightfield(self) -> None:
        """An error that says why, where the pixels are no stain seen in white light."""
        if self.channels:
            raise SlideError(
                f"{self.name} is fluorescence ({', '.join(self.channels)}): it can be looked at, "
                "but neither encoded nor searched for stained tissue, because encoders are "
                "trained on brightfield H&E.",
                "Choose a brightfield slide of the same tissue.",
            )

    @property
    def background(self) -> int:
        """Grey value of what lies outside: white as glass is, black in fluorescence."""
        return 0 if self.channels else BACKGROUND

    @property
    def profile(self) -> bytes | None:
        """The ICC profile the file embeds, None where there is none."""
        return self.reader.profile if isinstance(self.reader, ProfiledReader) else None

    # --- what lies beside it ---

    @property
    def associated(self) -> tuple[str, ...]:
        """Names of the other images in the file: label, macro, thumbnail, further series."""
        return self.reader.associated

    def associated_image(self, name: str) -> Pixels:
        """The pixels (h, w, 3) uint8 of one of `associated`.

        A label can name the patient: nothing in ScaleScope shows or writes one unasked.

        Raises
        ------
        SlideError
            If there is no image of that name, or it cannot be read.
        """
        known = {n.casefold(): n for n in self.associated}.get(name.casefold())
        if known is None or not isinstance(self.reader, AssociatedReader):
            has = ", ".join(self.associated) or "none"
            raise SlideError(f"{self.name} holds no image {name!r}.", f"It holds: {has}.")
        return self.reader.associated_image(known)

    # --- pixels ---

    def level_for(self, downsample: float) -> int:
        """The coarsest level that is still at least as fine as ``downsample``."""
        best = 0
        for i, level in enumerate(self.levels):
            if level.downsample <= downsample * 1.001:
                best = i
        return best

    def reduction_for(self, level: int, downsample: float) -> int:
        """By how much a level can be decoded smaller and still be as fine as ``downsample``."""
        if self._reducing is None:
            return 1
        room = downsample * 1.001 / self.levels[level].downsample
        return max((f for f in self._reducing.reductions[level] if f <= room), default=1)

    def read_level(self, level: int, x: int, y: int, w: int, h: int, reduce: int = 1) -> Pixels:
        """Pixels (h, w, 3) uint8 of a window of a level; `background` where it leaves the slide.

        Parameters
        ----------
        level : int
            Index into `levels`.
        x, y, w, h : int
            Upper left corner and size in pixels of that level, or of that level reduced.
        reduce : int
            One of the reductions the file allows for that level: it is decoded so much smaller.
        """
        info = self.levels[level]
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + w, info.width // reduce), min(y + h, info.height // reduce)
        if (x0, y0, x1, y1) == (x, y, x + w, y + h):
            return self._inside(level, x, y, w, h, reduce)
        out = np.full((h, w, 3), self.background, np.uint8)
        if x1 > x0 and y1 > y0:
            part = self._inside(level, x0, y0, x1 - x0, y1 - y0, reduce)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = part
        return out

    def _inside(self, level: int, x: int, y: int, w: int, h: int, reduce: int) -> Pixels:
        if reduce == 1:
            return self.reader.read(level, x, y, w, h)
        if self._reducing is None or reduce not in self._reducing.reductions[level]:
            raise ValueError(f"level {level} is not decoded at a fraction of 1/{reduce}")
        return self._reducing.read_reduced(level, reduce, x, y, w, h)

    def read(
        self,
        box: tuple[float, float, float, float],
        mpp: float | None = None,
        size: tuple[int, int] | None = None,
    ) -> Pixels:
        """Pixels of any box at any resolution, resampled with antialiasing.

        From the nearest finer level, decoded smaller where that is possible (a box filter), with
        the cubic kernel of `Taps.of`.

        Parameters
        ----------
        box : (x, y, w, h)
            Level-0 pixels, floats. What lies outside the slide is white.
        mpp : float, optional
            Resolution to read at in µm per pixel; level 0's where neither it nor ``size`` is
            given. Needs a slide of known resolution.
        size : (int, int), optional
            Width and height of the answer, in place of ``mpp``.

        Returns
        -------
        (h', w', 3) uint8
            h' and w' are the box divided by the scale, rounded, at least 1.
        """
        box = Box(*box)
        if size is None:
            scale = 1.0 if mpp is None else mpp / self.require_mpp()
            size = (max(1, round(box.w / scale)), max(1, round(box.h / scale)))
        return self._lattice((box.x,), (box.y,), box[2:], size)

    def read_lattice(
        self, xs: Sequence[float], ys: Sequence[float], side: float, px: int
    ) -> Pixels:
        """Square boxes in rows and columns, each exactly as `read` gives it.

        What neighbours have in common is read and put together once.

        Parameters
        ----------
        xs, ys : sequences of float
            Left edges of the columns and upper edges of the rows, in level-0 pixels.
        side : float
            Of each box, in level-0 pixels.
        px : int
            Side of each box in pixels of the answer.

        Returns
        -------
        (len(ys), len(xs), px, px, 3) uint8
            A view of one picture in which the boxes stand side by side.
        """
        picture = self._lattice(xs, ys, (side, side), (px, px))
        return picture.reshape(len(ys), px, len(xs), px, 3).swapaxes(1, 2)

    def _lattice(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        extent: tuple[float, float],
        size: tuple[int, int],
    ) -> Pixels:
        wanted = min(extent[0] / size[0], extent[1] / size[1])
        level = self.level_for(wanted)
        reduce = self.reduction_for(level, wanted)
        d = self.levels[level].downsample * reduce
        across, down = (
            Taps.joined([Taps.of(start / d, length / d, n) for start in starts])
            for starts, length, n in zip((xs, ys), extent, size, strict=True)
        )
        return self._mixed(level, reduce, across, down)

    def _mixed(self, level: int, reduce: int, across: Taps, down: Taps) -> Pixels:
        (x0, x1), (y0, y1) = across.span, down.span
        if (x1 - x0) * (y1 - y0) > READ_AT_ONCE and len(down) > 1:
            # A slide without coarse levels: read in bands, so that memory stays bounded.
            half = len(down) // 2
            bands = (down[:half], down[half:])
            return np.concatenate([self._mixed(level, reduce, across, band) for band in bands])
        window = self.read_level(level, x0, y0, x1 - x0, y1 - y0, reduce)
        return mixed(window, across.moved(-x0), down.moved(-y0))

    def thumbnail(self, longest: int = 1000) -> Pixels:
        """The whole slide, its longest side ``longest`` pixels: (h', w', 3) uint8."""
        w, h = self.dimensions
        scale = max(w, h) / longest
        return self.read(self.box, size=(max(1, round(w / scale)), max(1, round(h / scale))))

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def __enter__(self) -> Slide:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        w, h = self.dimensions
        mpp = "unknown µm/px" if self.mpp is None else f"{self.mpp:.4g} µm/px"
        return f"<Slide {self.name}: {w} × {h} px, {len(self.levels)} levels, {mpp}>"
