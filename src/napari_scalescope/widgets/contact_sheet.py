"""Tiles side by side: what a selection, a cluster or an answer looks like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPalette, QPen
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..errors import ExchangeError
from ..geometry import Box
from ..slides import Slide
from .parts import Words
from .tile_reader import Picture, Tile, TileReader

#: Side of a picture on the screen (logical px) and in a file.
SHOWN_PX, SAVED_PX = 80, 224
#: So many pictures are kept; those farthest from what is in sight are read again when needed.
KEPT = 1500
#: How often pictures that have arrived are shown, ms.
PACE_MS = 40
#: Room between pictures, logical px.
GAP = 4


def image_of(pixels: npt.NDArray[np.uint8]) -> QImage:
    """A picture (h, w, 3) for Qt."""
    pixels = np.ascontiguousarray(pixels)
    h, w = pixels.shape[:2]
    return QImage(pixels.data, w, h, 3 * w, QImage.Format.Format_RGB888).copy()


class ContactSheet(QWidget):
    """Pictures of tiles with a line under each, as many beside each other as there is room for.

    Pictures in sight are read first, off the thread that draws, and appear as they come. The
    arrow keys go from one to the next, Return does what a click does.
    """

    activated = Signal(int)
    """(int): a tile was clicked, or chosen with Return: its place in the list."""

    saved = Signal(object)
    """(Path): the sheet was written there."""

    failed = Signal(str)
    """(str): it could not be written, in words for the user."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Tiles(self)
        self._reader, self._saver = TileReader(), TileReader()
        self._path: Path | None = None
        self._to_save: dict[int, QImage | str] = {}
        self._said = Words()
        self._save = QToolButton()
        self._save.setText("Save…")
        self._save.setToolTip("Write these pictures to one PNG file")
        self._save.clicked.connect(self._choose_file)
        self._view = _View(self._model)
        self._view.setAccessibleName("Contact sheet")
        self._view.moved.connect(self._want)
        self._view.clicked.connect(lambda index: self.activated.emit(index.row()))
        self._view.entered_at.connect(self.activated)
        top = QHBoxLayout()
        top.addWidget(self._said, 1)
        top.addWidget(self._save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GAP)
        layout.addLayout(top)
        layout.addWidget(self._view, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(PACE_MS)
        self._timer.timeout.connect(self._take)
        for reader in (self._reader, self._saver):
            self.destroyed.connect(reader.close)
        self.clear()

    # --- what is shown ---

    def show_tiles(
        self,
        slide: Slide | Sequence[Slide],
        boxes: Sequence[Box],
        captions: Sequence[str] = (),
        title: str | None = None,
    ) -> None:
        """Show these tiles instead of any before.

        Parameters
        ----------
        slide : Slide or sequence of Slides
            Where the boxes lie: one slide for all, or one for each.
        boxes : sequence of Box
            Level-0 pixels.
        captions : sequence of str
            A line under each; none where empty.
        title : str, optional
            What they are; default: how many.
        """
        slides = [slide] * len(boxes) if isinstance(slide, Slide) else list(slide)
        lines = list(captions) or [""] * len(boxes)
        tiles = [Tile(s, Box(*box)) for s, box in zip(slides, boxes, strict=True)]
        self._stop_saving()
        self._reader.want((), SHOWN_PX)
        self._model.show(tiles, lines)
        self._title = f"{len(tiles):,} tiles" if title is None else title
        self._said.say(self._title)
        self._save.setEnabled(bool(tiles))
        self._view.fit_items()
        self._view.scrollToTop()
        self._want()

    def clear(self, text: str = "") -> None:
        """Show no tiles, and a line that says why."""
        self.show_tiles((), (), (), text)

    @property
    def tiles(self) -> list[Tile]:
        """The tiles shown."""
        return self._model.tiles

    @property
    def settled(self) -> bool:
        """Whether every picture in sight is there."""
        return not self._timer.isActive()

    def _want(self) -> None:
        """Read what is in sight, what is further down, and what is further up, in this order."""
        self._put()  # what has just come would else be dropped, again and again while scrolling
        first, last = self._view.in_sight()
        size = round(SHOWN_PX * self.devicePixelRatioF())
        self._model.keep_near(first, last, size)
        page = last - first + 1
        rows = [*range(first, last + 1 + page), *range(first - page, first)]
        wanted = [(i, self.tiles[i]) for i in rows if self._model.lacks(i)]
        self._reader.want(wanted, size)
        if wanted:
            self._timer.start()

    def _take(self) -> None:
        idle = self._reader.idle and self._saver.idle  # asked first: what is done is in the queue
        self._put()
        if self._path is not None:
            self._take_saved()
        if idle:
            self._timer.stop()

    def _put(self) -> None:
        for picture in self._reader.done():
            self._model.put(picture)

    # --- writing ---

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the contact sheet", str(Path.home() / "tiles.png"), "PNG (*.png)"
        )
        if path:
            self.save(path)

    def save(self, path: str | Path) -> None:
        """Write all tiles with their lines to a PNG file; `saved` or `failed` says when it is done.

        They are read for it at `SAVED_PX`, which takes a while where there are many.
        """
        if self.tiles:
            self._path, self._to_save = Path(path).with_suffix(".png"), {}
            self._saver.want(list(enumerate(self.tiles)), SAVED_PX)
            self._timer.start()

    def _stop_saving(self) -> None:
        self._path, self._to_save = None, {}
        self._saver.want((), SAVED_PX)

    def _take_saved(self) -> None:
        assert self._path is not None
        for key, pixels, problem in self._saver.done():
            self._to_save[int(str(key))] = problem if pixels is None else image_of(pixels)
        done, total = len(self._to_save), len(self.tiles)
        self._said.say(f"Reading {done:,} of {total:,} tiles to save")
        if done < total:
            return
        path, sheet = self._path, self._composed()
        self._stop_saving()
        if sheet.save(str(path), "PNG"):
            self._said.say(self._title)
            self.saved.emit(path)
        else:
            error = ExchangeError(
                f"The picture {path} cannot be written.", "Choose a folder that you may write to."
            )
            self._said.say(str(error), doubtful=True)
            self.failed.emit(str(error))

    def _composed(self) -> QImage:
        n = len(self.tiles)
        # What a picture may be large: 400 tiles at full size are 80 megabytes.
        px = SAVED_PX if n <= 400 else SAVED_PX // 2
        columns = math.ceil(math.sqrt(n))
        line = round(px / 9)
        cell = QSize(px + 2 * GAP, px + 2 * GAP + line)
        size = QSize(columns * cell.width(), -(-n // columns) * cell.height())
        sheet = QImage(size, QImage.Format.Format_RGB32)
        sheet.fill(Qt.GlobalColor.white)
        painter = QPainter(sheet)
        font = painter.font()
        font.setPixelSize(round(0.8 * line))
        painter.setFont(font)
        for i in range(n):
            corner = QRect(i % columns * cell.width(), i // columns * cell.height(), px, px)
            place = corner.translated(GAP, GAP)
            picture = self._to_save[i]
            if isinstance(picture, QImage):
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                painter.drawImage(place, picture)
            else:
                _paint_gap(painter, place, QColor("grey"), damaged=True)
            painter.setPen(QColor("black"))
            under = QRect(place.left(), place.bottom() + 1, px, line + GAP)
            _write(painter, under, self._model.captions[i])
        painter.end()
        return sheet


class _Tiles(QAbstractListModel):
    """The tiles, their lines, and the pictures that are there."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.tiles: list[Tile] = []
        self.captions: list[str] = []
        self._pictures: dict[int, QImage | str] = {}
        self._size = 0

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.tiles)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = index.row()
        picture = self._pictures.get(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.captions[row]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"Tile {row + 1} of {len(self.tiles)} {self.captions[row]}".strip()
        if role == Qt.ItemDataRole.ToolTipRole:
            return picture if isinstance(picture, str) else self.captions[row] or None
        return picture if role == Qt.ItemDataRole.UserRole else None

    def show(self, tiles: list[Tile], captions: list[str]) -> None:
        if len(captions) != len(tiles):
            raise ValueError(f"{len(tiles)} tiles cannot have {len(captions)} captions")
        self.beginResetModel()
        self.tiles, self.captions, self._pictures = tiles, captions, {}
        self.endResetModel()

    def lacks(self, row: int) -> bool:
        return 0 <= row < len(self.tiles) and row not in self._pictures

    def put(self, picture: Picture) -> None:
        row = int(str(picture.key))
        made = picture.problem if picture.pixels is None else image_of(picture.pixels)
        self._pictures[row] = made
        self.dataChanged.emit(self.index(row), self.index(row), [])

    def keep_near(self, first: int, last: int, size: int) -> None:
        """Let go of pictures of another size, and of those far from some rows."""
        if size != self._size:
            self._size = size
            self._pictures.clear()
        if len(self._pictures) > KEPT:
            middle = (first + last) / 2
            nearest = sorted(self._pictures, key=lambda row: abs(row - middle))
            for row in nearest[KEPT // 2 :]:
                del self._pictures[row]


class _View(QListView):
    """The pictures in lines that wrap."""

    moved = Signal()
    """Others are in sight."""

    entered_at = Signal(int)
    """(int): Return was pressed on a row."""

    def __init__(self, model: _Tiles) -> None:
        super().__init__()
        self.setModel(model)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Delegate(self))
        self.setMinimumHeight(SHOWN_PX + 6 * GAP)
        self.verticalScrollBar().valueChanged.connect(lambda _: self.moved.emit())

    def fit_items(self) -> None:
        """Tiles without lines lie closer together."""
        delegate = self.itemDelegate()
        assert isinstance(delegate, _Delegate)
        size = delegate.sizeHint(QStyleOptionViewItem(), self.model().index(0, 0))
        self.setGridSize(size)

    def in_sight(self) -> tuple[int, int]:
        """The first and the last row that can be seen; (0, -1): none."""
        n, cell = self.model().rowCount(), self.gridSize()
        if not n or cell.isEmpty():
            return 0, -1
        area = self.viewport().size()
        columns = max(area.width() // cell.width(), 1)
        top = self.verticalScrollBar().value()
        first = top // cell.height() * columns
        last = ((top + area.height()) // cell.height() + 1) * columns - 1
        return min(first, n - 1), min(last, n - 1)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.moved.emit()

    def changeEvent(self, event: Any) -> None:
        super().changeEvent(event)
        self.fit_items()

    def keyPressEvent(self, event: Any) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.entered_at.emit(self.currentIndex().row())
            return
        super().keyPressEvent(event)


class _Delegate(QStyledItemDelegate):
    """Paints a tile: its picture, or a frame where it is yet to come, and its line."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        view = self.parent()
        lines = isinstance(view, _View) and bool(index.data(Qt.ItemDataRole.DisplayRole))
        line = view.fontMetrics().height() if lines and isinstance(view, _View) else 0
        return QSize(SHOWN_PX + 2 * GAP, SHOWN_PX + 2 * GAP + line)

    def paint(self, painter: QPainter, option: Any, index: QModelIndex) -> None:
        palette: QPalette = option.palette
        cell: QRect = option.rect
        place = QRect(cell.left() + GAP, cell.top() + GAP, SHOWN_PX, SHOWN_PX)
        picture = index.data(Qt.ItemDataRole.UserRole)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        text = palette.color(QPalette.ColorRole.Text)
        if isinstance(picture, QImage):
            painter.drawImage(place, picture)
        else:
            _paint_gap(painter, place, text, damaged=isinstance(picture, str))
        state = QStyle.StateFlag
        if option.state & (state.State_Selected | state.State_HasFocus):
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(place.adjusted(-1, -1, 1, 1))
        painter.setPen(text)
        below = QRect(cell.left() + 1, place.bottom() + 2, cell.width() - 2, cell.bottom())
        below.setBottom(cell.bottom())
        _write(painter, below, str(index.data(Qt.ItemDataRole.DisplayRole) or ""))
        painter.restore()


def _paint_gap(painter: QPainter, place: QRect, colour: QColor, *, damaged: bool) -> None:
    """A frame for a picture that is yet to come; crossed out: it cannot be read."""
    faint = QColor(colour)
    faint.setAlpha(90)
    painter.setPen(QPen(faint, 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(place.adjusted(0, 0, -1, -1))
    if damaged:
        painter.drawLine(place.topLeft(), place.bottomRight())
        painter.drawLine(place.topRight(), place.bottomLeft())


def _write(painter: QPainter, box: QRect, text: str) -> None:
    """A line as far as it fits."""
    metrics = painter.fontMetrics()
    elided = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), elided)
