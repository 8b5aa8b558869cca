"""Options of the similarity map, and questions in words."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit

from ...encoders import Entry
from ...session.overlays import SimilarityOverlay
from .options import RESOLUTION_TIP, RESOLUTIONS, Options, select


class SimilarityOptions(Options):
    """At which resolution."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens = self.choice("tokens", "Resolution of the map", RESOLUTION_TIP, RESOLUTIONS)
        self.add_row(self._tokens)

    def show_overlay(self, overlay: SimilarityOverlay) -> None:
        """Show the resolution."""
        select(self._tokens, overlay.tokens)


class LookFor(QLineEdit):
    """What to look for, in words; there for encoders that read, whatever overlay is shown."""

    asked = Signal(str)
    """(str): what to look for."""

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Look for…, e.g. lymphocytes")
        self.setAccessibleName("Look for")
        self.setToolTip(
            "Shows where tissue looks like what you write, and Enter starts it. A sentence that "
            "ends with a full stop is taken as it is; a name is worded in several ways."
        )
        self.setClearButtonEnabled(True)
        self.returnPressed.connect(self._ask)

    def show_encoder(self, entry: Entry) -> None:
        """Be there if it reads."""
        self.setVisible(entry.text is not None)

    def show_words(self, text: str) -> None:
        """Show what is looked for; nothing once something else is."""
        if text.split() != self.text().split():
            self.setText(text)

    def _ask(self) -> None:
        if self.text().strip():
            self.asked.emit(self.text())
