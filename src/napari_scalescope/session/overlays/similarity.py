"""What looks like the question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap
from ...analysis.similarity import Measure
from ...analysis.tile_map import spread
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
    measure : "cosine", "whitened" or "rank"
        How alikeness is counted: see `analysis.similarity.Measure`.
    threshold : float or None
        What scores lower is dimmed, in the unit of the map.
    """

    tokens: bool = True
    measure: Measure = "cosine"
    threshold: float | None = None

    title: ClassVar[str] = "Similarity"
    waiting: ClassVar[str] = "Click on the tissue to find what looks like it."

    @property
    def parts(self) -> tuple[Part, ...]:
        """Patch tokens where they are compared."""
        return ("patch_tokens",) if self.tokens else ()

    def paint(self, scene: Scene) -> TileMap | None:
        """Tokens of the tissue in view, or the tiles of the slide."""
        from ..asking.answers import dimmed

        tiles = in_view(scene, "patch_tokens") if self.tokens else None
        if tiles is not None and not len(tiles):
            return None
        try:
            made = scene.answers.map(scene, self, tiles)
        except LookupError:
            return None  # hardly anything is encoded at this scale yet
        if made is None:
            return None
        if made.smooth:
            shown = on_tissue(made, scene.tissue)
            ranks = self.measure == "rank"
            made = replace(shown, limits=made.limits if ranks else spread(shown.values, 2.0, 99.8))
        return dimmed(made, self.threshold, scene.emb.grid.slide_mpp)
