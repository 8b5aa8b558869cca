"""At which scale to encode, when, and how far it is."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QProgressBar, QPushButton

from ..encoders import Entry
from ..session import FOLLOW, Scale, Status
from ..session.tiling import OVERLAPS
from .parts import Choice, Section, Words

FOLLOWING = "Follow the zoom"
SUGGESTED = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


class EncodingPanel(Section):
    """Scale, Live, Encode slide, Stop, and one line on what is going on."""

    scale_chosen = Signal(object)
    tiles_chosen = Signal(dict)
    """(dict): size or overlap of the tiles, as for `Tiling.choose`."""
    live_toggled = Signal(bool)
    slide_requested = Signal()
    stop_requested = Signal()

    def __init__(self) -> None:
        super().__init__("Encoding")
        self._scale = Choice(
            "Scale in µm per pixel",
            "µm per pixel to encode at. “Follow the zoom” takes the one on the screen; "
            "several may be given: 0.5, 1, 2",
        )
        self._scale.setEditable(True)
        self._scale.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._scale.addItem(FOLLOWING)
        self._scale.addItems([f"{m:g}" for m in SUGGESTED])
        self._scale.activated.connect(lambda _: self._on_scale())
        line = self._scale.lineEdit()
        assert line is not None
        line.editingFinished.connect(self._on_scale)
        self._chosen: Scale = FOLLOW
        self._tile = Choice(
            "Tile size in pixels",
            "Side of the tiles the encoder is given. Larger ones show it more of the tissue around "
            "a place; most encoders were trained on one size.",
            letters=5,
        )
        self._tile.activated.connect(
            lambda _: self.tiles_chosen.emit({"tile_px": self._tile.currentData()})
        )
        self._overlap = Choice(
            "Overlap of tiles",
            "With tiles that overlap by half of their side, maps of patch tokens are blended and "
            "show no seams. There are four times as many tiles to encode.",
            letters=5,
        )
        for overlap in OVERLAPS:
            self._overlap.addItem("overlap ½" if overlap else "no overlap", overlap)
        self._overlap.activated.connect(
            lambda _: self.tiles_chosen.emit({"overlap": self._overlap.currentData()})
        )
        self.live = QPushButton("Live")
        self.live.setCheckable(True)
        self.live.setToolTip("Encode whatever comes into view (E encodes the view once)")
        self.live.toggled.connect(self.live_toggled)
        self.whole = QPushButton("Encode slide")
        self.whole.setToolTip("Encode all tissue of the slide at this scale")
        self.whole.clicked.connect(self.slide_requested)
        self.halt = QPushButton("Stop")
        self.halt.setToolTip("Stop now; what was encoded is kept")
        self.halt.clicked.connect(self.stop_requested)
        scale_row, button_row = QHBoxLayout(), QHBoxLayout()
        scale_row.addWidget(QLabel("Scale"))
        scale_row.addWidget(self._scale, 1)
        scale_row.addWidget(QLabel("µm/px"))
        tile_row = QHBoxLayout()
        tile_row.addWidget(QLabel("Tile"))
        tile_row.addWidget(self._tile)
        tile_row.addWidget(self._overlap, 1)
        for button in (self.live, self.whole, self.halt):
            button_row.addWidget(button)
        self._at = Words()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(6)
        self._line = Words()
        self.body.addLayout(scale_row)
        self.body.addLayout(tile_row)
        self.body.addWidget(self._at)
        self.body.addLayout(button_row)
        self.body.addWidget(self._bar)
        self.body.addWidget(self._line)

    def show_scale(self, scale: Scale, mpp: float | None, tile_px: int) -> None:
        """Show the chosen scale and the one it comes to now."""
        self._chosen = scale
        text = FOLLOWING if scale == FOLLOW else ", ".join(f"{m:g}" for m in scale)
        self._scale.setCurrentText(text)
        self._at.say("" if mpp is None else f"Tiles {tile_px * mpp:.0f} µm wide at {mpp:.3g} µm/px")

    def show_tile(self, entry: Entry, tile_px: int, overlap: float = 0.0) -> None:
        """Show the sizes of tiles to choose from, the one that is chosen, and their overlap."""
        self._overlap.setCurrentIndex(self._overlap.findData(overlap))
        sizes = sorted({*entry.tile_sizes, tile_px})
        if [self._tile.itemData(i) for i in range(self._tile.count())] != sizes:
            self._tile.clear()
            for px in sizes:
                self._tile.addItem(f"{px} px", px)
        self._tile.setCurrentIndex(self._tile.findData(tile_px))

    def show_live(self, live: bool) -> None:
        """Show whether views are encoded as they come."""
        self.live.blockSignals(True)
        self.live.setChecked(live)
        self.live.blockSignals(False)

    def show_status(self, status: Status, device: str) -> None:
        """Show what is going on."""
        p = status.progress
        self._bar.setMaximum(p.total if p and p.total else (0 if status.busy else 1))
        self._bar.setValue(p.done if p and p.total else (0 if status.busy else 1))
        parts = [status.text]
        if p is not None:
            parts.append(f"{p.done} of {p.total} tiles" if p.total else "all tiles known")
            if p.reused:
                parts.append(f"{p.reused} read from disk")
            if p.rate and status.busy:
                parts.append(f"{p.rate:.0f} tiles/s")
                if p.eta_s is not None and p.eta_s >= 1:
                    parts.append(f"{_time(p.eta_s)} left")
            if p.done and p.reading + p.encoding > 0:
                shares = f"reading {p.reading:.0%}, encoding {p.encoding:.0%}"
                parts.append(shares + (f", writing {p.writing:.0%}" if p.writing >= 0.01 else ""))
        if device:
            parts.append(device)
        self._line.say(" · ".join(parts))

    def _on_scale(self) -> None:
        text = self._scale.currentText().strip()
        try:
            scale: Scale = FOLLOW if text == FOLLOWING else numbers(text)
        except ValueError:
            self.show_scale(self._chosen, None, 0)
            return
        if scale != self._chosen:
            self._chosen = scale
            self.scale_chosen.emit(scale)


def numbers(text: str) -> tuple[float, ...]:
    """Scales written as "0.5, 1, 2" (or with semicolons and decimal commas)."""
    pieces = text.replace("µm/px", "").replace(";", " ").replace(", ", " ").split()
    found = tuple(sorted({float(p.strip(",").replace(",", ".")) for p in pieces}))
    if not found or min(found) <= 0:
        raise ValueError(text)
    return found


def _time(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m:02d} min" if hours else (f"{m} min {s:02d} s" if m else f"{s} s")
