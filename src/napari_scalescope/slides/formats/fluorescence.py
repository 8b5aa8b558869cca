"""Fluorescence as it is shown: every channel in its colour, added up.

What is made here is a picture to look at. It depends on colours and contrast somebody chose, so
nothing is ever computed from it: see `Slide.require_brightfield`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import SlideError, UnreachableError
from ..slide import Pixels

Colour = tuple[int, int, int]
#: (channels, h, w) of any real dtype.
Planes = npt.NDArray[Any]

#: For channels whose metadata names no colour, in their order.
PALETTE: tuple[Colour, ...] = (
    (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 0),
    (255, 0, 255), (0, 255, 255), (255, 128, 0), (255, 255, 255),
)  # fmt: skip
#: One channel alone is seen best without any colour.
WHITE: Colour = (255, 255, 255)
RGB: tuple[Colour, ...] = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
#: Of more channels, the first so many are added up. More colours cannot be told apart.
SHOWN = 8
#: Percentiles of the coarsest level that become black and full colour.
PERCENTILES = (1.0, 99.8)
#: From at most so many pieces of the coarsest level is the contrast taken.
SAMPLED_PIECES = 64

#: Names that say nothing of what was stained for.
_NO_DYE = re.compile(
    r"(r|g|b|red|green|blue|rgb|gr[ae]y(scale)?|luminance|bf|bright ?field|transmitted.*|tl"
    r"|(channel|ch|c)?[ _:#-]*\d*(:\d+)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Channel:
    """One channel of an image.

    Parameters
    ----------
    name : str
        "" where the file gives none.
    colour : (int, int, int) or None
        What it is shown in, 0 to 255 each.
    window : (float, float) or None
        Values that are shown as black and as the full colour.
    fluorescent : bool
        Whether the metadata say in so many words that it is fluorescence.
    shown : bool
        Whether the metadata want it seen.
    """

    name: str = ""
    colour: Colour | None = None
    window: tuple[float, float] | None = None
    fluorescent: bool = False
    shown: bool = True

    @property
    def names_a_dye(self) -> bool:
        """Whether its name is more than a number or a colour of light."""
        return _NO_DYE.fullmatch(self.name.strip()) is None


def is_fluorescence(
    channels: Sequence[Channel], dtype: npt.DTypeLike, *, three_are_rgb: bool
) -> bool:
    """Whether planes are fluorescence rather than the colours of a brightfield image.

    Parameters
    ----------
    channels : sequence of Channel
        One per plane.
    dtype : dtype
        Of the planes. Brightfield has 8 bits.
    three_are_rgb : bool
        What three channels are of which nothing is known. NGFF has no other way to store RGB;
        OME-TIFF has, and files that store RGB so are the exception.
    """
    if np.dtype(dtype) != np.uint8 or len(channels) not in (1, 3, 4):
        return True
    if any(c.fluorescent or c.names_a_dye for c in channels):
        return True
    colours = tuple(c.colour for c in channels[:3])
    if len(channels) == 1:
        return colours[0] not in (None, WHITE, (0, 0, 0))
    if colours == RGB or [c.name.strip().lower()[:1] for c in channels[:3]] == ["r", "g", "b"]:
        return False
    unsaid = all(c is None for c in colours) or len(set(colours)) == 1
    return not (unsaid and three_are_rgb)


def named(channels: Sequence[Channel]) -> tuple[str, ...]:
    """A name for every channel, its number where the file gives none."""
    return tuple(c.name.strip() or f"channel {i}" for i, c in enumerate(channels, 1))


def rgb_planes(n: int) -> list[Channel]:
    """Planes that are red, green, blue and perhaps alpha; or grey."""
    if n == 1:
        return [Channel("grey", WHITE, (0, 255))]
    return [Channel(name, c, (0, 255)) for name, c in zip("rgb", RGB, strict=True)] + [
        Channel("alpha", shown=False) for _ in range(n - 3)
    ]


class Composite:
    """Planes in, colours out. May be called from any thread.

    Parameters
    ----------
    channels : sequence of Channel
    samples : callable
        ``samples(which) -> (len(which), n)`` values of channels, from which the contrast of
        those without a window is taken. Called once, when the first pixels are wanted.
    """

    def __init__(
        self, channels: Sequence[Channel], samples: Callable[[tuple[int, ...]], Planes]
    ) -> None:
        wanted = [i for i, c in enumerate(channels) if c.shown] or list(range(len(channels)))
        #: Which channels are shown, and have to be read.
        self.shown = tuple(wanted[:SHOWN])
        chosen = [channels[i] for i in self.shown]
        self.colours = _colours(chosen)
        self._windows = [c.window for c in chosen]
        self._samples = samples
        self._lock = threading.Lock()
        self._tables: dict[np.dtype[Any], list[npt.NDArray[np.uint16]]] = {}

    def windows(self) -> list[tuple[float, float]]:
        """Values shown as black and as full colour, of every channel shown."""
        with self._lock:
            unknown = [i for i, w in enumerate(self._windows) if w is None]
            if unknown:
                values = self._samples(tuple(self.shown[i] for i in unknown))
                for i, part in zip(unknown, values, strict=True):
                    self._windows[i] = contrast(part)
            return [w for w in self._windows if w is not None]

    def __call__(self, planes: Planes) -> Pixels:
        """Colours (h, w, 3) of the planes (len(shown), h, w) of the channels in `shown`."""
        out = np.zeros((*planes.shape[1:], 3), np.uint16)
        if planes.dtype.kind == "u" and planes.dtype.itemsize <= 2:
            for plane, table in zip(planes, self._tables_for(planes.dtype), strict=True):
                out += table[plane]
        else:
            for plane, window, colour in zip(planes, self.windows(), self.colours, strict=True):
                out += _coloured(plane, window, colour)
        # eight channels of 255 each stay far below the top of 16 bits
        return np.minimum(out, 255).astype(np.uint8)

    def _tables_for(self, dtype: np.dtype[Any]) -> list[npt.NDArray[np.uint16]]:
        """For every value that a dtype of few bits can have, its colour: (values, 3) each."""
        plain = dtype.newbyteorder("=")
        if plain not in self._tables:
            values = np.arange(np.iinfo(plain).max + 1)
            self._tables[plain] = [
                _coloured(values, window, colour)
                for window, colour in zip(self.windows(), self.colours, strict=True)
            ]
        return self._tables[plain]


def contrast(values: Planes) -> tuple[float, float]:
    """The window a channel is shown in when nobody has said."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, PERCENTILES)
    if high <= low:  # nothing but background up to the last percentile
        low, high = float(known.min()), float(known.max())
    return float(low), float(high) if high > low else float(low) + 1.0


