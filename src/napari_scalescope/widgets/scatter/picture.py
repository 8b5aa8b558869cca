"""The plot as a picture: on the screen, as an image, and as a vector file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from qtpy.QtCore import QBuffer, QIODevice, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPen

from ...errors import ExchangeError
from .ink import CENTRED, Ink, frame, mixed
from .overlay import Overlay
from .plot import Plot
from .raster import FADED, SELECTED_GROWTH, automatic_size, rasterise

#: Up to so many points in view a vector picture holds vectors.
VECTOR_POINTS = 5_000


def paint(
    plot: Plot,
    painter: QPainter,
    ink: Ink,
    paint_points: Callable[[], None],
    mouse: QPointF | None = None,
) -> None:
    """Paint everything that belongs into a picture as well as on the screen."""
    letters, area = plot.letters, QRectF(plot.rect)
    overlay = plot.overlay if plot.cloud.n else Overlay(plot.overlay.title)
    painter.setFont(letters.plain)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if len(plot.cloud):
        paint_points()
    else:
        painter.fillRect(area, ink.background)
    if not plot.cloud.n:
        painter.setPen(ink.blend(0.65))
        margin = 0.1 * area.width()
        painter.drawText(area.adjusted(margin, margin, -margin, -margin), plot.empty_text, CENTRED)
    frame(painter, area, ink.blend(0.25))
    overlay.paint(painter, ink, plot.rect.size(), letters, mouse)


def paint_ring(plot: Plot, painter: QPainter, ink: Ink, point: int) -> None:
    """Paint a ring around a point, if it is shown."""
    if plot.cloud.shown[point]:
        centre = QPointF(*plot.camera.to_screen(*plot.cloud.position(point)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((ink.background, 4), (ink.text, 2)):
            painter.setPen(QPen(colour, width))
            painter.drawEllipse(centre, 6, 6)


def points(plot: Plot, ink: Ink, ratio: float) -> QImage:
    """The points alone, at so many pixels per logical pixel."""
    pixels = np.ascontiguousarray(
        rasterise(
            plot.cloud,
            plot.camera,
            background=ink.background.getRgb()[:3],
            point_size=plot.point_size,
            ratio=ratio,
        )
    )
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
    return image.copy()  # numpy's memory does not outlive this call


def image(plot: Plot, ink: Ink, scale: float) -> QImage:
    """The picture at so many pixels per logical pixel."""
    picture = QImage(plot.rect.size() * scale, QImage.Format.Format_RGB32)
    picture.setDevicePixelRatio(scale)
    raster = points(plot, ink, scale)
    painter = QPainter(picture)
    paint(plot, painter, ink, lambda: painter.drawImage(QRectF(plot.rect), raster))
    painter.end()
    return picture


def write_png(plot: Plot, ink: Ink, scale: float, path: str | Path) -> None:
    """Write the picture as PNG."""
    if not image(plot, ink, scale).save(str(path), "PNG"):
        raise _unwritable(path)


def write_svg(plot: Plot, ink: Ink, title: str, path: str | Path) -> None:
    """Write the picture as SVG."""
    from qtpy.QtSvg import QSvgGenerator  # not part of every installation of Qt

    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    generator = QSvgGenerator()
    generator.setOutputDevice(buffer)
    generator.setSize(plot.rect.size())
    generator.setViewBox(plot.rect)
    generator.setTitle(title)
    painter = QPainter(generator)
    paint(plot, painter, ink, lambda: _paint_vectors(plot, painter, ink))
    painter.end()
    try:
        Path(path).write_bytes(bytes(buffer.data()))
    except OSError as error:
        raise _unwritable(path) from error


def _paint_vectors(plot: Plot, painter: QPainter, ink: Ink) -> None:
    """The points as circles, or as an image where they are too many."""
    cloud, camera = plot.cloud, plot.camera
    index, px, py = cloud.on_screen(camera)
    if len(index) > VECTOR_POINTS:
        painter.drawImage(QRectF(plot.rect), points(plot, ink, 2.0))
        return
    painter.fillRect(plot.rect, ink.background)
    size = plot.point_size or automatic_size(len(index), camera.width * camera.height)
    painter.setPen(Qt.PenStyle.NoPen)
    for point, x, y in zip(index.tolist(), px.tolist(), py.tolist(), strict=True):
        colour, radius = QColor.fromRgb(cloud.colour_of(point)), size / 2
        if cloud.selected[point]:
            radius *= SELECTED_GROWTH
        elif cloud.n_selected:
            colour = mixed(ink.background, colour, FADED)
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(x, y), radius, radius)


def _unwritable(path: str | Path) -> ExchangeError:
    return ExchangeError(
        f"The picture {path} cannot be written.", "Choose a folder that you may write to."
    )
