"""Options of PCA colours."""

from __future__ import annotations

from ...session.overlays import PcaOverlay
from .options import RESOLUTION_TIP, RESOLUTIONS, Options, select


class PcaOptions(Options):
    """At which resolution, and fitted on what."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens = self.choice("tokens", "Resolution of the map", RESOLUTION_TIP, RESOLUTIONS)
        self._fitted = self.choice(
            "fitted",
            "What colours are fitted on",
            "On the view: all colours for what is on the screen. On the slide: a colour means the "
            "same wherever you look. As before: the same on this slide as on the one you looked at "
            "before it. Hues are kept from one fit to the next.",
            {
                "view": "fitted on the view",
                "slide": "fitted on the slide",
                "before": "as on the slide before",
            },
        )
        self.add_row(self._tokens)
        self.add_row(self._fitted)

    def show_overlay(self, overlay: PcaOverlay) -> None:
        """Show both."""
        select(self._tokens, overlay.tokens)
        select(self._fitted, overlay.fitted)
