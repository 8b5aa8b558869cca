"""Small pieces the docks are built from."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPalette
from qtpy.QtWidgets import QComboBox, QFrame, QLabel, QSizePolicy, QVBoxLayout, QWidget

from ..analysis import TileMap

#: Amber that reads on napari's dark and light themes alike.
AMBER = "#d98e04"


class Section(QFrame):
    """A titled part of a dock.

    Attributes
    ----------
    body : QVBoxLayout
        Where its content goes.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(4)
        heading = QLabel(title)
        font = QFont(heading.font())
        font.setBold(True)
        heading.setFont(font)
        layout.addWidget(heading)
        self.body = QVBoxLayout()
        self.body.setSpacing(4)
        layout.addLayout(self.body)


class Choice(QComboBox):
    """A chooser that does not widen its dock for its longest text.

    Parameters
    ----------
    name : str
        What it chooses, for screen readers.
    tip : str
        Tooltip.
    letters : int
        How many letters of its texts can be read at least.
    """

    def __init__(self, name: str, tip: str = "", letters: int = 10) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(letters)


class Words(QLabel):
    """Text that wraps, never widens its dock, and can be copied."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def say(self, text: str, *, doubtful: bool = False) -> None:
        """Show a text, in amber where it is a doubt; an empty one takes no room."""
        self.setStyleSheet(f"color: {AMBER};" if doubtful else "")
        self.setText(text)
        self.setVisible(bool(text))


class Legend(QWidget):
    """What the colours of a map mean: a colour bar with numbers and unit, or named classes."""

    BAR = 12
    MARGIN = 4

    def __init__(self) -> None:
        super().__init__()
        self._map: TileMap | None = None
        self._colours: np.ndarray | None = None
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Legend of the overlay")

    def show_map(self, tile_map: TileMap | None) -> None:
        """Explain this map, or nothing."""
        self._map = tile_map
        self._colours = None
        if tile_map is not None and tile_map.kind == "score":
            from napari.utils.colormaps import ensure_colormap

            ramp = ensure_colormap(tile_map.colormap).map(np.linspace(0, 1, 256))
            if tile_map.threshold is not None:
                below = np.linspace(*tile_map.limits, 256) < tile_map.threshold
                ramp[below, :3] = 0.5 + (ramp[below, :3] - 0.5) * 0.25
            self._colours = np.rint(ramp[:, :3] * 255).astype(np.uint8)
        self.updateGeometry()
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def _line(self) -> int:
        return self.fontMetrics().height() + 2

    def sizeHint(self) -> QSize:
        """As high as the map's legend needs."""
        if self._map is None:
            return QSize(100, 0)
        if self._map.kind == "score":
            return QSize(100, self.BAR + self._line() + 2 * self.MARGIN)
        rows = -(-len(self._map.classes) // 2)
        return QSize(100, rows * self._line() + self.MARGIN if rows else 0)

    def paintEvent(self, event: Any) -> None:
        """Draw the legend."""
        if self._map is None:
            return
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        if self._map.kind == "score":
            self._paint_bar(painter, self._map)
        else:
            self._paint_classes(painter, self._map)
        painter.end()

    def _paint_bar(self, painter: QPainter, tile_map: TileMap) -> None:
        assert self._colours is not None
        row = np.ascontiguousarray(self._colours[None])
        image = QImage(row.tobytes(), 256, 1, 768, QImage.Format.Format_RGB888)
        bar = QRectF(0, self.MARGIN, self.width(), self.BAR)
        painter.drawImage(bar, image)
        below = QRectF(0, self.MARGIN + self.BAR, self.width(), self._line())
        lo, hi = (f"{v:.3g}" for v in tile_map.limits)
        for text, side in (
            (lo, Qt.AlignmentFlag.AlignLeft),
            (tile_map.unit, Qt.AlignmentFlag.AlignHCenter),
            (hi, Qt.AlignmentFlag.AlignRight),
        ):
            painter.drawText(below, int(side | Qt.AlignmentFlag.AlignVCenter), text)

    def _paint_classes(self, painter: QPainter, tile_map: TileMap) -> None:
        line, half = self._line(), self.width() / 2
        metrics = self.fontMetrics()
        for i, entry in enumerate(tile_map.classes):
            x, y = (i % 2) * half, (i // 2) * line
            swatch = QRectF(x, y + 3, line - 6, line - 6)
            painter.fillRect(swatch, QColor(*entry.colour))
            # Dark colours are lost on the dark theme without an edge, pale ones on the light one.
            painter.save()
            painter.setPen(QColor(128, 128, 128))
            painter.drawRect(swatch)
            painter.restore()
            room = half - line
            text = metrics.elidedText(entry.name, Qt.TextElideMode.ElideRight, int(room))
            painter.drawText(
                QRectF(x + line, y, room, line), int(Qt.AlignmentFlag.AlignVCenter), text
            )
