"""`Look`: which overlay is shown, and how each of them is to be."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from .overlays import (
    AgreementOverlay,
    AttentionOverlay,
    BestMagnificationOverlay,
    ClusterOverlay,
    MilOverlay,
    Overlay,
    PcaOverlay,
    SimilarityOverlay,
    ViewingOverlay,
)


@dataclass(frozen=True)
class Look:
    """How the encoder's output is to be shown.

    Each overlay keeps its options while another one is shown.

    Parameters
    ----------
    overlay : str
        Which of the fields below is shown.
    """

    overlay: str = "attention"
    attention: AttentionOverlay = field(default_factory=AttentionOverlay)
    similarity: SimilarityOverlay = field(default_factory=SimilarityOverlay)
    agreement: AgreementOverlay = field(default_factory=AgreementOverlay)
    best: BestMagnificationOverlay = field(default_factory=BestMagnificationOverlay)
    pca: PcaOverlay = field(default_factory=PcaOverlay)
    clusters: ClusterOverlay = field(default_factory=ClusterOverlay)
    mil: MilOverlay = field(default_factory=MilOverlay)
    viewing: ViewingOverlay = field(default_factory=ViewingOverlay)

    @property
    def shown(self) -> Overlay:
        """The overlay that is shown."""
        return self.of(self.overlay)

    def of(self, overlay: str) -> Overlay:
        """One of the overlays."""
        found: Overlay = getattr(self, overlay)
        return found

    def showing(self, overlay: str, **options: Any) -> Look:
        """With this overlay shown, and some of its options changed.

        Raises
        ------
        ValueError
            If there is no such overlay.
        TypeError
            If it has no such option.
        """
        if overlay not in OVERLAYS:
            raise ValueError(f"an overlay is one of {', '.join(OVERLAYS)}, not {overlay!r}")
        changed: Any = replace(self.of(overlay), **options)  # type: ignore[type-var]
        return replace(self, overlay=overlay, **{overlay: changed})


#: Every overlay by its name, with its title, in the order the chooser lists them.
OVERLAYS: dict[str, str] = {
    f.name: getattr(Look(), f.name).title for f in fields(Look) if f.name != "overlay"
}
