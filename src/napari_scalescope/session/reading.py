"""Texts as questions: "lymphocytes" is one more query, once the encoder has read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..analysis import TileMap, text_map
from ..embeddings import EmbeddingSet
from ..encoders import Encoder, Entry
from ..encoders.text import text_spec
from ..errors import ScaleScopeError
from ..worker import NewestOnly


@dataclass(frozen=True, eq=False)
class TextQuery:
    """A text as one encoder reads it. Another encoder has to read it anew.

    Parameters
    ----------
    text : str
    encoder : Encoder
    vector : (T,) float32
        In the space its texts and tiles share.
    """

    text: str
    encoder: Encoder
    vector: npt.NDArray[np.float32]

    def map(self, emb: EmbeddingSet) -> TileMap | None:
        """How much each tile looks like it, None while nothing is encoded."""
        if not len(emb):
            return None
        return text_map(emb, self.text, self.vector, self.encoder.text.images)


class Library(Protocol):
    """Where the encoder comes from: `Resources`, as far as this module knows it."""

    @property
    def entry(self) -> Entry:
        """What the catalogue says of the chosen encoder."""

    def require_encoder(self) -> Encoder:
        """The chosen encoder, loaded."""


class Reader:
    """Has texts read in a thread of its own: a text tower takes seconds to load.

    Parameters
    ----------
    library : Library
    say : callable
        Told in words what is being waited for, and nothing when it is over.
    read : callable
        Given the `TextQuery`.
    failed : callable
        Given the error instead.
    """

    def __init__(
        self,
        library: Library,
        say: Callable[[str], None],
        read: Callable[[TextQuery], None],
        failed: Callable[[ScaleScopeError], None],
    ) -> None:
        self._library, self._say, self._found, self._failed = library, say, read, failed
        self._thread = NewestOnly("scalescope-texts")
        self.wait, self.close = self._thread.wait, self._thread.close

    @property
    def idle(self) -> bool:
        """Whether nothing is read now."""
        return self._thread.idle

    def able(self) -> bool:
        """Whether the chosen encoder reads. If it does not, that is told as a failure."""
        try:
            text_spec(self._library.entry)
        except ScaleScopeError as error:
            self._failed(error)
            return False
        return True

    def read(self, text: str) -> None:
        """Have a text read, unless a newer one comes first."""
        self._thread.submit("text", partial(self._read, text))

    def _read(self, text: str) -> None:
        try:
            encoder = self._library.require_encoder()
            self._say(f"{encoder.entry.name} reads “{text}”…")
            self._found(TextQuery(text, encoder, encoder.text.vectors([text])[0]))
        except ScaleScopeError as error:
            self._failed(error)
        finally:
            self._say("")
