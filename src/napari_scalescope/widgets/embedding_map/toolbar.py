"""What can be done with the points: tools, selecting, colours, panes, pictures."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from ...analysis.projection import Method
from ..parts import Choice
from ..scatter.mouse import Tool
from ..scatter.outline import Mode

TOOLS: dict[Tool, tuple[str, str]] = {
    "pan": ("Move", "Drag to move, wheel to zoom, double-click a point to fly there"),
    "lasso": ("Lasso", "Draw around points; Shift adds, Alt takes away"),
    "box": ("Box", "Draw a box around points; Shift adds, Alt takes away"),
}
MODES: dict[Mode, tuple[str, str]] = {
    "replace": ("Drawing selects anew", ""),
    "add": ("Drawing adds", "+"),
    "subtract": ("Drawing takes away", "−"),
}
PANES = {
    "tiles": ("Tiles", "Pictures of the selected tiles"),
    "clusters": ("Clusters", "The clusters: names, colours, sizes, areas"),
}
WHOLE = {
    "all": ("Select all", "Ctrl+A"),
    "invert": ("Invert the selection", "Ctrl+I"),
    "none": ("Clear the selection", "Esc"),
}
METHODS: dict[Method, str] = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
MORE = {
    "fit": "Show all points",
    "unhide": "Show hidden classes",
    "picture": "Save picture…",
}


#: napari's own style has no look for a tool button that is on, and its arrow covers the text.
STYLE = """
QToolButton { padding: 2px 5px; border-radius: 2px; }
QToolButton:checked { background: palette(highlight); color: palette(highlighted-text); }
QToolButton::menu-indicator { image: none; width: 0px; }
"""


class Toolbar(QWidget):
    """Two rows of buttons, for a dock that is 300 px wide."""

    tool_chosen = Signal(str)
    mode_chosen = Signal(str)
    selection_asked = Signal(str)
    """(str): "all", "invert" or "none"."""
    column_chosen = Signal(str)
    pane_chosen = Signal(str)
    """(str): "tiles" or "clusters", "" for neither."""
    asked = Signal(str)
    """(str): "fit", "unhide" or "picture"."""
    method_chosen = Signal(str)
    together_toggled = Signal(bool)
    """(bool): put the tiles of all scales into one map."""

    def __init__(self) -> None:
        super().__init__()
        self.setStyleSheet(STYLE)
        self._tools = {tool: self._tool_button(tool) for tool in TOOLS}
        self._panes = {pane: self._pane_button(pane) for pane in PANES}
        self._select = self._menu_button("Select ▾", "What drawing does, and whole selections")
        self._modes = QActionGroup(self)
        for mode, (title, _) in MODES.items():
            action = self._select.menu().addAction(title)
            action.setCheckable(True)
            action.setChecked(mode == "replace")
            action.triggered.connect(lambda _, mode=mode: self._on_mode(mode))
            self._modes.addAction(action)
        self._select.menu().addSeparator()
        for what, (title, key) in WHOLE.items():
            action = self._select.menu().addAction(f"{title}\t{key}")
            action.triggered.connect(lambda _, what=what: self.selection_asked.emit(what))
        self._more = self._menu_button(" ⋯ ", "Show all, save a picture, how points are laid out")
        self.actions_: dict[str, QAction] = {}
        for what, title in MORE.items():
            action = self._more.menu().addAction(title)
            action.triggered.connect(lambda _, what=what: self.asked.emit(what))
            self.actions_[what] = action
        self._more.menu().addSeparator()
        self._methods, group = {}, QActionGroup(self)
        for method, title in METHODS.items():
            action = self._more.menu().addAction(f"Lay out by {title}")
            action.setCheckable(True)
            action.triggered.connect(lambda _, method=method: self.method_chosen.emit(method))
            group.addAction(action)
            self._methods[method] = action
        self._together = self._more.menu().addAction("All scales in one map")
        self._together.setCheckable(True)
        self._together.triggered.connect(self.together_toggled)
        self._colour = Choice("Colour of the points", letters=8)
        self._colour.activated.connect(
            lambda _: self.column_chosen.emit(str(self._colour.currentData()))
        )
        above, below = QHBoxLayout(), QHBoxLayout()
        for button in (*self._tools.values(), self._select):
            above.addWidget(button)
        above.addStretch(1)
        above.addWidget(self._more)
        below.addWidget(self._colour, 1)
        for button in self._panes.values():
            below.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(above)
        layout.addLayout(below)

    def _tool_button(self, tool: Tool) -> QToolButton:
        title, tip = TOOLS[tool]
        button = QToolButton()
        button.setText(title)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setAutoExclusive(True)
        button.clicked.connect(lambda: self.tool_chosen.emit(tool))
        return button

    def _pane_button(self, pane: str) -> QToolButton:
        title, tip = PANES[pane]
        button = QToolButton()
        button.setText(title)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.clicked.connect(lambda on: self._on_pane(pane if on else ""))
        return button

    def _menu_button(self, title: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(title)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(QMenu(button))
        return button

    def _on_mode(self, mode: Mode) -> None:
        sign = MODES[mode][1]
        self._select.setText(f"Select {sign or '▾'}")
        self.mode_chosen.emit(mode)

    def _on_pane(self, pane: str) -> None:
        for name, button in self._panes.items():
            button.setChecked(name == pane)
        self.pane_chosen.emit(pane)

    # --- what it shows ---

    def show_tool(self, tool: Tool) -> None:
        """Show which tool is in use."""
        self._tools[tool].setChecked(True)

    def show_layout(self, method: Method, together: bool) -> None:
        """Show how points are laid out, and whether those of all scales are."""
        self._methods[method].setChecked(True)
        self._together.setChecked(together)

    def show_columns(self, titles: Mapping[str, str], chosen: str, legend: str) -> None:
        """These columns can be chosen, one is; ``legend`` is what there is to say of it."""
        now = {self._colour.itemData(i): i for i in range(self._colour.count())}
        if list(now) != list(titles):
            self._colour.clear()
            for key, title in titles.items():
                self._colour.addItem(title if key == "plain" else f"By {_lower(title)}", key)
        self._colour.setCurrentIndex(self._colour.findData(chosen))
        self._colour.setToolTip(legend or "Colour of the points")

    def show_hidden(self, some: bool) -> None:
        """Some classes are hidden, or none."""
        self.actions_["unhide"].setEnabled(some)


def _lower(title: str) -> str:
    """A title inside a sentence; abbreviations stay."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]
