"""A sign that cannot be overlooked while it is recorded where somebody looks."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

from .parts import Words

#: Red that reads on napari's dark and light themes alike.
RED = "#e5383b"


class RecordingSign(QFrame):
    """A red dot, words and a way to stop; there only while something is recorded."""

    stop_requested = Signal()
    due = Signal()
    """A second has passed: what is shown is to be shown anew."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Recording")
        self._dot = QLabel("●")
        self._dot.setStyleSheet(f"color: {RED};")
        self._words = Words()
        stop = QPushButton("Stop")
        stop.setToolTip("Stop recording; what was recorded is kept until the window is closed")
        stop.clicked.connect(self.stop_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 2, 8, 2)
        row.addWidget(self._dot)
        row.addWidget(self._words, 1)
        row.addWidget(stop)
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self.due)
        self.hide()

    def show_record(self, on: bool, attended: bool, seconds: float) -> None:
        """Show whether it records, and how long it has."""
        minutes, s = divmod(int(seconds), 60)
        words = "Recording where you look" if attended else "Paused: window not active"
        self._words.say(f"{words} · {minutes}:{s:02d}")
        self.setVisible(on)
        if on and not self._timer.isActive():
            self._timer.start()
        elif not on:
            self._timer.stop()
