"""What is written over the points, and where: title, count, legend and colour bar."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from qtpy.QtCore import QPointF, QRectF, QSize
from qtpy.QtGui import QPainter

from .ink import CENTRED, Ink, Letters, paint_plate, write_on_plate
from .legend import ColourBar, Legend, LegendBoxes


class Layout(NamedTuple):
    """Where everything but the points is; a rectangle is empty where there is nothing."""

    title: QRectF
    total: QRectF
    legend: LegendBoxes
    bar: QRectF


@dataclass
class Overlay:
    """What is written over the points: title, count, a note, legend and colour bar.

    It is laid out before it is painted, because the mouse and the view that shows everything have
    to know where the legend is. ``visible`` is about legend and colour bar.
    """

    title: str = ""
    total: str = ""
    note: str = ""
    legend: Legend = field(default_factory=Legend)
    bar: ColourBar | None = None
    visible: bool = True

    def layout(self, size: QSize, letters: Letters) -> Layout:
        """Where everything goes in a widget of a size."""
        gap, tall = letters.gap, 1.15 * letters.line
        width, height = size.width(), size.height()
        total = min(letters.width(self.total) + gap, width - 2 * gap)
        total_box = QRectF(gap, height - gap - tall, total, tall)
        bar = self._bar_box(size, letters, total_box)
        floor = (bar if bar.height() else total_box).top() - gap
        legend = LegendBoxes.none()
        if self.visible:
            legend = self.legend.layout(size, letters, min(floor, gap + 0.6 * height))
        if self.legend.low and legend.rows:
            if not bar.height() and legend.frame.left() > total_box.right() + gap:
                floor = height - gap
            legend = legend.moved_down(floor - legend.frame.bottom())
        title_box = QRectF()
        if self.title:
            beside = legend.rows and not self.legend.low
            free = (legend.frame.left() if beside else width) - 2 * gap
            title = min(letters.width(self.title, bold=True) + gap, free)
            title_box = QRectF(gap, gap, title, tall)
        return Layout(title_box, total_box, legend, bar)

    def _bar_box(self, size: QSize, letters: Letters, total: QRectF) -> QRectF:
        """At the lower right, above the count where there is no room beside it."""
        if self.bar is None or not self.visible:
            return QRectF()
        gap = letters.gap
        box = QRectF(QPointF(), self.bar.size(letters, 0.6 * size.width()))
        box.moveBottomRight(QPointF(size.width() - gap, size.height() - gap))
        if box.left() < total.right() + gap:
            box.moveBottom(total.top() - 0.5 * gap)
        return box

    def paint(
        self, painter: QPainter, ink: Ink, size: QSize, letters: Letters, mouse: QPointF | None
    ) -> None:
        """Paint it. The row of the legend under the mouse is lit."""
        layout = self.layout(size, letters)
        if self.title:
            painter.setFont(letters.bold)
            text = letters.elided(self.title, layout.title.width() - letters.gap, bold=True)
            write_on_plate(painter, ink, layout.title, text, ink.text)
            painter.setFont(letters.plain)
        if self.total:
            text = letters.elided(self.total, layout.total.width() - letters.gap)
            write_on_plate(painter, ink, layout.total, text, ink.blend(0.8))
        if self.note:
            lines = 1 + int(letters.width(self.note) > 0.75 * size.width())
            tall = (lines + 0.4) * letters.line
            top = layout.total.top() - letters.gap - tall
            box = QRectF(0.1 * size.width(), top, 0.8 * size.width(), tall)
            paint_plate(painter, ink, box, framed=False)
            painter.setPen(ink.text)
            painter.drawText(box, self.note, CENTRED)
        if layout.legend.rows:
            self.legend.paint(painter, ink, layout.legend, letters, mouse)
        if self.bar and layout.bar.height():
            self.bar.paint(painter, ink, layout.bar, letters)
