"""Where the encoder makes the same of the tissue at two magnifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap, cross_scale_agreement
from ...analysis.cross_scale import AgreementKind
from ...embeddings.embedding_set import Part
from .overlay import Overlay

if TYPE_CHECKING:
    from ..scene import Scene

#: From fewer places nothing can be said of what is usual.
LEAST_PLACES = 6
#: Finer than this share of the slide's own µm per pixel there is nothing more to see.
NATIVE = 0.95


@dataclass(frozen=True)
class AgreementOverlay(Overlay):
    """Agreement of the shown magnification with another one.

    Parameters
    ----------
    kind : "local", "global", "gram" or "neighbours"
        What is compared: see `cross_scale_agreement`.
    step : float
        The other resolution as a multiple of the one shown: below 1 finer, above coarser. Where
        the slide has nothing so fine, the inverse is taken.
    """

    kind: AgreementKind = "global"
    step: float = 0.5

    title: ClassVar[str] = "Cross-scale agreement"
    waiting: ClassVar[str] = (
        f"Needs {LEAST_PLACES} places or more encoded at two magnifications: "
        "switch Live on, press E, or encode the slide."
    )

    @property
    def parts(self) -> tuple[Part, ...]:
        """Patch tokens where they are compared."""
        return ("patch_tokens",) if self.kind in ("local", "gram") else ()

    def further(self, mpp: float, native: float) -> tuple[float, ...]:
        """The other resolution."""
        other = mpp * self.step
        return (other if other >= NATIVE * native else mpp / self.step,)

    def paint(self, scene: Scene) -> TileMap | None:
        """The tiles of the slide, or those in view where patch tokens are compared."""
        (mpp,) = self.further(scene.emb.grid.mpp, scene.slide.require_mpp())
        other = scene.others.get(mpp)
        if other is None or min(len(other), len(scene.emb)) < LEAST_PLACES:
            return None
        coarse, fine = sorted((scene.emb, other), key=lambda emb: -emb.grid.mpp)
        in_view = coarse.grid.tiles_in(scene.box.grown(coarse.grid.pitch))
        try:
            return cross_scale_agreement(
                coarse, fine, self.kind, tiles=in_view if self.parts else None
            )
        except LookupError:
            return None  # what is needed is not encoded at one of them yet
