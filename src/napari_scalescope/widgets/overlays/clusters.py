"""Options of clusters."""

from __future__ import annotations

from qtpy.QtWidgets import QSpinBox

from ...session.overlays import ClusterOverlay
from .options import Options


class ClusterOptions(Options):
    """How many groups."""

    def __init__(self) -> None:
        super().__init__()
        self._k = QSpinBox()
        self._k.setRange(2, 50)
        self._k.setSuffix(" groups")
        self._k.setAccessibleName("Number of clusters")
        self._k.valueChanged.connect(lambda k: self.changed.emit({"k": k}))
        self.add_row(self._k)

    def show_overlay(self, overlay: ClusterOverlay) -> None:
        """Show their number."""
        self._k.blockSignals(True)
        self._k.setValue(overlay.k)
        self._k.blockSignals(False)
