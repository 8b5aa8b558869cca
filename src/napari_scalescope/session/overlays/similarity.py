"""What looks like the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap, similarity_map
from ...embeddings.embedding_set import Part
from .overlay import Overlay
from .tokens import in_view, on_tissue

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class SimilarityOverlay(Overlay):
    """What looks like the question.

    Parameters
    ----------
    tokens : bool
        Compare patch tokens rather than whole tiles. A text is compared with tiles in either
        case: their vectors are what was trained to lie near it, tokens were not.
    """

    tokens: bool = True

    title: ClassVar[str] = "Similarity"
    waiting: ClassVar[str] = "Click on the tissue to find what looks like it."

    @property
    def parts(self) -> tuple[Part, ...]:
        """Patch tokens where they are compared."""
        return ("patch_tokens",) if self.tokens else ()

    def paint(self, scene: Scene) -> TileMap | None:
        """Tokens of the tissue in view, or the tiles of the slide."""
        emb, question = scene.emb, scene.question
        if not len(emb) or question is None:
            return None
        if question.place is None:
            return None if scene.read is None else scene.read.map(emb)
        try:
            if not self.tokens:
                return similarity_map(emb, question.place)
            tiles = in_view(scene, "patch_tokens")
            if not len(tiles):
                return None
            made = similarity_map(emb, question.place, tokens=True, tiles=tiles)
        except LookupError:
            return None  # the place of the query is not encoded at this scale yet
        return on_tissue(made, scene.tissue)
