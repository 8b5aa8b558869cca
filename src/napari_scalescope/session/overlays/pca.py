"""Like colours are like tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap, pca_map
from ...embeddings.embedding_set import Part
from .overlay import Overlay
from .tokens import in_view, on_tissue

if TYPE_CHECKING:
    from ..scene import Scene


@dataclass(frozen=True)
class PcaOverlay(Overlay):
    """Principal components as colours.

    Parameters
    ----------
    tokens : bool
        Colour patch tokens rather than whole tiles.
    """

    tokens: bool = True

    title: ClassVar[str] = "PCA colours"
    waiting: ClassVar[str] = "Encode something: switch Live on, or press E."

    @property
    def parts(self) -> tuple[Part, ...]:
        """Patch tokens where they are coloured."""
        return ("patch_tokens",) if self.tokens else ()

    def paint(self, scene: Scene) -> TileMap | None:
        """Tokens of the tissue in view, or the tiles of the slide."""
        if not self.tokens:
            return pca_map(scene.emb) if len(scene.emb) else None
        tiles = in_view(scene, "patch_tokens")
        if not len(tiles):
            return None
        return on_tissue(pca_map(scene.emb, tokens=True, tiles=tiles), scene.tissue)
