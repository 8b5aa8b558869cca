"""The picture of the tile under the mouse."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtGui import QCursor, QPixmap
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from ..contact_sheet import image_of
from ..tile_reader import Tile, TileReader

#: Side of the picture, logical px.
SIDE = 160


class TilePicture(QWidget):
    """The picture of a tile beside the cursor, a moment after it came to rest on a point.

    It is read off the thread that draws.
    """

    DELAY_MS, PACE_MS = 120, 20

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowFlags(Qt.WindowType.ToolTip)
        self._picture, self._line = QLabel(), QLabel()
        for label in (self._picture, self._line):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3, 3, 3, 3)
        layout.setSpacing(2)
        layout.addWidget(self._picture)
        layout.addWidget(self._line)
        self._reader = TileReader()
        self._wanted: tuple[Tile | None, str] = (None, "")
        self._rest, self._poll = QTimer(self), QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(self.DELAY_MS)
        self._rest.timeout.connect(self._read)
        self._poll.setInterval(self.PACE_MS)
        self._poll.timeout.connect(self._take)
        self.destroyed.connect(self._reader.close)

    def show_later(self, tile: Tile | None, line: str) -> None:
        """Show a tile and a line under it, unless the cursor goes on first; None: only the line."""
        self._wanted = tile, line
        self._rest.start()

    def hide(self) -> None:
        """Show nothing."""
        self._rest.stop()
        self._poll.stop()
        super().hide()

    def _read(self) -> None:
        tile, line = self._wanted
        if tile is None:
            self._show(None, line)
            return
        self._reader.want([(0, tile)], round(SIDE * self.devicePixelRatioF()))
        self._poll.start()

    def _take(self) -> None:
        for _, pixels, problem in self._reader.done():
            self._poll.stop()
            if pixels is None:
                self._show(None, problem)
                return
            picture = QPixmap.fromImage(image_of(pixels))
            picture.setDevicePixelRatio(self.devicePixelRatioF())
            self._show(picture, self._wanted[1])

    def _show(self, picture: QPixmap | None, line: str) -> None:
        self._picture.setPixmap(picture or QPixmap())
        self._picture.setVisible(picture is not None)
        self._line.setText(line)
        self._line.setVisible(bool(line))
        self.adjustSize()
        at = QCursor.pos() + QPoint(16, 16)
        screen = self.screen()
        if screen is not None:  # a tile at the edge of the screen is shown on the other side
            area = screen.availableGeometry()
            if at.x() + self.width() > area.right():
                at.setX(QCursor.pos().x() - 16 - self.width())
            if at.y() + self.height() > area.bottom():
                at.setY(QCursor.pos().y() - 16 - self.height())
        self.move(at)
        self.show()
