"""What an encoder makes of an example that is not among the tiles it has encoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...analysis.similarity import unit
from ...encoders import Encoder, Entry
from ...encoders.encoding import Part
from ...encoders.text import text_spec
from ...errors import ScaleScopeError
from ...geometry import TileGrid
from ...slides import Slide
from ...worker import NewestOnly
from .examples import Area, Example, Picture, Spot, Words

Vectors = npt.NDArray[np.float32]

TOKENS: tuple[Part, ...] = ("patch_tokens",)


@dataclass(frozen=True, eq=False)
class Reading:
    """An example as one encoder sees or reads it at one scale.

    Parameters
    ----------
    vector : (D,) or (T,) float32
        Among its embeddings, or of a text in the space that texts and tiles share.
    token : (d,) float32 or None
        Among its patch tokens.
    words : str
        What was done to the pixels, "" where they were the slide's own.
    """

    vector: Vectors
    token: Vectors | None = None
    words: str = ""


class Library(Protocol):
    """Where the encoder comes from: `Resources`, as far as this module knows it."""

    @property
    def entry(self) -> Entry:
        """What the catalogue says of the chosen encoder."""

    def require_encoder(self) -> Encoder:
        """The chosen encoder, loaded."""


class Readings:
    """Has examples read in a thread of its own: texts, pictures, places nobody has encoded.

    Each is read once by an encoder, and pictures once at a scale.

    Parameters
    ----------
    library : Library
    say : callable
        Told in words what is being waited for, and nothing when it is over.
    found : callable
        Called when something was read.
    failed : callable
        Given the error instead.
    """

    def __init__(
        self,
        library: Library,
        say: Callable[[str], None],
        found: Callable[[], None],
        failed: Callable[[ScaleScopeError], None],
    ) -> None:
        self._library, self._say, self._found, self._failed = library, say, found, failed
        self._thread = NewestOnly("scalescope-examples")
        self.wait, self.close = self._thread.wait, self._thread.close
        self._lock = threading.Lock()
        # None while it is read, and for what could not be: that is told once.
        self._known: dict[tuple[Any, ...], Reading | None] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing is read now."""
        return self._thread.idle

    def able(self) -> bool:
        """Whether the chosen encoder reads texts. If it does not, that is told as a failure."""
        try:
            text_spec(self._library.entry)
        except ScaleScopeError as error:
            self._failed(error)
            return False
        return True

    def forget_all_but(self, examples: Iterable[Example]) -> None:
        """Only these are asked about now. What could not be read may be tried again."""
        wanted = set(examples)
        with self._lock:
            self._known = {k: v for k, v in self._known.items() if k[0] in wanted and v is not None}

    def text(self, words: Words, encoder: Encoder) -> Reading | None:
        """A text as an encoder reads it, None while it is being read."""
        if encoder.entry.text is None:
            return None
        return self._get((words, id(encoder)), partial(self._read, words, encoder))

    def start(self, words: Words) -> None:
        """Have a text read by the chosen encoder, which may have to be loaded for it first."""

        def load_and_read() -> None:
            try:
                encoder = self._library.require_encoder()
            except ScaleScopeError as error:
                self._say("")
                self._failed(error)
                return
            self.text(words, encoder)

        self._thread.submit("load", load_and_read)

    def pixels(
        self, example: Spot | Area | Picture, slide: Slide, grid: TileGrid, encoder: Encoder
    ) -> Reading | None:
        """A place or a picture as an encoder sees it, None while it is being encoded.

        Places are those of ``slide``, and become the tile of ``grid`` they lie in.
        """
        key = (example, id(encoder), slide.fingerprint, grid.mpp, grid.tile_px)
        return self._get(key, partial(self._see, example, slide, grid, encoder))

    # --- inside ---

    def _get(self, key: tuple[Any, ...], read: Callable[[], Reading | None]) -> Reading | None:
        with self._lock:
            if key in self._known:
                return self._known[key]
            self._known[key] = None
        self._thread.submit(repr(key), partial(self._do, key, read))
        return None

    def _do(self, key: tuple[Any, ...], read: Callable[[], Reading | None]) -> None:
        try:
            made = read()
        except ScaleScopeError as error:
            self._failed(error)
            return
        finally:
            self._say("")
        with self._lock:
            if key in self._known:  # else something else is asked by now
                self._known[key] = made
        self._found()

    def _read(self, words: Words, encoder: Encoder) -> Reading:
        self._say(f"{encoder.entry.name} reads {words.title}…")
        return Reading(encoder.text.vectors([words.text])[0])

    def _see(
        self, example: Spot | Area | Picture, slide: Slide, grid: TileGrid, encoder: Encoder
    ) -> Reading | None:
        self._say(f"{encoder.entry.name} sees {example.title}…")
        if isinstance(example, Picture):
            tiles, said = example.tiles(grid.mpp, grid.tile_px)
            seen = encoder.encode(tiles, keep=TOKENS)
            tokens = seen.patch_tokens
            if tokens is None:
                token = None
            elif example.at is not None:
                middle = tokens.shape[1] // 2
                token = tokens[0, middle, middle]
            else:
                token = unit(unit(tokens).mean((0, 1, 2)))
            return Reading(unit(unit(seen.embedding).mean(0)), token, said)
        spot = example.inside if isinstance(example, Area) else example
        tile = grid.tile_at(spot.x, spot.y)
        if tile is None:
            return None
        box = grid.box(*tile)
        pixels = slide.read(box, size=(grid.tile_px, grid.tile_px))
        seen = encoder.encode(pixels[None], keep=TOKENS)
        token = None
        if seen.patch_tokens is not None:
            g = seen.patch_tokens.shape[1]
            at = (min(g - 1, int(p / box.w * g)) for p in (spot.y - box.y, spot.x - box.x))
            token = seen.patch_tokens[0][tuple(at)]
        return Reading(seen.embedding[0], token)
