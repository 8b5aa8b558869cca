"""What to lay over the tissue, and what it means."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSlider, QSpinBox, QWidget

from ..analysis import TileMap
from ..encoders import Entry
from ..session import OVERLAYS, Look, Remark
from .parts import Choice, Legend, Section, Words


class OverlayPanel(Section):
    """Chooser of the overlay, its legend, and the trust line."""

    look_changed = Signal(dict)
    """(dict): fields of `Look` the user changed."""
    opacity_changed = Signal(float)
    text_asked = Signal(str)
    """(str): what to look for, in words."""

    def __init__(self) -> None:
        super().__init__("Overlay")
        self._overlay = Choice("Overlay")
        for key, title in OVERLAYS.items():
            self._overlay.addItem(title, key)
        self._overlay.activated.connect(
            lambda _: self.look_changed.emit({"overlay": self._overlay.currentData()})
        )
        self._tokens = Choice(
            "Resolution of the map",
            "Resolution of the map: the encoder's own lattice, or whole tiles",
        )
        self._tokens.addItem("patch tokens", True)
        self._tokens.addItem("tiles", False)
        self._tokens.activated.connect(
            lambda _: self.look_changed.emit({"tokens": self._tokens.currentData()})
        )
        self._head = Choice("Attention head", "Attention head", letters=12)
        self._head.activated.connect(
            lambda _: self.look_changed.emit({"head": self._head.currentData()})
        )
        self._source = Choice(
            "What the attention map is made of",
            "One block's attention, attention rolled out through all blocks (Abnar & Zuidema "
            "2020), or how long each place's features are",
        )
        self._source.activated.connect(
            lambda _: self.look_changed.emit({"attention": self._source.currentData()})
        )
        self._k = QSpinBox()
        self._k.setRange(2, 50)
        self._k.setSuffix(" groups")
        self._k.setAccessibleName("Number of clusters")
        self._k.valueChanged.connect(lambda k: self.look_changed.emit({"clusters": k}))
        self._words = QLineEdit()
        self._words.setPlaceholderText("Look for…, e.g. lymphocytes")
        self._words.setAccessibleName("Look for")
        self._words.setToolTip(
            "Shows where tissue looks like what you write, and Enter starts it. A sentence that "
            "ends with a full stop is taken as it is; a name is worded in several ways."
        )
        self._words.setClearButtonEnabled(True)
        self._words.returnPressed.connect(self._ask)
        self._opacity = QSlider(Qt.Orientation.Horizontal)
        self._opacity.setRange(0, 100)
        self._opacity.setAccessibleName("Opacity of the overlay")
        self._opacity.valueChanged.connect(lambda v: self.opacity_changed.emit(v / 100))
        first, of_attention, second = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        first.addWidget(self._overlay, 1)
        for widget in (self._tokens, self._k):
            first.addWidget(widget, 1)
        for widget in (self._source, self._head):
            of_attention.addWidget(widget, 1)
        second.addWidget(QLabel("Opacity"))
        second.addWidget(self._opacity, 1)
        self._legend = Legend()
        self._meaning = Words()
        self._trust = QWidget()
        self._remarks = Words()
        self._doubts = Words()
        self.body.addLayout(first)
        self.body.addLayout(of_attention)
        self.body.addWidget(self._words)
        self.body.addLayout(second)
        for words in (self._legend, self._meaning, self._doubts, self._remarks):
            self.body.addWidget(words)
        self._has_attention = False

    def show_look(self, look: Look) -> None:
        """Show what is chosen."""
        self._overlay.setCurrentIndex(self._overlay.findData(look.overlay))
        self._tokens.setCurrentIndex(self._tokens.findData(look.tokens))
        self._tokens.setVisible(look.overlay in ("similarity", "pca"))
        self._source.setCurrentIndex(max(0, self._source.findData(look.attention)))
        self._show_attention()
        self._head.setCurrentIndex(max(0, self._head.findData(look.head)))
        self._k.setVisible(look.overlay == "clusters")
        self._k.blockSignals(True)
        self._k.setValue(look.clusters)
        self._k.blockSignals(False)

    def show_encoder(self, entry: Entry, depth: int) -> None:
        """Call what the encoder shows by its name, offer its blocks and heads, and what it reads.

        Parameters
        ----------
        entry : Entry
        depth : int
            Its number of blocks, 0 while it is not loaded.
        """
        self._words.setVisible(entry.text is not None)
        self._overlay.setItemText(self._overlay.findData("attention"), entry.shows.capitalize())
        self._has_attention = entry.shows == "attention"
        chosen = self._source.currentData()
        self._source.clear()
        own = entry.attention_block
        self._source.addItem("usual block", None)
        for block in range(-1, -depth - 1, -1):
            if block != own:
                self._source.addItem(f"block {depth + 1 + block} of {depth}", block)
        if depth:
            self._source.setItemText(0, f"usual: {depth + 1 + own} of {depth}")
        self._source.addItem("rollout", "rollout")
        self._source.addItem("feature norm", "feature norm")
        self._source.setCurrentIndex(max(0, self._source.findData(chosen)))
        if self._head.count() != entry.heads + 1:
            self._head.clear()
            self._head.addItem("mean of heads", None)
            for i in range(entry.heads):
                self._head.addItem(f"head {i + 1}", i)
        self._show_attention()

    def _show_attention(self) -> None:
        shown = self._has_attention and self._overlay.currentData() == "attention"
        of_a_block = not isinstance(self._source.currentData(), str)
        self._source.setVisible(shown)
        self._head.setVisible(shown and of_a_block)

    def _ask(self) -> None:
        if self._words.text().strip():
            self.text_asked.emit(self._words.text())

    def show_words(self, text: str) -> None:
        """Show what is looked for; nothing once something else is."""
        if text.split() != self._words.text().split():
            self._words.setText(text)

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
