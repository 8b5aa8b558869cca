from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtGui import QColor, QImage, QPainter, QPalette

from napari_scalescope.errors import ExchangeError

from .hand import LATTICE, SHIFT, at, drag, move, square


def picture(image):
    """A QImage as (height, width, 3)."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = [
        [QColor(image.pixel(x, y)).getRgb()[:3] for x in range(image.width())]
        for y in range(image.height())
    ]
    return np.array(rows)


def test_the_palette_decides_the_colours(view):
    palette = view.palette()
    palette.setColor(QPalette.ColorRole.Base, QColor("#102030"))
    view.setPalette(palette)
    assert QColor(view.grab().toImage().pixel(5, 200)).name() == "#102030"


def test_points_are_painted_where_the_camera_says(view):
    view.set_colours(np.tile(np.array([[255, 0, 0]], np.uint8), (26, 1)))
    view.point_size = 6
    image = view.to_image(scale=1)
    for x, y in LATTICE[:25]:
        place = at(view, x, y)
        assert QColor(image.pixel(place.x(), place.y())).getRgb()[:3] == (255, 0, 0)


def test_scale_and_background(view):
    image = view.to_image(scale=3, background="white")
    assert (image.width(), image.height()) == (1200, 1200)
    assert QColor(image.pixel(15, 600)).name() == "#ffffff"


def test_what_is_of_the_moment_is_not_exported(view, qtbot):
    before = view.to_image()
    move(view, at(view, 2, 2))
    view.tool = "lasso"
    drag(qtbot, view, square(1, 1, 2, 2), release=False)
    assert view.to_image() == before


def test_png(view, tmp_path):
    path = tmp_path / "scatter.png"
    view.to_png(path)
    assert QImage(str(path)).width() == 800


@pytest.mark.parametrize("n", [25, 6000])
def test_svg(view, tmp_path, n):
    view.set_points(np.random.default_rng(0).normal(size=(n, 2)))
    view.set_selection(np.arange(n) < 7)
    view.title = "Ein Titel & more"
    view.set_legend([("Tumour", "red", 12)])
    path = tmp_path / "scatter.svg"
    view.to_svg(path)
    text = path.read_text(encoding="utf-8")
    assert "Ein Titel &amp; more" in text
    assert "Tumour" in text
    assert ("<image" in text) == (n > 5000)


def test_vectors_look_like_the_raster(view, tmp_path):
    svg = pytest.importorskip("qtpy.QtSvg")
    view.set_selection(np.arange(26) % 2 == 0)
    view.to_svg(tmp_path / "scatter.svg")
    image = QImage(400, 400, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    svg.QSvgRenderer(str(tmp_path / "scatter.svg")).render(painter)
    painter.end()
    different = np.abs(picture(image) - picture(view.to_image(scale=1))).max(-1) > 100
    assert different.mean() < 0.005


@pytest.mark.parametrize("method", ["to_png", "to_svg"])
def test_a_folder_that_is_not_there(view, tmp_path, method):
    with pytest.raises(ExchangeError, match="cannot be written"):
        getattr(view, method)(tmp_path / "missing" / "scatter.file")


@pytest.mark.parametrize("points", [0, 300, 20_000, 300_000])
def test_every_state_can_be_painted(view, qtbot, points):
    rng = np.random.default_rng(0)
    view.set_points(rng.normal(size=(points, 2)), rng.integers(0, 255, (points, 3), np.uint8))
    view.set_colour_bar(rng.integers(0, 255, (256, 3), np.uint8), 0, 1)
    assert not view.grab().isNull()
    view.set_selection(rng.random(points) < 0.2)
    assert not view.grab().isNull()
    for tool in ("lasso", "box"):
        view.tool = tool
        drag(qtbot, view, square(-1, -1, 1, 1), SHIFT, release=False)
        assert not view.grab().isNull()


def test_a_ring_around_the_highlighted(view):
    before = view.grab().toImage()
    view.highlighted = 12
    assert view.grab().toImage() != before
    view.highlighted = 1000
    assert view.highlighted == -1
    assert view.grab().toImage() == before
    view.highlighted = 25  # is not shown
    assert view.grab().toImage() == before
