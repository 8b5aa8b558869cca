"""A lasso or a box while it is being drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSizeF, Qt
from qtpy.QtGui import QPainter, QPen, QPolygonF

from .camera import Camera
from .ink import Ink, Letters, translucent, write_on_plate

#: What becomes of the points that were selected before.
Mode = Literal["replace", "add", "subtract"]
MODES = ("replace", "add", "subtract")
Corners = list[tuple[float, float]]


@dataclass
class Outline:
    """Where the hand has been, in data coordinates: it survives a zoom."""

    mode: Mode
    box: bool
    path: Corners

    @property
    def corners(self) -> Corners:
        """The polygon."""
        if not self.box:
            return self.path
        (x0, y0), (x1, y1) = self.path[0], self.path[-1]
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]

    @property
    def extent(self) -> float:
        """Its longer side."""
        return float(np.ptp(self.corners, axis=0).max())

    def paint(
        self, painter: QPainter, ink: Ink, camera: Camera, letters: Letters, mouse: QPointF | None
    ) -> None:
        """Paint it, with a sign at the mouse if it adds or takes away."""
        polygon = QPolygonF([QPointF(*camera.to_screen(x, y)) for x, y in self.corners])
        painter.setBrush(translucent(ink.accent, 50))
        painter.setPen(QPen(ink.background, 3))
        painter.drawPolygon(polygon, Qt.FillRule.WindingFill)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(ink.text, 1.4, Qt.PenStyle.DashLine))
        painter.drawPolygon(polygon)
        if self.mode != "replace" and mouse is not None:
            line = letters.line
            box = QRectF(mouse + QPointF(0.6 * line, 0.6 * line), QSizeF(line, line))
            write_on_plate(painter, ink, box, "+" if self.mode == "add" else "−", ink.text)
