"""Options of the attention of slide-level heads."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton

from ...session.findings import Mil
from ...session.overlays import MilOverlay
from ..parts import Words
from .options import Options, select

CHOOSE = "Choose head file…"
KINDS = "Heads (*.pt *.pth *.ckpt *.bin *.safetensors);;All files (*)"
CAUTION = (
    "It does not say of which encoder or at which µm/px: with others than it was trained on, the "
    "map means nothing."
)
ENTROPY_TIP = (
    "How widely the head spreads its attention: 0 nats if one tile has all of it, log n if each of "
    "n tiles has the same. Heads that look at a few tiles alone tend to be overfitted (AEM, Zhang "
    "et al. 2024)."
)


class MilOptions(Options):
    """Which head, which of its branches, and how widely it looks."""

    file_chosen = Signal(str)
    """(str): the file of a head."""

    def __init__(self) -> None:
        super().__init__()
        self._file = QPushButton(CHOOSE)
        self._file.setToolTip(
            "A head that was trained on the tiles of whole slides: of CLAM, MIL-Lab (FEATHER), "
            "TRIDENT, MADELEINE, AEM or DSMIL"
        )
        self._file.clicked.connect(self._ask_for_file)
        self._head = Words()
        self._branch = self.choice("branch", "Branch of the head", "Class or head it looks for", {})
        self._normalise = self.choice(
            "normalise",
            "Numbers of the map",
            "Shares of tiles in units of an even one, or the percentage of tiles that get as much "
            "or less, which shows structure among tiles that get next to nothing",
            {"softmax": "share", "rank": "percentile"},
        )
        self._entropy = Words()
        self._entropy.setToolTip(ENTROPY_TIP)
        self._refused = Words()
        self.add_row(self._file)
        self.rows.addWidget(self._head)
        self.add_row(self._branch, self._normalise)
        for words in (self._entropy, self._refused):
            self.rows.addWidget(words)

    def show_overlay(self, overlay: MilOverlay) -> None:
        """Show the branch and how its numbers are given."""
        select(self._branch, overlay.branch)
        select(self._normalise, overlay.normalise)

    def show_head(self, mil: Mil, overlay: MilOverlay) -> None:
        """Show the head that is there, what came of it, or why nothing did."""
        head, found = mil.head, mil.found
        branches = () if head is None else head.branches
        if [self._branch.itemText(i) for i in range(self._branch.count())] != list(branches):
            self._branch.clear()
            for i, branch in enumerate(branches):
                self._branch.addItem(branch, i)
        self.show_overlay(overlay)
        self._branch.setVisible(len(branches) > 1)
        self._normalise.setVisible(head is not None)
        which = "" if head is None else f"{head.name}, for {head.dim}-d vectors."
        self._head.say(f"{which} {CAUTION}" if found is not None else which)
        self._entropy.say(
            ""
            if found is None
            else f"Entropy {found.entropy.nats:.2f} nats, {found.entropy.share:.0%} of log n "
            f"(n = {len(found.emb):,} tiles)"
        )
        self._refused.say(mil.refused, doubtful=True)

    def _ask_for_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "File of a slide-level head", "", KINDS)
        if path:
            self.file_chosen.emit(path)
