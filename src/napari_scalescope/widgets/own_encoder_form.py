"""The form that describes a checkpoint of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from ..encoders import Entry, catalogue
from ..encoders.own import save
from ..encoders.weights import SUFFIXES
from ..errors import EncoderError
from .encoding_panel import numbers
from .parts import Choice, Words

#: Means and deviations people train with, by the name they go by.
NORMALISATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ImageNet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "0.5 and 0.5": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "CLIP": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
EMBEDDINGS = {"CLS token": "cls", "mean patch token": "mean", "CLS and mean": "cls+mean"}
AS_THAT = "as that encoder"


class OwnEncoderForm(QDialog):
    """Asks what cannot be read from a weights file, and writes it to the encoder folder.

    Parameters
    ----------
    folder : Path
        The encoder folder.

    Attributes
    ----------
    entry : Entry or None
        What was described, once the dialog was accepted.
    """

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("An encoder of your own")
        self.entry: Entry | None = None
        self._folder = folder
        self.name = QLineEdit()
        self.name.setPlaceholderText("Lab ViT-S, run 12")
        self.weights = QLineEdit()
        self.weights.setPlaceholderText("checkpoint.safetensors")
        browse = QPushButton("Browse…")
        browse.clicked.connect(self._browse)
        file_row = QHBoxLayout()
        file_row.addWidget(self.weights, 1)
        file_row.addWidget(browse)
        self.like = Choice(
            "Built like", "The encoder of the catalogue with the same architecture", letters=24
        )
        for entry in catalogue().values():
            if entry.trained and not entry.channels_apart:
                self.like.addItem(f"{entry.name} ({entry.arch})", entry.id)
        self.tile = QLineEdit()
        self.tile.setPlaceholderText(AS_THAT)
        self.mpp = QLineEdit()
        self.mpp.setPlaceholderText("0.5, 1 (leave empty if not known)")
        self.normalisation = Choice("Normalisation", letters=16)
        self.embedding = Choice("Embedding", letters=16)
        for box, texts in ((self.normalisation, NORMALISATIONS), (self.embedding, EMBEDDINGS)):
            box.addItems([AS_THAT, *texts])
        self.error = Words()
        self.error.say("")
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self._on_ok)
        buttons.rejected.connect(self.reject)
        form = QFormLayout(self)
        form.addRow("Name", self.name)
        form.addRow("Weights file", file_row)
        form.addRow("Built like", self.like)
        form.addRow("Tile size, px", self.tile)
        form.addRow("Trained at, µm/px", self.mpp)
        form.addRow("Normalisation", self.normalisation)
        form.addRow("Embedding", self.embedding)
        form.addRow(self.error)
        form.addRow(buttons)
        self.setMinimumWidth(460)

    def spec(self) -> dict[str, Any]:
        """What was filled in, as `own.described` takes it.

        Raises
        ------
        ValueError
            If a number is none.
        """
        found: dict[str, Any] = {
            "name": self.name.text().strip(),
            "like": self.like.currentData(),
            "weights": self.weights.text().strip(),
        }
        if self.tile.text().strip():
            found["input_px"] = int(self.tile.text())
        if self.mpp.text().strip():
            found["native_mpp"] = list(numbers(self.mpp.text()))
        chosen = NORMALISATIONS.get(self.normalisation.currentText())
        if chosen is not None:
            found["mean"], found["std"] = (list(part) for part in chosen)
        embedding = EMBEDDINGS.get(self.embedding.currentText())
        if embedding is not None:
            found["embedding"] = embedding
        return found

    def _on_ok(self) -> None:
        try:
            spec = self.spec()
        except ValueError:
            self.error.say("Tile size and µm/px are numbers.", doubtful=True)
            return
        if not spec["name"]:
            self.error.say("Give it a name.", doubtful=True)
            return
        if not Path(spec["weights"]).expanduser().is_file():
            self.error.say("Choose its weights file.", doubtful=True)
            return
        try:
            self.entry = save(spec, self._folder)
        except EncoderError as error:
            self.error.say(str(error), doubtful=True)
            return
        self.accept()

    def _browse(self) -> None:
        pattern = " ".join(f"*{s}" for s in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self, "Weights file", str(self._folder), f"Weights ({pattern})"
        )
        if path:
            self.weights.setText(path)
