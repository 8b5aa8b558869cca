"""The clusters as a table: what each looks like, what it is called, how much of it there is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QPoint, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...analysis import ClusterRow
from ...regions import Colour
from ..contact_sheet import image_of
from ..parts import Words
from ..tile_reader import Tile, TileReader

#: Side of the picture of a tile, logical px.
SIDE = 36
PICTURE, SHOWN, NAME, TILES, AREA = range(5)
HEADINGS = ("", "", "Name", "Tiles", "mm²")


class ClusterTable(QWidget):
    """One row per cluster. Names are edited in place, colours in a dialog.

    What is asked for is said by signals; what is shown is what `show_rows` was given.

    Attributes
    ----------
    rows : sequence of ClusterRow
        The clusters shown.
    """

    chosen = Signal(list)
    """(list of int): the tiles of these clusters are to be selected."""

    renamed = Signal(int, str)
    recoloured = Signal(int, object)
    """(int, Colour)"""

    toggled = Signal(int)
    """(int): hide the points of a cluster, or show them again."""

    opened = Signal(int)
    """(int): the picture of a cluster was double-clicked: fly to that tile."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[ClusterRow] = ()
        self._showing = False
        self._said = Words()
        self._table = QTableWidget(0, len(HEADINGS))
        self._table.setAccessibleName("Clusters")
        self._table.setHorizontalHeaderLabels(HEADINGS)
        self._table.verticalHeader().hide()
        self._table.setShowGrid(False)
        self._table.setIconSize(QSize(SIDE, SIDE))
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        triggers = QAbstractItemView.EditTrigger
        self._table.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self._table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self._table.horizontalHeader()
        header.setMinimumSectionSize(SIDE + 6)
        for column in range(len(HEADINGS)):
            mode = QHeaderView.ResizeMode
            header.setSectionResizeMode(
                column, mode.Stretch if column == NAME else mode.ResizeToContents
            )
        self._table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._table.customContextMenuRequested.connect(self._on_menu)
        self._table.itemSelectionChanged.connect(self._on_selected)
        self._table.itemChanged.connect(self._on_changed)
        self._table.cellDoubleClicked.connect(self._on_double_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._said)
        layout.addWidget(self._table, 1)
        self._reader, self._poll = TileReader(), QTimer(self)
        self._poll.setInterval(40)
        self._poll.timeout.connect(self._take)
        self.destroyed.connect(self._reader.close)
        self.show_rows(())

    # --- what is shown ---

    def show_rows(self, rows: Sequence[ClusterRow], tiles: Sequence[Tile | None] = ()) -> None:
        """Show these clusters, with the tile that represents each where it can be read."""
        self._showing = True
        kept = self.selected
        self.rows = rows
        self._table.setRowCount(len(rows))
        for i, row in enumerate(rows):
            self._fill(i, row)
        self._table.setVisible(bool(rows))
        total = sum(row.area_mm2 for row in rows)
        self._said.say(
            f"{len(rows)} clusters, {_area(total)} mm²"
            if rows
            else "No clusters yet: choose the overlay Clusters."
        )
        self._showing = False
        self.show_selected(kept)
        pixels = round(SIDE * self.devicePixelRatioF())
        wanted = [(i, tile) for i, tile in enumerate(tiles) if tile is not None]
        self._reader.want(wanted, pixels)
        if wanted:
            self._poll.start()

    def _fill(self, i: int, row: ClusterRow) -> None:
        editable = Qt.ItemFlag.ItemIsEditable
        texts = ("", "", row.name, f"{row.tiles:,}", _area(row.area_mm2))
        for column, text in enumerate(texts):
            item = self._table.item(i, column)
            if item is None:
                item = QTableWidgetItem()
                self._table.setItem(i, column, item)
            item.setText(text)
            if column == SHOWN:
                item.setFlags(item.flags() & ~editable | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked)
                item.setIcon(_swatch(row.colour, self.devicePixelRatioF()))
                item.setToolTip("Whether its points are shown; double-click changes the colour")
            elif column == NAME:
                item.setToolTip(f"{row.name}: double-click or F2 to rename")
            else:
                item.setFlags(item.flags() & ~editable)
            if column in (TILES, AREA):
                item.setTextAlignment(
                    int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                )
        self._table.setRowHeight(i, SIDE + 4)

    def _take(self) -> None:
        idle = self._reader.idle
        self._showing = True
        for key, pixels, problem in self._reader.done():
            item = self._table.item(int(str(key)), PICTURE)
            if item is None:
                continue
            if pixels is not None:
                picture = QPixmap.fromImage(image_of(pixels))
                picture.setDevicePixelRatio(self.devicePixelRatioF())
                item.setIcon(QIcon(picture))
            item.setToolTip(problem or "Its most typical tile; double-click flies there")
        self._showing = False
        if idle:
            self._poll.stop()

    def show_hidden(self, hidden: Collection[int]) -> None:
        """The points of these clusters are hidden."""
        self._showing = True
        for i, row in enumerate(self.rows):
            off = row.label in hidden
            state = Qt.CheckState.Unchecked if off else Qt.CheckState.Checked
            self._table.item(i, SHOWN).setCheckState(state)
        self._showing = False

    @property
    def selected(self) -> list[int]:
        """Labels of the rows that are selected."""
        rows = {index.row() for index in self._table.selectionModel().selectedRows()}
        return [self.rows[i].label for i in sorted(rows) if i < len(self.rows)]

    def show_selected(self, labels: Collection[int]) -> None:
        """Select the rows of these clusters."""
        self._showing = True
        model = self._table.selectionModel()
        model.clearSelection()
        flag = QItemSelectionModel.SelectionFlag
        for i, row in enumerate(self.rows):
            if row.label in labels:
                model.select(self._table.model().index(i, 0), flag.Select | flag.Rows)
        self._showing = False

    # --- what is asked for ---

    def _on_selected(self) -> None:
        if not self._showing:
            self.chosen.emit(self.selected)

    def _on_changed(self, item: Any) -> None:
        if self._showing or item.row() >= len(self.rows):
            return
        row = self.rows[item.row()]
        if item.column() == SHOWN:
            self.toggled.emit(row.label)
        elif item.column() == NAME:
            name = " ".join(item.text().split())
            if name and name != row.name:
                self.renamed.emit(row.label, name)
            elif not name:
                item.setText(row.name)

    def _on_double_clicked(self, i: int, column: int) -> None:
        if column == PICTURE:
            self.opened.emit(self.rows[i].label)
        elif column == SHOWN:
            self.choose_colour(i)

    def _on_menu(self, place: QPoint) -> None:
        """The same for whoever does not find the double-click, or has no mouse."""
        i = self._table.rowAt(place.y()) if place.y() >= 0 else self._table.currentRow()
        if not 0 <= i < len(self.rows):
            return
        menu = QMenu(self)
        name = self._table.item(i, NAME)
        menu.addAction("Rename", lambda: self._table.editItem(name))
        menu.addAction("Change colour…", lambda: self.choose_colour(i))
        menu.addAction("Show or hide", lambda: self.toggled.emit(self.rows[i].label))
        menu.addAction("Fly to its tile", lambda: self.opened.emit(self.rows[i].label))
        menu.exec(self._table.viewport().mapToGlobal(place))
        menu.deleteLater()

    def choose_colour(self, i: int) -> None:
        """Ask for another colour of the cluster in a row."""
        row = self.rows[i]
        made = QColorDialog.getColor(QColor(*row.colour), self, f"Colour of {row.name}")
        if made.isValid():
            self.recoloured.emit(row.label, made.getRgb()[:3])


def _area(mm2: float) -> str:
    """At most five characters."""
    return f"{mm2:.3g}" if mm2 < 1000 else f"{mm2:,.0f}"


def _swatch(colour: Colour, ratio: float) -> QIcon:
    picture = QPixmap(round(14 * ratio), round(14 * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(QColor(*colour))
    return QIcon(picture)
