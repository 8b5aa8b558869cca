"""With what the scatter is written: its colours, its letters, and lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QPainter,
    QPalette,
    QPen,
    QTextOption,
)

ColourLike: TypeAlias = "QColor | str | Sequence[int]"


def as_colour(colour: ColourLike) -> QColor:
    """A colour, however it is given."""
    named = isinstance(colour, QColor | str)
    return QColor(colour) if named else QColor(*(int(channel) for channel in colour))


def mixed(a: QColor, b: QColor, share: float) -> QColor:
    """Between ``a`` (share 0) and ``b`` (share 1)."""
    pairs = zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)
    return QColor(*(round(x + (y - x) * share) for x, y in pairs))


def translucent(colour: QColor, alpha: int) -> QColor:
    """The colour with what is behind it shining through; 255 is opaque."""
    return QColor(*colour.getRgb()[:3], alpha)


@dataclass(frozen=True)
class Ink:
    """The colours of a picture, all taken from two: what is behind and what is written on it."""

    background: QColor
    text: QColor
    accent: QColor

    @classmethod
    def of(cls, palette: QPalette) -> Ink:
        """The colours of a widget."""
        role = QPalette.ColorRole
        return cls(
            palette.color(role.Base), palette.color(role.Text), palette.color(role.Highlight)
        )

    def on(self, background: QColor) -> Ink:
        """The same on another background, written in whatever can be read there."""
        text = QColor("black" if background.lightnessF() > 0.5 else "white")
        return Ink(background, text, self.accent)

    def blend(self, share: float) -> QColor:
        """Between background (0) and text (1)."""
        return mixed(self.background, self.text, share)


class Letters:
    """A font in logical pixels, plain and bold, and how much room it takes.

    Everything is laid out from the height of a line, so that it fits at any scaling and font size.
    Pixels, because a picture and a vector file do not have the resolution of the screen.
    """

    def __init__(self, font: QFont) -> None:
        self.plain = QFont(font)
        self.plain.setPixelSize(max(QFontInfo(font).pixelSize(), 1))
        self.bold = QFont(self.plain)
        self.bold.setBold(True)
        self._plain, self._bold = QFontMetricsF(self.plain), QFontMetricsF(self.bold)
        self.line: float = self._plain.height()
        self.gap: int = round(0.45 * self.line)

    def width(self, text: str, bold: bool = False) -> float:
        """Room that a text needs."""
        return (self._bold if bold else self._plain).horizontalAdvance(text)

    def elided(self, text: str, width: float, bold: bool = False) -> str:
        """As much of a text as fits."""
        metrics = self._bold if bold else self._plain
        return metrics.elidedText(text, Qt.TextElideMode.ElideRight, width + 0.5)


def _aligned(alignment: Qt.AlignmentFlag, *, wraps: bool = False) -> QTextOption:
    option = QTextOption(alignment | Qt.AlignmentFlag.AlignVCenter)
    option.setWrapMode(QTextOption.WrapMode.WordWrap if wraps else QTextOption.WrapMode.NoWrap)
    return option


#: Where a text is in its box. A line is cut off rather than wrapped.
LEFT, RIGHT = _aligned(Qt.AlignmentFlag.AlignLeft), _aligned(Qt.AlignmentFlag.AlignRight)
CENTRED = _aligned(Qt.AlignmentFlag.AlignHCenter, wraps=True)


def paint_plate(painter: QPainter, ink: Ink, box: QRectF, *, framed: bool) -> None:
    """A translucent box, on which text can be read whatever is behind it."""
    painter.setPen(QPen(ink.blend(0.25), 1) if framed else Qt.PenStyle.NoPen)
    painter.setBrush(translucent(ink.background, 205))
    painter.drawRoundedRect(box, 3, 3)


def write_on_plate(painter: QPainter, ink: Ink, box: QRectF, text: str, colour: QColor) -> None:
    """A line of text in a box of its own."""
    paint_plate(painter, ink, box, framed=False)
    painter.setPen(colour)
    padding = (box.height() - QFontMetricsF(painter.font()).height()) / 2 + 0.15 * box.height()
    painter.drawText(box.adjusted(padding, 0, 0, 0), text, LEFT)


def frame(painter: QPainter, area: QRectF, colour: QColor) -> None:
    """A line of one pixel around an area."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 1))
    painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))
