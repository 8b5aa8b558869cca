"""Answers: from a question and what is encoded to a map, and to the places that answer it best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...analysis import Hit, TileMap, find_hits, similarity_map, text_map, whiten, whiten_tokens
from ...analysis.similarity import (
    Vectors,
    WhitenedSet,
    Whitening,
    area_above,
    blended_map,
    token_at,
    token_in,
    vector_at,
    vector_in,
)
from ...embeddings import EmbeddingSet
from ...embeddings.half import HalfVectors
from ...errors import ScaleScopeError
from .examples import Area, Example, Picture, Spot, Words
from .readings import Readings

if TYPE_CHECKING:
    from ..overlays import SimilarityOverlay
    from ..scene import Scene

#: Smallest distance between hits, in sides of a tile.
APART = 2.0


@dataclass(frozen=True)
class Found:
    """The examples of one sign as vectors."""

    vectors: list[Vectors]
    texts: list[Vectors]
    notes: list[str]
    waiting: int


class Answers:
    """Paints answers, and keeps what takes longer to make than a map.

    Kept are whitening of the set shown last, its tiles where texts are, and the last map of tiles:
    128 and at most a thousand numbers of half precision for each tile, and one.

    Parameters
    ----------
    readings : Readings
    """

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._whitened: WhitenedSet | None = None
        self._tokens: tuple[str, int, Whitening] | None = None
        self._texts: tuple[str, int, HalfVectors] | None = None
        self._last: tuple[Any, TileMap] | None = None

    def forget(self) -> None:
        """Another slide: nothing of it is needed."""
        self._whitened = self._tokens = self._texts = self._last = None

    def map(
        self, scene: Scene, look: SimilarityOverlay, tiles: np.ndarray | None = None
    ) -> TileMap | None:
        """The answer, None while nothing can be said yet.

        Parameters
        ----------
        scene : Scene
        look : SimilarityOverlay
            How alikeness is counted.
        tiles : (n, 2), optional
            Compare the patch tokens of these, rather than whole tiles. Texts are compared with
            tiles in either case.
        """
        question, emb = scene.question, scene.emb
        if not question or not len(emb):
            return None
        tokens = tiles is not None and not any(isinstance(e, Words) for e in question.examples)
        for_it = self._found(question.positives, scene, tokens)
        against = self._found(question.negatives, scene, tokens)
        if not for_it.vectors and not for_it.texts:
            return None
        if emb.key and not tokens:
            ready = tuple(len(p) for f in (for_it, against) for p in (f.vectors, f.texts))
            key = (emb.key, len(emb), id(scene.encoder), question, look.measure, ready)
            if self._last is None or self._last[0] != key:
                self._last = key, self._made(scene, look, for_it, against, None)
            made = self._last[1]
        else:
            made = self._made(scene, look, for_it, against, tiles if tokens else None)
        notes = [*for_it.notes, *against.notes]
        waiting = for_it.waiting + against.waiting
        if waiting:
            notes.append(f"{waiting} of {len(question.examples)} examples not encoded yet")
        return replace(made, legend=" ".join([made.legend, *(f"{note}." for note in notes)]))

    def hits(self, scene: Scene, look: SimilarityOverlay, k: int) -> list[Hit]:
        """The k tiles of the slide that answer best, none of them beside another."""
        made = self.map(scene, look)
        if made is None or scene.question is None:
            return []
        grid = scene.emb.grid
        asked = [(e.x, e.y) for e in scene.question.examples if isinstance(e, Spot)]
        reach = APART * grid.footprint
        return find_hits(made, k, apart=reach, side=grid.footprint, leave_out=asked)

    # --- inside ---

    def _found(self, examples: tuple[Example, ...], scene: Scene, tokens: bool) -> Found:
        found = Found([], [], [], 0)
        waiting = 0
        for example in examples:
            if isinstance(example, Words):
                encoder = scene.encoder
                read = None if encoder is None else self._readings.text(example, encoder)
                if read is None:
                    waiting += 1
                else:
                    found.texts.append(read.vector)
                continue
            vector = _looked_up(example, scene.emb, tokens)
            if vector is None and scene.encoder is not None:
                seen = self._readings.pixels(example, scene.slide, scene.emb.grid, scene.encoder)
                if seen is not None:
                    vector = seen.token if tokens else seen.vector
                    found.notes.extend([seen.words] if seen.words else [])
            if vector is None:
                waiting += 1
            else:
                found.vectors.append(vector)
        return replace(found, waiting=waiting)

    def _made(
        self,
        scene: Scene,
        look: SimilarityOverlay,
        for_it: Found,
        against: Found,
        tiles: np.ndarray | None,
    ) -> TileMap:
        emb, question = scene.emb, scene.question
        assert question is not None
        if for_it.texts or against.texts:
            texts = self._where_texts_are(scene)
            alone = not (for_it.vectors or against.vectors or against.texts)
            if alone and len(for_it.texts) == 1:
                vector = for_it.texts[0]
                return text_map(emb, question.text, vector, texts, measure=look.measure)
            made = blended_map(
                emb,
                [
                    (emb.half, for_it.vectors, against.vectors),
                    (texts, for_it.texts, against.texts),
                ],
            )
            return replace(made, name=question.title)
        whitened: WhitenedSet | Whitening | None = None
        if look.measure == "whitened":
            whitened = self._white(emb) if tiles is None else self._white_tokens(emb)
        return similarity_map(
            emb,
            positives=np.stack(for_it.vectors),
            negatives=np.stack(against.vectors) if against.vectors else None,
            tokens=tiles is not None,
            tiles=tiles,
            measure=look.measure,
            whitened=whitened,
        )

    def _white(self, emb: EmbeddingSet) -> WhitenedSet | None:
        if len(emb) < 2:
            return None
        self._whitened = whiten(emb, self._whitened)
        return self._whitened

    def _white_tokens(self, emb: EmbeddingSet) -> Whitening:
        """Fitted anew when half as many tiles have tokens as had then."""
        count = len(emb.having("patch_tokens"))
        if self._tokens is None or self._tokens[0] != emb.key or count > 1.5 * self._tokens[1]:
            self._tokens = emb.key, count, whiten_tokens(emb)
        return self._tokens[2]

    def _where_texts_are(self, scene: Scene) -> HalfVectors:
        emb, encoder = scene.emb, scene.encoder
        if encoder is None:
            raise ScaleScopeError("No encoder is loaded.", "Wait until it is.")
        known = self._texts
        if known is None or known[0] != emb.key or len(known[2].rows) > len(emb.half.rows):
            known = None
        made = emb.half.mapped(encoder.text.images, None if known is None else known[2])
        self._texts = emb.key, len(emb), made
        return made


def dimmed(made: TileMap, threshold: float | None, slide_mpp: float) -> TileMap:
    """A map of which only what reaches a threshold stands out, and how much that is."""
    if threshold is None:
        return made
    return replace(made, threshold=threshold, area_mm2=area_above(made, threshold, slide_mpp))


def _looked_up(example: Spot | Area | Picture, emb: EmbeddingSet, tokens: bool) -> Vectors | None:
    if isinstance(example, Spot):
        return (token_at if tokens else vector_at)(emb, example.x, example.y)
    if isinstance(example, Area):
        return (token_in if tokens else vector_in)(emb, example.geometry)
    return None
