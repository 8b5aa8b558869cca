"""The picture of a scale profile: views on a log axis beside how alike they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from ..analysis import ScaleProfile
from .scatter.ink import LEFT, RIGHT, Ink, Letters, frame

#: Side of the thumbnails in cells of the matrix: two columns of them, so that each is twice as
#: high as its row.
THUMB = 2
#: Width of the column of bars, cells.
BARS = 2.5
#: Thickness of the colour bar, px.
RAMP = 10


@dataclass(frozen=True)
class Boxes:
    """Where everything is, in logical pixels."""

    cell: float
    matrix: QRectF
    thumbs: float
    bars: QRectF
    ramp: QRectF
    height: float

    @classmethod
    def fitting(cls, width: float, count: int, letters: Letters) -> Boxes:
        """All that a width has room for."""
        gap, line = letters.gap, letters.line
        numbers = letters.width("0.25") + 2 * gap
        cells = 2 * THUMB + count + BARS
        cell = max(4.0, (width - numbers - 3 * gap) / cells)
        thumbs = float(gap)
        left = thumbs + 2 * THUMB * cell + numbers
        # Thumbnails of the first and last row stand out by half a cell.
        top = line + gap + cell / 2
        matrix = QRectF(left, top, count * cell, count * cell)
        bars = QRectF(matrix.right() + gap, top, BARS * cell, matrix.height())
        below = matrix.bottom() + gap / 2 + 2 * line + gap
        ramp = QRectF(matrix.left(), below, matrix.width(), RAMP)
        return cls(cell, matrix, thumbs, bars, ramp, below + RAMP + line + gap)

    def thumb(self, i: int) -> QRectF:
        """Where a view stands: beside its row, in the left column or the right one by turns."""
        side = THUMB * self.cell
        x = self.thumbs + (i % 2) * side
        y = self.matrix.top() + (i + 0.5) * self.cell - side / 2
        return QRectF(x + 0.5, y + 0.5, side - 1, side - 1)


class ProfilePlot(QWidget):
    """Draws a `ScaleProfile`, and says which views the mouse is at.

    Rows and columns of the matrix are views from the finest to the coarsest, so both of its axes
    are log axes of µm/px; the views stand beside their rows.
    """

    pointed = Signal(int, int)
    """(int, int): the views the mouse is at; -1, -1 where it is at none."""
    activated = Signal(int)
    """(int): a view was double-clicked."""

    #: Rows that are drawn while there is no profile.
    COUNT = 16

    def __init__(self) -> None:
        super().__init__()
        self._profile: ScaleProfile | None = None
        self._images: dict[int, QImage] = {}
        self._at = (-1, -1)
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMinimumWidth(220)
        self.setAccessibleName("Similarity of one place at many magnifications")

    # --- what is drawn ---

    def show_profile(self, profile: ScaleProfile | None) -> None:
        """Draw this one."""
        before, self._profile = self._profile, profile
        if profile is None or before is None or before.at != profile.at:
            self._images.clear()
        if profile is not None:
            for i in np.flatnonzero(profile.encoded):
                if int(i) not in self._images:
                    self._images[int(i)] = picture_of(profile.views[i])
        self.update()

    @property
    def limits(self) -> tuple[float, float]:
        """Cosines at both ends of the colour bar: all that occur between two views."""
        if self._profile is None or self._profile.encoded.sum() < 2:
            return (0.0, 1.0)
        return (min(float(np.nanmin(self._profile.similarity)), 0.999), 1.0)

    def _boxes(self) -> Boxes:
        count = self.COUNT if self._profile is None else len(self._profile.mpp)
        return Boxes.fitting(self.width(), count, Letters(self.font()))

    def hasHeightForWidth(self) -> bool:
        """Cells are square."""
        return True

    def heightForWidth(self, width: int) -> int:
        """As high as its matrix and what stands below."""
        count = self.COUNT if self._profile is None else len(self._profile.mpp)
        return int(np.ceil(Boxes.fitting(width, count, Letters(self.font())).height))

    def sizeHint(self) -> QSize:
        """That of a usual dock."""
        return QSize(380, self.heightForWidth(380))

    # --- mouse ---

    def _view_at(self, place: QPointF) -> tuple[int, int]:
        boxes, profile = self._boxes(), self._profile
        if profile is None:
            return (-1, -1)
        count = len(profile.mpp)
        row = int((place.y() - boxes.matrix.top()) // boxes.cell)
        col = int((place.x() - boxes.matrix.left()) // boxes.cell)
        if boxes.matrix.contains(place) and 0 <= row < count and 0 <= col < count:
            return (row, col)
        over = next((i for i in range(count) if boxes.thumb(i).contains(place)), -1)
        return (over, over)

    def mouseMoveEvent(self, event: Any) -> None:
        """Say which views the mouse is at."""
        self._point(self._view_at(event.position()))

    def leaveEvent(self, event: Any) -> None:
        """At none."""
        self._point((-1, -1))

    def _point(self, at: tuple[int, int]) -> None:
        if at != self._at:
            self._at = at
            self.pointed.emit(*at)
            self.update()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Say which view it was."""
        row, _ = self._view_at(event.position())
        if row >= 0:
            self.activated.emit(row)

    # --- painting ---

    def paintEvent(self, event: Any) -> None:
        """Draw it all."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        letters, ink = Letters(self.font()), Ink.of(self.palette())
        painter.setFont(letters.plain)
        boxes = self._boxes()
        self._paint_matrix(painter, boxes, ink)
        frame(painter, boxes.matrix, ink.blend(0.35))
        if self._profile is not None:
            self._paint_axes(painter, boxes, letters, ink, self._profile)
            self._paint_bars(painter, boxes, letters, ink, self._profile)
            self._paint_views(painter, boxes, ink, self._profile)
            self._paint_marks(painter, boxes, ink, self._profile)
        self._paint_ramp(painter, boxes, letters, ink)
        painter.end()

    def _paint_matrix(self, painter: QPainter, boxes: Boxes, ink: Ink) -> None:
        painter.fillRect(boxes.matrix, ink.blend(0.08))
        if self._profile is None:
            return
        similarity = self._profile.similarity
        lo, hi = self.limits
        at = np.clip((similarity - lo) / (hi - lo), 0, 1)
        known = np.isfinite(at)
        rgba = np.zeros((*at.shape, 4), np.uint8)
        rgba[known] = ramp()[np.rint(at[known] * 255).astype(int)]
        image = QImage(rgba.tobytes(), *at.shape[::-1], QImage.Format.Format_RGBA8888)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(boxes.matrix, image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)

    def _paint_axes(
        self, painter: QPainter, boxes: Boxes, letters: Letters, ink: Ink, profile: ScaleProfile
    ) -> None:
        m, line = boxes.matrix, letters.line
        painter.setPen(ink.blend(0.85))
        painter.drawText(QRectF(m.left() - 200, 0, 200 - letters.gap / 2, line), "µm/px", RIGHT)
        title = QRectF(m.left() + letters.gap, 0, m.width(), line)
        painter.drawText(title, "Cosine between two views", LEFT)
        last_x = last_y = -np.inf
        for value, position in ticks(profile):
            text = f"{value:g}"
            x, y = m.left() + position * boxes.cell, m.top() + position * boxes.cell
            painter.setPen(QPen(ink.blend(0.5), 1))
            painter.drawLine(QPointF(m.left() - 4, y), QPointF(m.left(), y))
            painter.drawLine(QPointF(x, m.bottom()), QPointF(x, m.bottom() + 4))
            painter.setPen(ink.blend(0.85))
            if y - last_y >= line:
                box = QRectF(m.left() - 100, y - line / 2, 100 - 6, line)
                painter.drawText(box, text, RIGHT)
                last_y = y
            width = letters.width(text)
            if x - width / 2 >= last_x + letters.gap:
                painter.drawText(QPointF(x - width / 2, m.bottom() + 4 + 0.8 * line), text)
                last_x = x + width / 2
        below = QRectF(m.left(), m.bottom() + 4 + line, m.width(), line)
        painter.drawText(below, "µm/px, log axis", LEFT)

    def _paint_bars(
        self, painter: QPainter, boxes: Boxes, letters: Letters, ink: Ink, profile: ScaleProfile
    ) -> None:
        bars = boxes.bars
        painter.setPen(ink.blend(0.85))
        painter.drawText(QRectF(bars.left(), 0, 100, letters.line), "own", LEFT)
        if profile.best is None:
            return
        most = max(float(np.abs(profile.own).max()), 1e-9)
        zero = bars.left() + bars.width() * 0.35
        painter.setPen(QPen(ink.blend(0.35), 1))
        painter.drawLine(QPointF(zero, bars.top()), QPointF(zero, bars.bottom()))
        for i, own in enumerate(profile.own):
            # A bar to the left is as long, but the best always points to the right.
            room = bars.width() * (0.65 if own > 0 else 0.35)
            length = room * min(1.0, abs(float(own)) / most)
            x = zero if own > 0 else zero - length
            y = bars.top() + (i + 0.2) * boxes.cell
            colour = MARK if i == profile.best else ink.blend(0.55)
            painter.fillRect(QRectF(x, y, length, 0.6 * boxes.cell), colour)

    def _paint_views(
        self, painter: QPainter, boxes: Boxes, ink: Ink, profile: ScaleProfile
    ) -> None:
        for i in range(len(profile.mpp)):
            box = boxes.thumb(i)
            if i in self._images:
                painter.drawImage(box, self._images[i])
            else:
                painter.fillRect(box, ink.blend(0.08))
            frame(painter, box, ink.blend(0.35))

    def _paint_marks(
        self, painter: QPainter, boxes: Boxes, ink: Ink, profile: ScaleProfile
    ) -> None:
        m, cell = boxes.matrix, boxes.cell
        if profile.best is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(MARK, 2))
            painter.drawRect(boxes.thumb(profile.best).adjusted(0, 0, -1, -1))
            painter.drawRect(QRectF(m.left(), m.top() + profile.best * cell, m.width(), cell))
            painter.setBrush(MARK)
            painter.setPen(Qt.PenStyle.NoPen)
            x, y = m.left() + (profile.best + 0.5) * cell, m.bottom()
            half = 0.35 * cell
            tip = [QPointF(x, y - 1), QPointF(x - half, y + half), QPointF(x + half, y + half)]
            painter.drawPolygon(QPolygonF(tip))
        row, col = self._at
        if row >= 0:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(ink.text, 1))
            painter.drawRect(QRectF(m.left() + col * cell, m.top() + row * cell, cell, cell))
            for i in {row, col}:
                painter.drawRect(boxes.thumb(i))

    def _paint_ramp(self, painter: QPainter, boxes: Boxes, letters: Letters, ink: Ink) -> None:
        image = QImage(ramp().tobytes(), 256, 1, QImage.Format.Format_RGBA8888)
        painter.drawImage(boxes.ramp, image)
        below = QRectF(boxes.ramp.left(), boxes.ramp.bottom() + 1, boxes.ramp.width(), letters.line)
        painter.setPen(ink.blend(0.85))
        lo, hi = (f"{v:.3g}" for v in self.limits)
        painter.drawText(below, f"{lo} cosine", LEFT)
        painter.drawText(below, hi, RIGHT)


#: "Most its own": orange of Okabe and Ito, which stands out from viridis with any colour vision.
MARK = QColor(230, 159, 0)


def ramp() -> np.ndarray:
    """The colours of cosines: (256, 4) uint8."""
    from napari.utils.colormaps import ensure_colormap

    colours = ensure_colormap("viridis").map(np.linspace(0, 1, 256))
    return np.ascontiguousarray(np.rint(colours * 255).astype(np.uint8))


def picture_of(view: np.ndarray) -> QImage:
    """A view (px, px, 3) uint8 as an image that owns its pixels."""
    pixels = np.ascontiguousarray(view)
    h, w = pixels.shape[:2]
    return QImage(pixels.tobytes(), w, h, 3 * w, QImage.Format.Format_RGB888).copy()


def ticks(profile: ScaleProfile) -> list[tuple[float, float]]:
    """Doubles of 0.25 µm/px that lie on the axis, and where, in cells from its beginning."""
    first, last = profile.mpp[0], profile.mpp[-1]
    step = np.log(last / first) / (len(profile.mpp) - 1)
    half = np.exp(step / 2)
    values = 0.25 * 2.0 ** np.arange(-4, 16)
    on_axis = values[(values >= first / half) & (values <= last * half)]
    return [(float(v), float(np.log(v / first) / step + 0.5)) for v in on_axis]
