"""Which encoder to look with."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItem, QStandardItemModel
from qtpy.QtWidgets import QComboBox, QCompleter, QFileDialog, QHBoxLayout, QPushButton

from ..encoders import Entry, availability, catalogue
from ..encoders.weights import SUFFIXES, Availability
from .parts import Choice, Section, Words

#: Headings of the list, in the order they stand.
GROUPS: dict[Availability, str] = {
    "built in": "Built in",
    "on this machine": "On this machine",
    "needs its weights": "Needs its weights file",
    "needs a licence": "Needs an accepted licence and its weights file",
}


class EncoderChooser(Section):
    """A searchable list of encoders, and what is to be known of the chosen one.

    Parameters
    ----------
    folder : Path
        Where weights are looked for.
    """

    chosen = Signal(str, object)
    """(id, Path or None): the user chose an encoder, perhaps with a weights file."""

    def __init__(self, folder: Path) -> None:
        super().__init__("Encoder")
        self._folder = folder
        self._box = Choice("Encoder")
        self._box.setEditable(True)
        self._box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._fill()
        completer = QCompleter(self._box.model(), self._box)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._box.setCompleter(completer)
        self._local = QPushButton("Local weights…")
        self._local.setToolTip("Load this encoder from a weights file on this machine")
        self._local.clicked.connect(self._choose_file)
        row = QHBoxLayout()
        row.addWidget(self._box, 1)
        row.addWidget(self._local)
        self._facts = Words()
        self._reason = Words()
        self.body.addLayout(row)
        self.body.addWidget(self._facts)
        self.body.addWidget(self._reason)
        self._box.activated.connect(self._on_activated)

    def _fill(self) -> None:
        model = QStandardItemModel(self._box)
        for group, title in GROUPS.items():
            entries = [e for e in catalogue().values() if availability(e, self._folder) == group]
            if not entries:
                continue
            heading = QStandardItem(title)
            heading.setFlags(Qt.ItemFlag.NoItemFlags)
            font = heading.font()
            font.setItalic(True)
            heading.setFont(font)
            model.appendRow(heading)
            for entry in entries:
                item = QStandardItem(entry.name)
                item.setData(entry.id, Qt.ItemDataRole.UserRole)
                item.setToolTip(entry.summary or f"{entry.name}: {entry.licence}")
                model.appendRow(item)
        self._box.setModel(model)

    def show_entry(self, entry: Entry, loaded: bool) -> None:
        """Show the encoder that is chosen."""
        index = self._box.findData(entry.id)
        if index >= 0:
            self._box.setCurrentIndex(index)
        trained = _training(entry)
        use = "" if entry.commercial is not False else ", not for commercial use"
        self._facts.say(f"{entry.parameters_m:.3g} M parameters · {trained} · {entry.licence}{use}")
        state = availability(entry, self._folder)
        if loaded or state == "on this machine":
            self._reason.say("")
        elif state == "built in":
            self._reason.say(entry.summary, doubtful=not entry.trained)
        else:
            self._reason.say(
                f"{GROUPS[state]}: choose the file with Local weights….", doubtful=True
            )

    def _on_activated(self, index: int) -> None:
        name = self._box.itemData(index, Qt.ItemDataRole.UserRole)
        if name:
            self.chosen.emit(name, None)

    def _choose_file(self) -> None:
        name = self._box.currentData(Qt.ItemDataRole.UserRole)
        if not name:
            return
        pattern = " ".join(f"*{s}" for s in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self, f"Weights of {catalogue()[name].name}", str(self._folder), f"Weights ({pattern})"
        )
        if path:
            self.chosen.emit(name, Path(path))


def _training(entry: Entry) -> str:
    if not entry.trained:
        return "random weights"
    if not entry.native_mpp:
        return f"trained on {entry.trained_on}"
    return f"trained at {', '.join(f'{m:g}' for m in sorted(entry.native_mpp))} µm/px"
