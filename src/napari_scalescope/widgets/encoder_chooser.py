"""Which encoder to look with."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QStandardItem, QStandardItemModel
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
)

from ..encoders import Entry, availability, known_encoders
from ..encoders.remembered import accept_licence, licence_accepted
from ..encoders.weights import SUFFIXES, Availability
from ..errors import EncoderError
from ..session.downloads import Download
from .own_encoder_form import OwnEncoderForm
from .parts import Choice, Section, Words

#: Headings of the list, in the order they stand.
GROUPS: dict[Availability, str] = {
    "built in": "Built in",
    "your own": "Your own",
    "on this machine": "On this machine",
    "needs its weights": "Needs its weights file",
    "needs a licence": "Needs an accepted licence and its weights file",
    "not released": "Not released: needs a checkpoint of it",
}
#: The last line of the list, and what it stands for.
DESCRIBE, DESCRIBE_KEY = "Add one of your own…", "+"

#: States in which the hub may help.
LACKING: tuple[Availability, ...] = ("needs its weights", "needs a licence")
GET, STOP = "Download…", "Stop the download"


class EncoderChooser(Section):
    """A searchable list of encoders, and what is to be known of the chosen one.

    Parameters
    ----------
    folder : Path
        Where weights are looked for.
    """

    chosen = Signal(str, object)
    """(id, Path or None): the user chose an encoder, perhaps with a weights file."""
    download_requested = Signal(object)
    """(Entry): the user wants its weights from the hub, and has seen its licence."""
    stop_requested = Signal()

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
        self._get = QPushButton(GET)
        self._get.clicked.connect(self._on_get)
        self._entry: Entry | None = None
        self._loaded = False
        self._download: Download | None = None
        self.body.addLayout(row)
        self.body.addWidget(self._facts)
        self.body.addWidget(self._reason)
        self.body.addWidget(self._get)
        self._box.activated.connect(self._on_activated)

    def _fill(self) -> None:
        model = QStandardItemModel(self._box)
        # Asked once for each: it looks at the disk.
        self._known = known_encoders(self._folder)
        states = {e.id: availability(e, self._folder) for e in self._known.values()}
        for group, title in GROUPS.items():
            entries = [e for e in self._known.values() if states[e.id] == group]
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
        last = QStandardItem(DESCRIBE)
        last.setData(DESCRIBE_KEY, Qt.ItemDataRole.UserRole)
        last.setToolTip("A checkpoint of yours that is built like one of these")
        model.appendRow(last)
        self._box.setModel(model)

    def show_entry(self, entry: Entry, loaded: bool) -> None:
        """Show the encoder that is chosen."""
        index = self._box.findData(entry.id)
        if index >= 0:
            self._box.setCurrentIndex(index)
        trained = _training(entry)
        use = "" if entry.commercial is not False else ", not for commercial use"
        size = f"{entry.parameters_m:.3g} M parameters · " if entry.parameters_m else ""
        self._facts.say(f"{size}{trained} · {entry.licence}{use}")
        self._entry, self._loaded = entry, loaded
        state = availability(entry, self._folder)
        self._get.setVisible(state in LACKING and entry.hub is not None and not loaded)
        if loaded or state in ("on this machine", "your own"):
            self._reason.say(entry.summary if state == "your own" else "")
        elif state == "built in":
            self._reason.say(entry.summary, doubtful=not entry.trained)
        else:
            where = "" if entry.hub is None else ", or download it"
            self._reason.say(
                f"{GROUPS[state]}: choose the file with Local weights…{where}.", doubtful=True
            )
        self._show_progress()

    def show_download(self, download: Download) -> None:
        """Show how far the weights on their way have come."""
        self._download = download
        if download.state == "finished":
            self._fill()
            if self._entry is not None and self._entry.id == download.entry.id:
                self.chosen.emit(download.entry.id, None)
                return
        if self._entry is not None:
            self.show_entry(self._entry, self._loaded)

    def _show_progress(self) -> None:
        """What is said and offered while weights are on their way, and after they did not come."""
        now = self._download
        self._get.setText(STOP if self._downloading else GET)
        if now is None or self._entry is None:
            return
        mine = now.entry.id == self._entry.id
        if self._downloading:
            self._get.setVisible(True)
            share = f"{now.done / now.total:.0%} of {now.total / 1e6:,.0f} MB" if now.total else "…"
            self._reason.say(f"Downloading {now.entry.name}: {share}")
        elif mine and now.error is not None:
            self._reason.say(str(now.error), doubtful=True)

    @property
    def _downloading(self) -> bool:
        return self._download is not None and self._download.state == "running"

    def _on_get(self) -> None:
        if self._downloading:
            self.stop_requested.emit()
        elif self._entry is not None and self._agreed(self._entry):
            self.download_requested.emit(self._entry)

    def _agreed(self, entry: Entry) -> bool:
        """Whether the user accepts what the licence asks, now or before."""
        if licence_accepted(entry, self._folder):
            return True
        question = f"{entry.name} is licensed under {entry.licence}. {entry.use_text} Go on?"
        yes = QMessageBox.StandardButton.Yes
        if QMessageBox.question(self, "Licence", question) != yes:
            return False
        try:
            accept_licence(entry, self._folder)
        except EncoderError as error:
            self._reason.say(str(error), doubtful=True)
            return False
        return True

    def _on_activated(self, index: int) -> None:
        name = self._box.itemData(index, Qt.ItemDataRole.UserRole)
        if name == DESCRIBE_KEY:
            self._describe()
        elif name:
            self._choose(self._known[name])

    def _choose(self, entry: Entry) -> None:
        """Choose an encoder, once its licence is accepted where its weights are at hand."""
        here = availability(entry, self._folder) in ("on this machine", "your own")
        if here and not self._agreed(entry):
            self._show_chosen()
        else:
            self.chosen.emit(entry.id, None)

    def _show_chosen(self) -> None:
        """Go back to the encoder that is chosen."""
        if self._entry is not None:
            self._box.setCurrentIndex(self._box.findData(self._entry.id))

    def _describe(self) -> None:
        form = OwnEncoderForm(self._folder, self)
        if form.exec() and form.entry is not None:
            self._fill()
            self.chosen.emit(form.entry.id, None)
        else:
            self._show_chosen()

    def _choose_file(self) -> None:
        name = self._box.currentData(Qt.ItemDataRole.UserRole)
        if name not in self._known:
            return
        pattern = " ".join(f"*{s}" for s in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self, f"Weights of {self._known[name].name}", str(self._folder), f"Weights ({pattern})"
        )
        if path and self._agreed(self._known[name]):
            self.chosen.emit(name, Path(path))


def _training(entry: Entry) -> str:
    if not entry.trained:
        return "random weights"
    if not entry.native_mpp:
        return f"trained on {entry.trained_on}"
    return f"trained at {entry.native_text} µm/px"
