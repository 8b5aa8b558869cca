"""Options of the best magnification."""

from __future__ import annotations

from ...session.overlays import BestMagnificationOverlay
from .options import Options, select

OCTAVES = {1: "of 2 magnifications", 2: "of 3 magnifications", 3: "of 4 magnifications"}


class BestMagnificationOptions(Options):
    """Among how many magnifications."""

    def __init__(self) -> None:
        super().__init__()
        self._octaves = self.choice(
            "octaves",
            "Magnifications to choose from",
            "The one that is shown and finer ones in steps of two, or coarser ones where the slide "
            "has nothing finer. All of them are encoded.",
            OCTAVES,
        )
        self.add_row(self._octaves)

    def show_overlay(self, overlay: BestMagnificationOverlay) -> None:
        """Show how many."""
        select(self._octaves, overlay.octaves)
