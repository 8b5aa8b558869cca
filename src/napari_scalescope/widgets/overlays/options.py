"""`Options`: the controls of one overlay."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from ...encoders import Entry
from ..parts import Choice


class Options(QWidget):
    """Controls of one overlay; shown while it is.

    Attributes
    ----------
    rows : QVBoxLayout
        Where they go.
    """

    changed = Signal(dict)
    """(dict): options of the overlay that the user changed."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, 0, 0)
        self.rows.setSpacing(4)

    def add_row(self, *widgets: QWidget) -> None:
        """Controls side by side."""
        row = QHBoxLayout()
        for widget in widgets:
            row.addWidget(widget, 1)
        self.rows.addLayout(row)

    def choice(self, option: str, name: str, tip: str, items: dict[Any, str]) -> Choice:
        """A chooser among values of an option, by what they are called."""
        made = Choice(name, tip, letters=6)  # two of them fit side by side
        for value, title in items.items():
            made.addItem(title, value)
        made.activated.connect(lambda _: self.changed.emit({option: made.currentData()}))
        return made

    def show_overlay(self, overlay: Any) -> None:
        """Show what is chosen."""

    def show_encoder(self, entry: Entry, depth: int) -> None:
        """Offer what the encoder can do; ``depth`` is its number of blocks, 0 while not loaded."""


def select(choice: Choice, value: Any) -> None:
    """Show the item with a value, or the first."""
    choice.setCurrentIndex(max(0, choice.findData(value)))


#: At which resolution maps that can be of either are.
RESOLUTIONS = {True: "patch tokens", False: "tiles"}
RESOLUTION_TIP = "Resolution of the map: the encoder's own lattice, or whole tiles"
