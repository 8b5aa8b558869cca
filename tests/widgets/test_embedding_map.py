"""The Embedding map dock on a viewer without a window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QColorDialog, QComboBox, QTableWidget, QToolButton

from napari_scalescope.analysis import Projection
from napari_scalescope.analysis import lay_out as laid_out
from napari_scalescope.geometry import Box
from napari_scalescope.regions import Region, Regions
from napari_scalescope.widgets.embedding_map import EmbeddingMap
from napari_scalescope.widgets.embedding_map.cluster_table import AREA, NAME, PICTURE, SHOWN, TILES

from ..slides.memory import coloured_slide

Settle = Callable[[Any], None]


def lay_out(hub: Any, every: bool = False) -> Projection:
    """Every encoded tile by its first two axes: UMAP would take its time."""
    points = hub.session.points
    sets = sorted(hub.session.sets(every), key=lambda emb: emb.grid.mpp)
    assert points.keep(laid_out(tuple(sets), "pca"), points.generation)
    return points.found


@pytest.fixture
def dock(qtbot: Any, hub: Any, viewer: Any, monkeypatch: Any) -> EmbeddingMap:
    for name in ("find", "place"):
        monkeypatch.setattr(type(hub.session.points), name, lambda self: None, raising=False)
    made = EmbeddingMap(viewer)
    qtbot.addWidget(made)
    made.resize(380, 300)
    made.show()
    return made


@pytest.fixture
def projection(dock: EmbeddingMap, hub: Any, settle: Settle) -> Projection:
    hub.set_wanted_live(False)
    hub.add_slide(coloured_slide(2600, 2000))
    hub.session.choose_scale((1.0,))
    hub.session.encode_slide()
    settle(hub)
    made = lay_out(hub)
    settle(hub)
    return made


def press(dock: EmbeddingMap, text: str) -> None:
    next(b for b in dock.findChildren(QToolButton) if b.text() == text).click()


def chooser(dock: EmbeddingMap) -> QComboBox:
    return next(b for b in dock.findChildren(QComboBox) if b.accessibleName().startswith("Colour"))


def left_half(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """An outline around the points left of the median, and which they are."""
    middle = float(np.median(projection.xy[:, 0]))
    (x0, y0), (_, y1) = projection.xy.min(0) - 1, projection.xy.max(0) + 1
    corners = np.array([(x0, y0), (middle, y0), (middle, y1), (x0, y1)])
    return corners, projection.xy[:, 0] < middle


def looked_at(hub: Any) -> tuple[float, float]:
    """The place in the middle of the screen, level-0 pixels."""
    *_, y, x = hub.viewer.scene.camera.center
    return x / 0.5, y / 0.5


def chosen(hub: Any) -> set[tuple[int, ...]]:
    return {tuple(tile) for tile in hub.session.selection.found.tiles.tolist()}


def named(tiles: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(tile) for tile in tiles.tolist()}


def test_it_says_what_to_do_first_and_then_what_is_shown(
    dock: EmbeddingMap, hub: Any, settle: Settle
) -> None:
    assert dock.scatter.accessibleDescription() == "Encode some tiles to see them here"
    hub.set_wanted_live(False)
    hub.add_slide(coloured_slide(2600, 2000))
    hub.session.choose_scale((1.0,))
    hub.session.encode_slide()
    settle(hub)
    shown = lay_out(hub)
    settle(hub)
    assert len(dock.scatter.selection) == len(shown.xy) > 100
    assert dock.scatter.title == "PCA · 1 µm/px · Fake"
    assert dock.scatter.note == ""
    hub.session.colouring.choose("clusters")
    settle(hub)
    assert "choose the overlay Clusters" in dock.scatter.note
    assert not dock.grab().isNull()
    hub.session.set_slide(None)
    settle(hub)
    assert dock.scatter.title == ""
    assert len(dock.scatter.selection) == 0


def test_a_lasso_glows_on_the_slide_and_back(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle
) -> None:
    corners, inside = left_half(projection)
    dock.scatter.select_polygon(corners)
    settle(hub)
    emb = hub.session.embeddings()
    assert chosen(hub) == named(emb.tiles[inside])
    assert np.array_equal(dock.scatter.selection, inside)
    # and from the slide to the map
    hub.session.select_region(shapely.box(0, 0, 900, 700))
    settle(hub)
    x, y = emb.centres.T
    assert np.array_equal(dock.scatter.selection, (x < 900) & (y < 700))


def test_tools_modes_and_whole_selections(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle
) -> None:
    press(dock, "Box")
    assert dock.scatter.tool == "box"
    dock.scatter.tool = "pan"
    assert next(b for b in dock.findChildren(QToolButton) if b.text() == "Move").isChecked()
    dock.toolbar.mode_chosen.emit("add")
    assert dock.scatter.mode == "add"
    n = len(projection.xy)
    corners, inside = left_half(projection)
    dock.scatter.select_polygon(corners)
    for what, count in (("invert", n - inside.sum()), ("all", n), ("none", 0)):
        dock.toolbar.selection_asked.emit(what)
        assert dock.scatter.selection.sum() == count
        assert len(hub.session.selection.found) == count


def test_double_click_flies_there(dock: EmbeddingMap, projection: Projection, hub: Any) -> None:
    dock.scatter.point_activated.emit(7)
    centre = hub.session.embeddings().centres[7]
    assert looked_at(hub) == pytest.approx(tuple(centre), abs=1)


def test_hover_shows_the_tile_and_a_line(
    dock: EmbeddingMap, projection: Projection, hub: Any, qtbot: Any
) -> None:
    emb, slide = hub.session.embeddings(), hub.session.slide
    dock.scatter.point_hovered.emit(3)
    qtbot.waitUntil(dock._picture.isVisible, timeout=5000)
    shown = dock._picture._picture.pixmap().toImage()
    box = Box(*emb.grid.boxes(emb.tiles[3:4])[0])
    plain = slide.read(box, size=(shown.width(), shown.height()))
    middle = shown.pixelColor(shown.width() // 2, shown.height() // 2).getRgb()[:3]
    assert middle == tuple(plain[shown.height() // 2, shown.width() // 2])
    x, y = emb.centres[3] * 0.5 / 1000
    assert dock._picture._line.text() == f"{x:.2f}, {y:.2f} mm"
    dock.scatter.point_hovered.emit(-1)
    assert not dock._picture.isVisible()


def test_colours_follow_clusters_and_similarity(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle
) -> None:
    hub.session.show("clusters", k=3)
    settle(hub)
    assert chooser(dock).currentData() == "clusters"
    legend = dock.scatter._plot.overlay.legend.rows
    labels = dock._points.labels(hub.session)
    assert [row.points for row in legend] == np.bincount(labels)[1:].tolist()
    dock.scatter.legend_clicked.emit(1, "replace")
    settle(hub)
    assert len(hub.session.selection.found) == (labels == 2).sum()
    dock.scatter.legend_clicked.emit(0, "add")
    assert dock.scatter.selection.sum() == (labels <= 2).sum()
    hub.session.questions.ask(900, 800)
    settle(hub)
    lay_out(hub)
    settle(hub)
    assert chooser(dock).currentData() == "similarity"
    assert dock.scatter._plot.overlay.bar.label == "Similarity, cosine"
    assert not dock.scatter._plot.overlay.legend.rows


def test_colours_are_those_of_the_column(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle
) -> None:
    hub.session.annotations.set(
        Regions([Region(shapely.box(0, 0, 1300, 2000), "Left", colour=(200, 30, 40))])
    )
    box = chooser(dock)
    box.setCurrentIndex(box.findData("region"))
    box.activated.emit(box.currentIndex())
    settle(hub)
    cloud, left = dock.scatter._plot.cloud, hub.session.embeddings().centres[:, 0] < 1300
    colours = np.array([cloud.colour_of(i) for i in range(cloud.n)])
    assert (colours[left] == 0xFFC81E28).all()
    assert (colours[~left] == 0xFF808080).all()
    rows = [(row.name, row.points) for row in dock.scatter._plot.overlay.legend.rows]
    assert rows == [("Left", left.sum()), ("none", (~left).sum())]
    assert "region" in box.toolTip()
    box.setCurrentIndex(box.findData("x"))
    box.activated.emit(box.currentIndex())
    settle(hub)
    bar = dock.scatter._plot.overlay.bar
    assert (bar.label, bar.low) == ("Position, x, mm", "0")
    first, last = (int(f(hub.session.embeddings().centres[:, 0])) for f in (np.argmin, np.argmax))
    assert cloud.colour_of(first) & 255 > cloud.colour_of(last) & 255  # viridis: blue to yellow


def test_a_class_is_hidden_and_shown_again(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle
) -> None:
    hub.session.show("clusters", k=3)
    settle(hub)
    labels = dock._points.labels(hub.session)
    dock.scatter.legend_toggled.emit(1)
    cloud = dock.scatter._plot.cloud
    assert np.array_equal(cloud.hidden, labels == 2)
    assert [row.hidden for row in dock.scatter._plot.overlay.legend.rows] == [False, True, False]
    table = dock.findChild(QTableWidget)
    states = [table.item(i, SHOWN).checkState() for i in range(3)]
    assert states.count(Qt.CheckState.Unchecked) == 1
    lay_out(hub)  # new points leave hidden what is hidden
    settle(hub)
    assert np.array_equal(dock.scatter._plot.cloud.hidden, labels == 2)
    dock.toolbar.asked.emit("unhide")
    assert not dock.scatter._plot.cloud.hidden.any()
    dock.table.toggled.emit(3)
    assert np.array_equal(dock.scatter._plot.cloud.hidden, labels == 3)


def test_the_cluster_table(
    dock: EmbeddingMap,
    projection: Projection,
    hub: Any,
    settle: Settle,
    qtbot: Any,
    monkeypatch: Any,
) -> None:
    assert "choose the overlay Clusters" in dock.table._said.text()
    hub.session.show("clusters", k=3)
    settle(hub)
    press(dock, "Clusters")
    table = dock.findChild(QTableWidget)
    clusters = hub.session.groups.found
    assert table.rowCount() == 3
    assert table.item(0, TILES).text() == f"{clusters.sizes[0]:,}"
    assert float(table.item(0, AREA).text()) == pytest.approx(clusters.areas_mm2[0], rel=0.01)
    qtbot.waitUntil(lambda: not table.item(2, PICTURE).icon().isNull())
    # a row selects, on the map and on the slide
    table.selectRow(1)
    settle(hub)
    labels = dock._points.labels(hub.session)
    assert np.array_equal(dock.scatter.selection, labels == 2)
    assert len(hub.session.selection.found) == (labels == 2).sum()
    # and a class selected in the map selects its row
    dock.scatter.legend_clicked.emit(2, "replace")
    settle(hub)
    assert dock.table.selected == [3]
    # names and colours
    table.item(0, NAME).setText("  Lymphoid   tissue ")
    settle(hub)
    assert hub.session.groups.found.names[0] == "Lymphoid tissue"
    assert dock.scatter._plot.overlay.legend.rows[0].name == "Lymphoid tissue"
    assert hub.layers.map_layer is not None
    monkeypatch.setattr(QColorDialog, "getColor", lambda colour, *_: colour.fromRgb(1, 2, 3))
    dock.table.choose_colour(0)
    settle(hub)
    assert hub.session.groups.found.colours[0] == (1, 2, 3)
    first = int(np.flatnonzero(labels == 1)[0])
    assert dock.scatter._plot.cloud.colour_of(first) == 0xFF010203
    # an empty name is none
    table.item(0, NAME).setText(" ")
    assert table.item(0, NAME).text() == "Lymphoid tissue"
    # its picture flies there
    row = dock.table.rows[1]
    table.cellDoubleClicked.emit(1, PICTURE)
    assert looked_at(hub) == pytest.approx(row.box.centre, abs=1)


def test_the_contact_sheet_shows_the_selection(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle, qtbot: Any
) -> None:
    press(dock, "Tiles")
    assert dock.sheet.isVisible()
    assert not dock.scatter.isVisible()  # there is room for one of them
    assert "Select points" in dock.sheet._said.text()
    emb = hub.session.embeddings()
    hub.session.selection.choose(emb.tiles[[4, 9]], emb.grid.mpp)
    settle(hub)
    assert [tile.box for tile in dock.sheet.tiles] == [
        emb.grid.box(*(int(v) for v in emb.tiles[i])) for i in (4, 9)
    ]
    dock.sheet.activated.emit(1)
    assert looked_at(hub) == pytest.approx(tuple(emb.centres[9]), abs=1)
    hub.session.colouring.choose("x")
    settle(hub)
    dock.toolbar.selection_asked.emit("all")
    assert f"{len(emb)} selected" in dock.sheet._said.text()
    x = [tile.box.x for tile in dock.sheet.tiles]
    assert x == sorted(x, reverse=True)  # by what they are coloured by
    dock.resize(380, 700)
    qtbot.waitUntil(dock.scatter.isVisible)
    press(dock, "Tiles")
    assert not dock.sheet.isVisible()


@pytest.mark.parametrize("size", [(300, 260), (380, 300), (400, 800), (1000, 420)])
def test_everything_fits(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle, size: tuple[int, int]
) -> None:
    hub.session.show("clusters", k=3)
    settle(hub)
    dock.resize(*size)
    for pane in ("", "tiles", "clusters"):
        dock.toolbar._on_pane(pane)
        settle(hub)
        assert (dock.width(), dock.height()) == size
        for part in (dock.toolbar, dock.panes, *dock.findChildren(QToolButton)):
            if part.isVisible():
                corner = part.mapTo(dock, part.rect().bottomRight())
                assert dock.rect().contains(corner), part


def test_the_picture_is_written_with_its_legend(
    dock: EmbeddingMap, projection: Projection, hub: Any, settle: Settle, tmp_path: Path
) -> None:
    hub.session.show("clusters", k=3)
    settle(hub)
    dock.save_picture(tmp_path / "map.png")
    dock.save_picture(tmp_path / "map.svg")
    image = QImage(str(tmp_path / "map.png"))
    assert image.size() == dock.scatter.size() * 2
    text = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "Cluster 2" in text
    assert "PCA · 1 µm/px" in text
    failed: list[str] = []
    hub.failed.connect(failed.append)
    dock.save_picture(tmp_path / "nowhere" / "map.png")
    assert "cannot be written" in failed[0]


def test_tiles_of_two_scales_in_one_map(dock: EmbeddingMap, hub: Any, settle: Settle) -> None:
    hub.set_wanted_live(False)
    hub.add_slide(coloured_slide(2600, 2000))
    hub.session.choose_scale((1.0, 2.0))
    hub.session.encode_slide()
    settle(hub)
    fine, coarse = lay_out(hub, every=True).sets
    settle(hub)
    assert dock.scatter.title == "PCA · 1 and 2 µm/px · Fake"
    dock.scatter.select_all()
    settle(hub)
    # The slide shows one grid at a time; the map goes on showing what was drawn around.
    shown = hub.session.selection.found
    assert shown.mpp == hub.session.mpp
    assert dock.scatter.selection.all()
    only = np.arange(len(fine) + len(coarse)) == len(fine) + 3
    dock.scatter.choose(only)
    settle(hub)
    assert chosen(hub) == named(coarse.tiles[3:4])
    assert hub.session.selection.found.mpp == 2.0
    assert dock._points.said(len(fine) + 3).endswith("2 µm/px")
    hub.session.selection.choose(fine.tiles[:2], 1.0)
    settle(hub)
    assert np.flatnonzero(dock.scatter.selection).tolist() == [0, 1]
    for key, names in (("scale", ["1 µm/px", "2 µm/px"]), ("slide", ["memory"])):
        hub.session.colouring.choose(key)
        settle(hub)
        rows = dock.scatter._plot.overlay.legend.rows
        assert [row.name for row in rows] == names
    assert sum(row.points for row in rows) == len(fine) + len(coarse)
    dock.scatter.point_activated.emit(len(fine) + 3)
    assert looked_at(hub) == pytest.approx(tuple(coarse.centres[3]), abs=1)


def test_how_points_are_laid_out_is_chosen(dock: EmbeddingMap, hub: Any) -> None:
    dock.toolbar._methods["tsne"].trigger()
    dock.toolbar._together.trigger()
    assert (hub.session.points.method, hub.session.points.together) == ("tsne", True)
