"""Options of PCA colours."""

from __future__ import annotations

from ...session.overlays import PcaOverlay
from .options import RESOLUTION_TIP, RESOLUTIONS, Options, select


class PcaOptions(Options):
    """At which resolution."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens = self.choice("tokens", "Resolution of the map", RESOLUTION_TIP, RESOLUTIONS)
        self.add_row(self._tokens)

    def show_overlay(self, overlay: PcaOverlay) -> None:
        """Show the resolution."""
        select(self._tokens, overlay.tokens)
