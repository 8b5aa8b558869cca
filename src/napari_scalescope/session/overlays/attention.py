"""Where the encoder looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ...analysis import Span, TileMap, attention_map, attention_span
from ...analysis.attention import Normalise
from ...embeddings.embedding_set import Part
from ...encoders import AttentionSource
from .overlay import Overlay
from .tokens import in_view, on_tissue

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class AttentionOverlay(Overlay):
    """Attention of the encoder inside each tile.

    Parameters
    ----------
    head : int or None
        Which attention head, None for the mean of all.
    made_of : int, "rollout", "feature norm" or None
        One block or all of them (`Encoder.looking`), None for what the catalogue says.
    normalise : "view", "slide" or "tile"
        What the colours span (`attention_map`).
    """

    head: int | None = None
    made_of: AttentionSource | None = None
    normalise: Normalise = "view"

    title: ClassVar[str] = "Attention"
    waiting: ClassVar[str] = "Encode something: switch Live on, or press E."

    @property
    def parts(self) -> tuple[Part, ...]:
        """Attention."""
        return ("attention",)

    @property
    def source(self) -> AttentionSource | None:
        """As chosen."""
        return self.made_of

    def paint(self, scene: Scene) -> TileMap | None:
        """The tissue in view."""
        tiles = in_view(scene, "attention")
        if not len(tiles):
            return None
        head: Literal["mean"] | int = "mean" if self.head is None else self.head
        span = self._span(scene, head) if self.normalise == "slide" else None
        made = attention_map(scene.emb, head, normalise=self.normalise, tiles=tiles, span=span)
        return on_tissue(made, scene.tissue, fit=self.normalise == "view")

    @staticmethod
    def _span(scene: Scene, head: Literal["mean"] | int) -> Span:
        """The range over the slide, as it was until much more is encoded."""
        emb, mask = scene.emb, scene.tissue
        tiles = emb.having("attention")
        if mask is not None:
            # What lies on glass takes up much attention and is not shown.
            share = mask.share(emb.grid)[tiles[:, 0], tiles[:, 1]]
            tiles = tiles[share >= 0.5] if (share >= 0.5).any() else tiles
        what = (emb.key, head, mask is None)
        return scene.fits.of_slide(
            "attention", what, len(tiles), lambda: attention_span(emb, head, tiles=tiles)
        )
