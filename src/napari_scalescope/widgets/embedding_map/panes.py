"""Room for one more thing beside the points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QSplitter, QStackedWidget, QWidget

#: A dock lower than this (logical px) and narrower than that shows one thing at a time.
LOW, NARROW = 440, 640


class Panes(QSplitter):
    """The points, and one of some panes under or beside them; in their place where room is short.

    Parameters
    ----------
    main : QWidget
    panes : mapping of str to QWidget
    """

    def __init__(self, main: QWidget, panes: Mapping[str, QWidget]) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._main, self._panes = main, dict(panes)
        self._stack = QStackedWidget()
        for pane in self._panes.values():
            self._stack.addWidget(pane)
        self.addWidget(main)
        self.addWidget(self._stack)
        self.setChildrenCollapsible(False)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        self.shown = ""
        self._arrange()

    def show_pane(self, name: str) -> None:
        """Show one of the panes, "" for none."""
        self.shown = name
        if name:
            self._stack.setCurrentWidget(self._panes[name])
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        """As if nothing but the points were there: panes make do with what there is."""
        return self._main.minimumSize()

    def resizeEvent(self, event: Any) -> None:
        """See whether there is room for both."""
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        wide = self.width() >= NARROW
        beside = wide and self.width() > 1.2 * self.height()
        orientation = Qt.Orientation.Horizontal if beside else Qt.Orientation.Vertical
        if self.orientation() != orientation:
            self.setOrientation(orientation)
        short = not beside and self.height() < LOW
        self._main.setVisible(not (self.shown and short))
        self._stack.setVisible(bool(self.shown))
