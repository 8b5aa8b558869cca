"""Options of the similarity map, what is asked about, and questions in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...analysis import Hit, TileMap
from ...encoders import Entry
from ...session import Question
from ...session.asking import Example
from ...session.overlays import SimilarityOverlay
from ...slides import Slide
from ..contact_sheet import ContactSheet
from ..parts import Words
from .options import RESOLUTION_TIP, RESOLUTIONS, Options, select

MEASURES = {"cosine": "cosine", "whitened": "whitened", "rank": "rank"}
#: Steps of the threshold; the first is none.
STEPS = 200
#: So many of the best answers are shown as pictures.
TOP = 24
HINT = "Click: like this. Shift+click: this too. Alt+click: not like this."


class SimilarityOptions(Options):
    """Resolution, measure, threshold, what is asked about, and what answers it best."""

    next_requested = Signal()
    top_requested = Signal(int)
    regions_requested = Signal()
    image_chosen = Signal(object)
    """(Path): ask about this image file."""
    drawn_requested = Signal()
    """Ask about the regions that are drawn."""
    forget_requested = Signal()
    removed = Signal(object)
    """(Example): do not ask about this any more."""
    hit_chosen = Signal(object)
    """(Hit): look at this answer."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens = self.choice("tokens", "Resolution of the map", RESOLUTION_TIP, RESOLUTIONS)
        self._measure = self.choice(
            "measure",
            "How alikeness is counted",
            "Cosine of the encoder's vectors; the same after whitening, which spreads what crowds "
            "near 1; or rank: the share of what is shown that is less alike",
            MEASURES,
        )
        # A threshold on other numbers means nothing.
        self._measure.activated.disconnect()
        self._measure.activated.connect(
            lambda _: self.changed.emit({"measure": self._measure.currentData(), "threshold": None})
        )
        self.add_row(self._tokens, self._measure)
        self._limits: tuple[float, float] | None = None
        self._threshold = QSlider(Qt.Orientation.Horizontal)
        self._threshold.setRange(0, STEPS)
        self._threshold.setAccessibleName("Threshold of similarity")
        self._threshold.setToolTip("Dim what is less alike than this; all the way left: nothing")
        self._threshold.valueChanged.connect(self._on_threshold)
        self._above = Words()
        row = QHBoxLayout()
        row.addWidget(QLabel("Threshold"))
        row.addWidget(self._threshold, 1)
        self.rows.addLayout(row)
        self.rows.addWidget(self._above)
        self._next = _button("Next", "Go to the next best place (N)", self.next_requested.emit)
        self._top = _button(
            "Best", f"Show the {TOP} best places", lambda: self.top_requested.emit(TOP)
        )
        self._regions = _button(
            "Keep as regions",
            "Add the outlines of what reaches the threshold to the regions",
            self.regions_requested.emit,
        )
        self.add_row(self._regions)
        self.add_row(self._next, self._top)
        self._examples = QVBoxLayout()
        self._examples.setSpacing(2)
        self.rows.addLayout(self._examples)
        self._image = _button("Image…", "Ask about an image file", self._choose_image)
        self._drawn = _button("Drawn", "Ask about the drawn regions", self.drawn_requested.emit)
        self._forget = _button("Forget", "Ask about nothing", self.forget_requested.emit)
        self.add_row(self._drawn, self._image, self._forget)
        self._hint = Words(HINT)
        self.rows.addWidget(self._hint)
        self.sheet = ContactSheet()
        self.sheet.setMinimumHeight(230)
        self.sheet.hide()
        self._hits: list[Hit] = []
        self.sheet.activated.connect(lambda i: self.hit_chosen.emit(self._hits[i]))
        self.rows.addWidget(self.sheet)
        self._folder = Path.home()
        self.show_question(Question())
        self.show_map(None)

    def suggest(self, folder: Path | None) -> None:
        """Where the file dialog starts."""
        self._folder = folder or Path.home()

    # --- redrawing ---

    def show_overlay(self, overlay: SimilarityOverlay) -> None:
        """Show the resolution, the measure and the threshold."""
        select(self._tokens, overlay.tokens)
        select(self._measure, overlay.measure)
        self._show_threshold(overlay.threshold)

    def show_map(self, tile_map: TileMap | None) -> None:
        """Offer thresholds among its numbers, and say how much reaches the one chosen."""
        shown = tile_map if tile_map is not None and tile_map.kind == "score" else None
        self._limits = None if shown is None else shown.limits
        for widget in (self._threshold, self._next, self._top):
            widget.setEnabled(shown is not None)
        at = None if shown is None else shown.threshold
        self._regions.setEnabled(at is not None)
        self._show_threshold(at)
        if shown is None or at is None:
            self._above.say("")
            return
        where = " in view" if shown.smooth else ""
        self._above.say(f"{shown.area_mm2 or 0:.3g} mm²{where} at {at:.3g} {shown.unit} or more")

    def show_question(self, question: Question) -> None:
        """List what is asked about."""
        while self._examples.count():
            item = self._examples.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for example in question.positives:
            self._examples.addWidget(self._line("○", "like", example))
        for example in question.negatives:
            self._examples.addWidget(self._line("✕", "not like", example))
        self._forget.setEnabled(bool(question.examples))
        if not question.examples:
            self._hits = []
            self.sheet.hide()

    def show_hits(self, slide: Slide | None, hits: Sequence[Hit], unit: str) -> None:
        """Show the best answers as pictures."""
        self._hits = list(hits)
        self.sheet.setVisible(bool(hits) and slide is not None)
        if slide is not None and hits:
            self.sheet.show_tiles(
                slide,
                [h.box for h in hits],
                [f"{h.rank} · {h.score:.3g}" for h in hits],
                f"{len(hits)} best tiles, {unit}",
            )

    def _line(self, sign: str, word: str, example: Example) -> QWidget:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        remove = QToolButton()
        remove.setText("×")
        remove.setAutoRaise(True)
        remove.setToolTip("Do not ask about this")
        remove.setAccessibleName(f"Remove {example.title}")
        remove.clicked.connect(lambda: self.removed.emit(example))
        said = Words(f"{sign}  {word} {example.title}")
        row.addWidget(said, 1)
        row.addWidget(remove)
        return line

    def _show_threshold(self, threshold: float | None) -> None:
        if self._threshold.isSliderDown():
            return  # the hand knows better than a map that comes late
        step = 0
        if threshold is not None and self._limits is not None:
            lo, hi = self._limits
            step = min(STEPS, max(1, round((threshold - lo) / (hi - lo) * STEPS)))
        self._threshold.blockSignals(True)
        self._threshold.setValue(step)
        self._threshold.blockSignals(False)

    # --- what the user asked for ---

    def _on_threshold(self, step: int) -> None:
        if self._limits is not None:
            lo, hi = self._limits
            self.changed.emit({"threshold": lo + (hi - lo) * step / STEPS if step else None})

    def _choose_image(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, "What to look for", str(self._folder), "Images (*.png *.jpg *.jpeg *.tif *.tiff)"
        )
        if name:
            self.image_chosen.emit(Path(name))


def _button(text: str, tip: str, do: Callable[[], Any]) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tip)
    made.clicked.connect(lambda: do())
    return made


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
