"""What to lay over the tissue, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSlider

from ...analysis import TileMap
from ...encoders import Entry
from ...session import OVERLAYS, Look, Remark
from ..parts import Choice, Legend, Section, Words
from .agreement import AgreementOptions
from .attention import AttentionOptions
from .best import BestMagnificationOptions
from .clusters import ClusterOptions
from .mil import MilOptions
from .options import Options, select
from .pca import PcaOptions
from .similarity import LookFor, SimilarityOptions
from .viewing import ViewingOptions

#: The controls of each overlay of `Look`.
OPTIONS: dict[str, type[Options]] = {
    "attention": AttentionOptions,
    "similarity": SimilarityOptions,
    "agreement": AgreementOptions,
    "best": BestMagnificationOptions,
    "pca": PcaOptions,
    "clusters": ClusterOptions,
    "mil": MilOptions,
    "viewing": ViewingOptions,
}


class OverlayPanel(Section):
    """Chooser of the overlay, its options and legend, and the trust line.

    Attributes
    ----------
    options : dict
        The controls of each overlay.
    look_for : LookFor
    """

    overlay_chosen = Signal(str, dict)
    """(str, dict): show this overlay, with these of its options changed."""
    opacity_changed = Signal(float)

    def __init__(self) -> None:
        super().__init__("Overlay")
        self._overlay = Choice("Overlay")
        for key, title in OVERLAYS.items():
            self._overlay.addItem(title, key)
        self._overlay.activated.connect(
            lambda _: self.overlay_chosen.emit(self._overlay.currentData(), {})
        )
        self.options = {key: OPTIONS[key]() for key in OVERLAYS}
        for key, options in self.options.items():
            options.changed.connect(partial(self.overlay_chosen.emit, key))
        self.look_for = LookFor()
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(0, 100)
        self._opacity.setAccessibleName("Opacity of the overlay")
        self._opacity.valueChanged.connect(lambda v: self.opacity_changed.emit(v / 100))
        opacity = QHBoxLayout()
        opacity.addWidget(QLabel("Opacity"))
        opacity.addWidget(self._opacity, 1)
        self._legend = Legend()
        self._meaning = Words()
        self._remarks = Words()
        self._doubts = Words()
        self.body.addWidget(self._overlay)
        for widget in (*self.options.values(), self.look_for):
            self.body.addWidget(widget)
        self.body.addLayout(opacity)
        for words in (self._legend, self._meaning, self._doubts, self._remarks):
            self.body.addWidget(words)

    def show_look(self, look: Look) -> None:
        """Show what is chosen."""
        select(self._overlay, look.overlay)
        for key, options in self.options.items():
            options.setVisible(key == look.overlay)
            options.show_overlay(look.of(key))

    def show_encoder(self, entry: Entry, depth: int) -> None:
        """Call what the encoder shows by its name, and offer what it can do.

        Parameters
        ----------
        entry : Entry
        depth : int
            Its number of blocks, 0 while it is not loaded.
        """
        self._overlay.setItemText(self._overlay.findData("attention"), entry.shows.capitalize())
        self.look_for.show_encoder(entry)
        for options in self.options.values():
            options.show_encoder(entry, depth)

    def show_opacity(self, opacity: float) -> None:
        """Show the overlays' opacity, 0 to 1."""
        self._opacity.blockSignals(True)
        self._opacity.setValue(round(opacity * 100))
        self._opacity.blockSignals(False)

    def show_map(self, tile_map: TileMap | None, waiting_for: str) -> None:
        """Explain the map that is shown, or say what is missing for one."""
        self._legend.show_map(tile_map)
        self._meaning.say(waiting_for if tile_map is None else tile_map.legend)

    def show_trust(self, remarks: Sequence[Remark]) -> None:
        """Say how far the map can be believed; doubts come first, in amber."""
        self._doubts.say("\n".join(r.text for r in remarks if r.doubtful), doubtful=True)
        self._remarks.say(" · ".join(r.text for r in remarks if not r.doubtful))
