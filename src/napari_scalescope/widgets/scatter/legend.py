"""What the colours stand for: a legend where they are classes, a colour bar where not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen

from .ink import LEFT, RIGHT, ColourLike, Ink, Letters, as_colour, paint_plate
from .wording import grouped, measured, short


@dataclass(frozen=True)
class LegendRow:
    """One class of the legend."""

    name: str
    colour: QColor
    points: int
    hidden: bool = False


class LegendBoxes(NamedTuple):
    """Where a legend is, and its counts in the room there is for them.

    ``rows`` has the boxes of the rows that fit, by their number, and ``more`` is the line that
    says how many do not. A rectangle is empty where there is nothing.
    """

    frame: QRectF
    heading: QRectF
    rows: dict[int, QRectF]
    more: QRectF
    numbers: list[str]

    @classmethod
    def none(cls) -> LegendBoxes:
        """No legend."""
        return cls(QRectF(), QRectF(), {}, QRectF(), [])

    def moved_down(self, by: float) -> LegendBoxes:
        """The same legend further down."""
        rows = {i: box.translated(0, by) for i, box in self.rows.items()}
        frame, heading, more = (
            box.translated(0, by) for box in (self.frame, self.heading, self.more)
        )
        return LegendBoxes(frame, heading, rows, more, self.numbers)

    def row_at(self, place: QPointF) -> int:
        """The row at a place, or -1."""
        return next((i for i, box in self.rows.items() if box.contains(place)), -1)

    def dot_at(self, place: QPointF) -> bool:
        """Whether a place is on the dot of a row rather than on its name."""
        i = self.row_at(place)
        return i >= 0 and place.x() < self.rows[i].left() + self.rows[i].height()


@dataclass
class Legend:
    """The classes, which may be more than there is room for: ``first_row`` is where it starts.

    ``low`` says whether it is in the lower or the upper of the right-hand corners.
    """

    rows: list[LegendRow] = field(default_factory=list)
    title: str = ""
    first_row: int = 0
    low: bool = False

    def show(
        self,
        rows: Sequence[tuple[str, ColourLike, int]],
        title: str,
        hidden: Collection[int] = (),
    ) -> None:
        """Other classes: (name, colour, count) each. Those ``hidden`` are not drawn now."""
        self.rows = [
            LegendRow(str(name), as_colour(colour), int(count), i in hidden)
            for i, (name, colour, count) in enumerate(rows)
        ]
        self.title = title

    def scroll(self, rows: int, shown: int) -> None:
        """Go on by some rows while so many are shown."""
        last = len(self.rows) - shown
        self.first_row = min(max(min(self.first_row, last) + rows, 0), last)

    def layout(self, size: QSize, letters: Letters, floor: float) -> LegendBoxes:
        """Where it goes, above ``floor``, in the upper corner of a widget of a size."""
        line, gap = letters.line, letters.gap
        too_narrow = 7 * line > 0.6 * size.width()  # nothing but the legend would be seen
        if not self.rows or too_narrow:
            return LegendBoxes.none()
        widest = max(0.42 * size.width(), 7 * line)
        name = max(letters.width(row.name) for row in self.rows)
        numbers = self._numbers(letters, name, widest - 1.8 * line)
        width = name + 1.8 * line + max(map(letters.width, numbers))
        width = min(max(width, letters.width(self.title, bold=True)), widest)
        left, top, pitch = size.width() - 2 * gap - width, 1.5 * gap, 1.1 * line
        heading = QRectF()
        if self.title:
            heading = QRectF(left, top, width, pitch)
            top += pitch
        fit = max(int((floor - 0.5 * gap - top) / pitch), 1)
        if fit < len(self.rows):
            fit = max(fit - 1, 1)
        first = max(min(self.first_row, len(self.rows) - fit), 0)
        shown = range(first, min(first + fit, len(self.rows)))
        rows = {i: QRectF(left, top + (i - first) * pitch, width, pitch) for i in shown}
        top += len(rows) * pitch
        more = QRectF()
        if len(rows) < len(self.rows):
            more = QRectF(left, top, width, pitch)
            top += pitch
        frame = QRectF(left - gap, gap, width + 2 * gap, top - 0.5 * gap)
        return LegendBoxes(frame, heading, rows, more, numbers)

    def _numbers(self, letters: Letters, name: float, room: float) -> list[str]:
        """The counts, shortened or left out where names (at most so wide) need the room."""
        numbers = [grouped(row.points) for row in self.rows]
        if name + max(map(letters.width, numbers)) > room:
            numbers = [short(row.points) for row in self.rows]
            if room - max(map(letters.width, numbers)) < min(name, 5 * letters.line):
                numbers = [""] * len(numbers)
        return numbers

    def paint(
        self,
        painter: QPainter,
        ink: Ink,
        boxes: LegendBoxes,
        letters: Letters,
        mouse: QPointF | None,
    ) -> None:
        """Paint it. The row under the mouse is lit."""
        paint_plate(painter, ink, boxes.frame, framed=True)
        line = letters.line
        if self.title:
            painter.setFont(letters.bold)
            painter.setPen(ink.text)
            text = letters.elided(self.title, boxes.heading.width(), bold=True)
            painter.drawText(boxes.heading, text, LEFT)
            painter.setFont(letters.plain)
        lit = -1 if mouse is None else boxes.row_at(mouse)
        for i, box in boxes.rows.items():
            row, number = self.rows[i], boxes.numbers[i]
            if i == lit:
                painter.fillRect(box.adjusted(-0.2 * line, 0, 0.2 * line, 0), ink.blend(0.18))
            painter.setPen(QPen(row.colour, 1.5) if row.hidden else Qt.PenStyle.NoPen)
            painter.setBrush(Qt.BrushStyle.NoBrush if row.hidden else row.colour)
            radius = 0.3 * line
            painter.drawEllipse(QPointF(box.left() + radius, box.center().y()), radius, radius)
            painter.setPen(ink.blend(0.7))
            painter.drawText(box, number, RIGHT)
            painter.setPen(ink.blend(0.5) if row.hidden else ink.text)
            room = box.width() - 1.4 * line - letters.width(number)
            painter.drawText(
                box.adjusted(0.9 * line, 0, 0, 0), letters.elided(row.name, room), LEFT
            )
        if boxes.more.height():
            painter.setPen(ink.blend(0.7))
            text = f"… {len(self.rows) - len(boxes.rows)} more"
            painter.drawText(boxes.more, text, LEFT)


@dataclass(frozen=True)
class ColourBar:
    """A strip of colours and what is at its ends."""

    strip: QImage
    low: str
    high: str
    label: str

    @classmethod
    def of(cls, colours: npt.ArrayLike, vmin: float, vmax: float, label: str) -> ColourBar:
        """The bar of some colours, uint8 (k, 3)."""
        strip = np.ascontiguousarray(colours, np.uint8).reshape(1, -1, 3)
        k = strip.shape[1]
        image = QImage(strip.data, k, 1, 3 * k, QImage.Format.Format_RGB888).copy()
        return cls(image, measured(vmin), measured(vmax), label)

    def size(self, letters: Letters, widest: float) -> QSizeF:
        """The room it takes, at most so wide."""
        line, gap = letters.line, letters.gap
        ends = letters.width(f"{self.low}   {self.high}")
        width = max(letters.width(self.label), ends, 8 * line) + 2 * gap
        height = 1.9 * line + gap + (1.1 * line if self.label else 0)
        return QSizeF(min(width, widest), height)

    def paint(self, painter: QPainter, ink: Ink, box: QRectF, letters: Letters) -> None:
        """Paint it into a box of its size."""
        paint_plate(painter, ink, box, framed=True)
        line, gap = letters.line, letters.gap
        area = box.adjusted(gap, 0.5 * gap, -gap, -0.5 * gap)
        painter.setPen(ink.text)
        label = QRectF(area.topLeft(), QSizeF(area.width(), line))
        painter.drawText(label, letters.elided(self.label, area.width()), LEFT)
        ends = QRectF(area.left(), area.bottom() - line, area.width(), line)
        painter.drawText(ends, self.low, LEFT)
        painter.drawText(ends, self.high, RIGHT)
        strip = QRectF(area.left(), ends.top() - 0.85 * line, area.width(), 0.75 * line)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(strip, self.strip)
