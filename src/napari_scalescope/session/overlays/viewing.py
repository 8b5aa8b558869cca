"""Where somebody looked, and for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...analysis import TileMap, attention_map, viewing_agreement, viewing_map
from ...slides import Slide
from .overlay import Overlay
from .tokens import in_view, on_tissue

if TYPE_CHECKING:
    from ..scene import Place, Scene


class Magnifications(NamedTuple):
    """A band of µm per screen pixel, from ``low`` up to ``high``, and what it is called."""

    title: str
    low: float
    high: float


def _octaves() -> dict[str, Magnifications]:
    """Around the magnifications of objectives, each an octave wide."""
    bands = {"all": Magnifications("all magnifications", 0.0, math.inf)}
    # Halfway between two of them on a log axis.
    edges = [0.0, *(0.25 * 2 ** (i + 0.5) for i in range(4)), math.inf]
    for label, low, high in zip((40, 20, 10, 5, 2.5), edges, edges[1:], strict=False):
        tail = " and less" if math.isinf(high) else " and more" if not low else ""
        mpp = 10 / label
        bands[f"{label:g}x"] = Magnifications(f"{mpp:g} µm/px ({label:g}×{tail})", low, high)
    return bands


#: What can be chosen, by name.
BANDS = _octaves()


@dataclass(frozen=True)
class ViewingOverlay(Overlay):
    """How long each place was looked at, as far as that was recorded.

    Parameters
    ----------
    band : str
        Which magnifications count: one of `BANDS`.
    """

    band: str = "all"

    title: ClassVar[str] = "Viewing time"
    waiting: ClassVar[str] = (
        "Nothing is recorded here. Press Record: from then on ScaleScope notes where you look, at "
        "which magnification and for how long. It stays on this machine."
    )
    of_encoder: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.band not in BANDS:
            raise ValueError(f"a band is one of {', '.join(BANDS)}, not {self.band!r}")

    @property
    def mpps(self) -> tuple[float, float] | None:
        """The band, None for all magnifications."""
        chosen = BANDS[self.band]
        return None if self.band == "all" else (chosen.low, chosen.high)

    def lay(self, place: Place | None) -> TileMap | None:
        """The whole slide, and how it goes with the attention in view."""
        from ..scene import Scene

        if place is None or place.slide.mpp is None:
            return None
        try:
            made = viewing_map(place.visits, place.slide, mpps=self.mpps)
        except LookupError:
            return None
        if not isinstance(place, Scene):
            return made
        found = self._agreement(place, place.slide)
        return replace(made, legend=f"{made.legend} {found}") if found else made

    def _agreement(self, scene: Scene, slide: Slide) -> str:
        tiles = in_view(scene, "attention")
        if not len(tiles):
            return ""
        shown = on_tissue(attention_map(scene.emb, tiles=tiles), scene.tissue)
        try:
            found = viewing_agreement(scene.visits, shown, slide, mpps=self.mpps)
        except LookupError:
            return ""
        if math.isnan(found.rank):
            return ""
        return (
            f"With the attention in view: rank correlation {found.rank:.2f}, scanpath saliency "
            f"{found.saliency:.2f} ({found.cells:,} cells)."
        )
