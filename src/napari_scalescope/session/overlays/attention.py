"""Where the encoder looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from ...analysis import TileMap, attention_map
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
    """

    head: int | None = None
    made_of: AttentionSource | None = None

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
        return on_tissue(attention_map(scene.emb, head, tiles=tiles), scene.tissue)