def sampled(
    sizes: Sequence[tuple[int, int]],
    chunks: Sequence[tuple[int, int]],
    planes: Callable[[int, int, int, tuple[int, ...]], Planes],
    which: tuple[int, ...],
) -> Planes:
    """Values (len(which), n) of at most `SAMPLED_PIECES` pieces all over the coarsest level.

    Damaged pieces are left out, unless all of them are.

    Parameters
    ----------
    sizes, chunks : sequences of (int, int)
        Width and height of every level and of its pieces.
    planes : callable
        ``planes(level, row, col, which) -> (len(which), h, w)``
    which : tuple of int
        Channels.
    """
    level = len(sizes) - 1
    (w, h), (cw, ch) = sizes[level], chunks[level]
    rows, cols = -(-h // ch), -(-w // cw)
    count = min(SAMPLED_PIECES, rows * cols)
    values, trouble = [], None
    for k in np.linspace(0, rows * cols - 1, count).round().astype(int).tolist():
        row, col = divmod(k, cols)
        try:
            part = planes(level, row, col, which)[:, : h - row * ch, : w - col * cw]
        except UnreachableError:
            raise
        except SlideError as error:
            trouble = error
            continue
        # a piece may be the whole level: some thousands of its values say as much
        every = max(1, int((part[0].size / 2**18) ** 0.5))
        values.append(part[:, ::every, ::every].reshape(len(part), -1))
    if trouble is not None and not values:
        raise trouble
    return np.concatenate(values, axis=1)


def _colours(channels: Sequence[Channel]) -> list[Colour]:
    """Those of the metadata if they tell the channels apart, else a palette."""
    said = [c.colour for c in channels]
    if len(channels) == 1:
        return [said[0] if said[0] not in (None, (0, 0, 0)) else WHITE]
    if len(set(said)) == 1 or None in said or (0, 0, 0) in said:
        free = [c for c in PALETTE if c not in said] + list(PALETTE)
        tell_apart = len(set(said)) > 1
        return [
            colour if tell_apart and colour not in (None, (0, 0, 0)) else free.pop(0)
            for colour in said
        ]
    return [c for c in said if c is not None]


def _coloured(
    values: Planes, window: tuple[float, float], colour: Colour
) -> npt.NDArray[np.uint16]:
    low, high = window
    share = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    share = np.nan_to_num(share)
    out: npt.NDArray[np.uint16] = np.rint(share[..., None] * np.asarray(colour)).astype(np.uint16)
    return out
