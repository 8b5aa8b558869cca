"""Options of clusters."""

from __future__ import annotations

from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox

from ...session.overlays import ClusterOverlay
from .options import Options, select

METHODS = {"kmeans": "k-means", "hdbscan": "HDBSCAN", "leiden": "Leiden"}
METHOD_TIP = (
    "k-means: so many groups of like extent. HDBSCAN: dense groups of any form, what lies between "
    "belongs to none. Leiden: communities of nearest neighbours."
)
SCOPES = {False: "tiles of this scale", True: "tiles of all scales"}
SCOPE_TIP = "Group the tiles of the scale that is shown, or of all scales that are open together"


class ClusterOptions(Options):
    """How to group, into how many, and the tiles of which scales."""

    def __init__(self) -> None:
        super().__init__()
        self._method = self.choice("method", "Method of clustering", METHOD_TIP, METHODS)
        self._k = QSpinBox()
        self._k.setRange(1, 50)  # the least stands for "suggest"
        self._k.setSpecialValueText("suggest")
        self._k.setSuffix(" groups")
        self._k.setAccessibleName("Number of clusters")
        self._k.setToolTip(
            "How many groups; below 2: the most that are found again in halves of the tiles"
        )
        self._k.setKeyboardTracking(False)
        self._k.valueChanged.connect(lambda k: self.changed.emit({"k": "suggest" if k < 2 else k}))
        self._resolution = QDoubleSpinBox()
        self._resolution.setRange(0.1, 10.0)
        self._resolution.setSingleStep(0.1)
        self._resolution.setDecimals(1)
        self._resolution.setPrefix("fineness ")
        self._resolution.setAccessibleName("Fineness of the clusters")
        self._resolution.setToolTip("The finer, the more groups (resolution of Leiden)")
        self._resolution.setKeyboardTracking(False)
        self._resolution.valueChanged.connect(lambda r: self.changed.emit({"resolution": r}))
        self._scope = self.choice("together", "Which tiles", SCOPE_TIP, SCOPES)
        self.add_row(self._method, self._k, self._resolution)
        self.add_row(self._scope)

    def show_overlay(self, overlay: ClusterOverlay) -> None:
        """Show what is chosen."""
        select(self._method, overlay.method)
        select(self._scope, overlay.together)
        k = 1 if overlay.k == "suggest" else overlay.k
        for box, value in ((self._k, k), (self._resolution, overlay.resolution)):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        self._k.setVisible(overlay.method == "kmeans")
        self._resolution.setVisible(overlay.method == "leiden")
