"""Like colours are like tissue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from ...analysis import PcaColours, TileMap, fit_pca, pca_map
from ...analysis.pca import space_of
from ...embeddings.embedding_set import Part
from ...errors import ScaleScopeError
from ...geometry import IntArray
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
    fitted : "view", "slide" or "before"
        On what the colours are fitted: what is in view, all of the slide that is encoded, or as
        they were on the slide that was looked at before this one.
    """

    tokens: bool = True
    fitted: Literal["view", "slide", "before"] = "view"

    title: ClassVar[str] = "PCA colours"
    waiting: ClassVar[str] = "Encode something: switch Live on, or press E."

    @property
    def parts(self) -> tuple[Part, ...]:
        """Patch tokens where they are coloured."""
        return ("patch_tokens",) if self.tokens else ()

    def paint(self, scene: Scene) -> TileMap | None:
        """Tokens of the tissue in view, or the tiles of the slide."""
        shown = in_view(scene, "patch_tokens" if self.tokens else None)
        if not (len(shown) if self.tokens else len(scene.emb)):
            return None
        colours = self._colours(scene, shown)
        if not self.tokens:
            return pca_map(scene.emb, colours=colours)
        made = pca_map(scene.emb, tokens=True, tiles=shown, colours=colours)
        return on_tissue(made, scene.tissue)

    def _colours(self, scene: Scene, shown: IntArray) -> PcaColours:
        """Fitted as chosen, with the hues of the fit before."""
        emb, fits, slide = scene.emb, scene.fits, scene.slide.fingerprint
        space = space_of(emb)
        if self.fitted == "before":
            before = fits.colours_before(space, self.tokens, slide)
            if before is None:
                raise ScaleScopeError(
                    "No other slide was coloured by this encoder yet.",
                    "Look at one with PCA colours, then come back to this one.",
                )
            words = {"the slide": "the slide before", "the view": "a view of the slide before"}
            name = next((w for w in words if before.fitted_on.startswith(w)), "")
            return replace(
                before, fitted_on=words.get(name, "") + before.fitted_on.removeprefix(name)
            )
        every = emb.having("patch_tokens") if self.tokens else emb.tiles
        like = fits.newest_colours(space, self.tokens)

        def fit(tiles: IntArray, words: str) -> PcaColours:
            return fit_pca(
                emb,
                tokens=self.tokens,
                tiles=tiles,
                foreground=scene.tissue,
                like=like,
                fitted_on=words,
            )

        if self.fitted == "slide" or not len(shown):
            name, what = f"colours, tokens: {self.tokens}", (emb.key, scene.tissue is None)
            made = fits.of_slide(name, what, len(every), lambda: fit(every, "the slide"))
        else:
            made = fit(shown, "the view")
        fits.keep_colours(made, slide)
        return made
