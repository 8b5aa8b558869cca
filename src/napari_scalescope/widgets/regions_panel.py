"""Drawing regions and getting them out."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton

from .parts import Section, Words


class RegionsPanel(Section):
    """Draw, select the tiles inside, export."""

    draw_requested = Signal()
    select_requested = Signal()
    export_requested = Signal(object)
    """(Path): write regions and cluster outlines here."""

    def __init__(self) -> None:
        super().__init__("Regions")
        self._draw = QPushButton("Draw")
        self._draw.setToolTip("Draw an outline around tissue with the mouse held down")
        self._draw.clicked.connect(self.draw_requested)
        self._select = QPushButton("Select tiles")
        self._select.setToolTip("Select the encoded tiles inside the drawn regions")
        self._select.clicked.connect(self.select_requested)
        self._export = QPushButton("Export…")
        self._export.setToolTip("Write regions and cluster outlines as GeoJSON for QuPath")
        self._export.clicked.connect(self._choose_file)
        row = QHBoxLayout()
        for button in (self._draw, self._select, self._export):
            row.addWidget(button)
        self._said = Words()
        self._said.say("")
        self.body.addLayout(row)
        self.body.addWidget(self._said)
        self._folder = Path.home()
        self._name = "regions.geojson"

    def suggest(self, folder: Path | None, name: str) -> None:
        """Where the file dialog starts."""
        self._folder, self._name = folder or Path.home(), name

    def say(self, text: str) -> None:
        """Say what was done."""
        self._said.say(text)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Export regions",
            str(self._folder / self._name),
            "GeoJSON (*.geojson *.geojson.gz)",
        )
        if path:
            self.export_requested.emit(Path(path))
