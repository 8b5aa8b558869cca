"""What a slide-level head looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from ...aggregators import Aggregator, read_aggregator
from ...analysis import Entropy, TileMap, attention_entropy, mil_attention, mil_attention_map
from ...embeddings import EmbeddingSet
from ...encoders import Entry
from ...encoders.remembered import remember_head, remembered_head
from ...errors import ScaleScopeError
from ...settings import Settings
from ...worker import NewestOnly
from ..overlays import MilOverlay
from .finding import Finding


@dataclass(frozen=True, eq=False)
class TileWeights:
    """How a slide-level head shares its attention among tiles.

    Parameters
    ----------
    head : Aggregator
    branch : int
        Which of its branches.
    emb : EmbeddingSet
        The tiles.
    weights : (n,) float64
        In the order of its tiles; the sum is 1.
    entropy : Entropy
        Of the weights.
    """

    head: Aggregator
    branch: int
    emb: EmbeddingSet
    weights: npt.NDArray[np.float64]
    entropy: Entropy

    def map(self, normalise: Literal["softmax", "rank"]) -> TileMap:
        """The weights over the slide."""
        return mil_attention_map(
            self.emb, self.head, self.branch, normalise=normalise, weights=self.weights
        )


class Library(Protocol):
    """What is encoded with, and where it is kept: `Resources`, as far as this module knows it."""

    @property
    def entry(self) -> Entry:
        """What the catalogue says of the chosen encoder."""

    @property
    def settings(self) -> Settings:
        """Where the encoder folder is."""


class Mil(Finding[TileWeights]):
    """The attention of a slide-level head over what is encoded.

    A head outlives slide, encoder and scale: it may be the encoder that has to be changed to suit
    it. Which file was used last with an encoder is remembered.

    Parameters
    ----------
    embeddings : callable
        What is encoded now, None while nothing is.
    options : callable
        Which branch.
    library : Library
    thread : NewestOnly
        Where files are read and heads run.

    Attributes
    ----------
    head : Aggregator or None
        None until a file was chosen.
    refused : str
        Why there is nothing, in words for the user; "" where nothing went wrong.
    """

    def __init__(
        self,
        embeddings: Callable[[], EmbeddingSet | None],
        options: Callable[[], MilOverlay],
        library: Library,
        thread: NewestOnly,
    ) -> None:
        super().__init__()
        self._embeddings, self._options, self._library = embeddings, options, library
        self._thread = thread
        self.head: Aggregator | None = None
        self.refused = ""
        self._path: Path | None = None

    def choose(self, path: str | Path) -> None:
        """Read a head from a file, in the background, and see what it looks at."""
        self._thread.submit("head", partial(self._choose, Path(path)))

    def find(self) -> None:
        """Run the head on the encoded tiles, in the background, unless that is done already."""
        self._thread.submit("mil", self._find)

    def _choose(self, path: Path) -> None:
        if self._read(path):
            self._find()

    def _read(self, path: Path) -> bool:
        try:
            self.head, self._path, self.refused = read_aggregator(path), path, ""
        except ScaleScopeError as error:
            self._refuse(str(error))
            return False
        self.changed.emit()
        return True

    def _find(self) -> None:
        generation, options, emb = self.generation, self._options(), self._embeddings()
        entry, folder = self._library.entry, self._library.settings.encoder_folder
        if self.head is None:
            path = remembered_head(entry, folder)
            if path is None or not self._read(path):
                return
        head, now = self.head, self.found
        if head is None or emb is None or not len(emb):
            return
        branch = options.branch if options.branch < len(head.branches) else 0
        if now is not None and (now.head, now.branch) == (head, branch) and now.emb.same_tiles(emb):
            return
        try:
            weights = mil_attention(emb, head, branch)
        except ScaleScopeError as error:
            if generation == self.generation:
                self._refuse(str(error))
            return
        self.refused = ""
        found = TileWeights(head, branch, emb, weights, attention_entropy(weights))
        if self.keep(found, generation) and self._path is not None:
            remember_head(entry, self._path, folder)

    def _refuse(self, words: str) -> None:
        self.refused = words
        self.keep(None, self.generation)
