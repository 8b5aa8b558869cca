"""Options of the viewing time: recording it, which magnifications, a file."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QPushButton

from ...session.overlays import ViewingOverlay
from ...session.overlays.viewing import BANDS
from ..parts import Words
from .options import Options, select


class ViewingOptions(Options):
    """Record, export, and a band of magnifications."""

    record_toggled = Signal(bool)
    export_requested = Signal(object)
    """(Path): write the record here."""

    def __init__(self) -> None:
        super().__init__()
        self._record = QPushButton("Record")
        self._record.setCheckable(True)
        self._record.setToolTip(
            "Note where you look, at which magnification and for how long. It is kept in memory, "
            "and gone with the window unless you export it."
        )
        self._record.toggled.connect(self.record_toggled)
        self._export = QPushButton("Export…")
        self._export.setToolTip("Write the record as JSON lines, one per view")
        self._export.clicked.connect(self._choose_file)
        self._band = self.choice(
            "band",
            "Magnifications that count",
            "Count only what was looked at at this magnification",
            {name: band.title for name, band in BANDS.items()},
        )
        self._said = Words()
        self._said.say("")
        self.add_row(self._record, self._export)
        self.add_row(self._band)
        self.rows.addWidget(self._said)
        self._folder, self._name = Path.home(), "viewing.jsonl"

    def show_overlay(self, overlay: ViewingOverlay) -> None:
        """Show the band."""
        select(self._band, overlay.band)

    def show_record(self, on: bool, seconds: float) -> None:
        """Show whether it records, and offer to export what there is."""
        self._record.blockSignals(True)
        self._record.setChecked(on)
        self._record.blockSignals(False)
        self._record.setText("Stop recording" if on else "Record")
        self._export.setEnabled(seconds > 0)

    def suggest(self, folder: Path | None, name: str) -> None:
        """Where the file dialog starts."""
        self._folder, self._name = folder or Path.home(), name

    def say(self, text: str) -> None:
        """Say what was done."""
        self._said.say(text)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export viewing record", str(self._folder / self._name), "JSON lines (*.jsonl)"
        )
        if path:
            self.export_requested.emit(Path(path))
