"""Tiles side by side."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QListView

from napari_scalescope.errors import SlideError
from napari_scalescope.geometry import Box
from napari_scalescope.widgets.contact_sheet import KEPT, ContactSheet
from napari_scalescope.widgets.tile_reader import Tile, TileReader

from ..slides.memory import memory_slide

#: A slide of 10 x 10 squares, each of one colour: 20 times its row, 20 times its column, 7.
SIDE = 50


def chequered(**options: Any) -> Any:
    rows, cols = np.indices((10 * SIDE, 10 * SIDE)) // SIDE
    pixels = np.stack([20 * rows, 20 * cols, np.full_like(rows, 7)], -1).astype(np.uint8)
    return memory_slide(pixels, **options)


def square(row: int, col: int) -> Box:
    return Box(col * SIDE + 5, row * SIDE + 5, SIDE - 10, SIDE - 10)


SQUARES = [square(i // 10, i % 10) for i in range(100)]


@pytest.fixture
def sheet(qtbot: Any) -> ContactSheet:
    made = ContactSheet()
    qtbot.addWidget(made)
    made.resize(380, 300)
    made.show()
    return made


def pictures(sheet: ContactSheet) -> dict[int, tuple[int, int, int]]:
    model = sheet._model
    shown = {i: model.index(i).data(Qt.ItemDataRole.UserRole) for i in range(model.rowCount())}
    return {
        i: image.pixelColor(40, 40).getRgb()[:3]
        for i, image in shown.items()
        if isinstance(image, QImage)
    }


def test_tiles_in_sight_appear_and_others_when_scrolled_to(sheet: Any, qtbot: Any) -> None:
    sheet.show_tiles(chequered(), SQUARES, [f"{i}" for i in range(100)])
    qtbot.waitUntil(lambda: sheet.settled)
    there = pictures(sheet)
    assert there[0] == (0, 0, 7)
    assert there[11] == (20, 20, 7)
    assert 99 not in there
    view = sheet.findChild(QListView)
    view.scrollToBottom()
    qtbot.waitUntil(lambda: sheet.settled and 99 in pictures(sheet))
    assert pictures(sheet)[99] == (180, 180, 7)


def test_as_many_beside_each_other_as_there_is_room_for(sheet: Any, qtbot: Any) -> None:
    sheet.show_tiles(chequered(), SQUARES)
    view, model = sheet.findChild(QListView), sheet._model

    def columns() -> int:
        tops = [view.visualRect(model.index(i)).top() for i in range(20)]
        return tops.count(tops[0])

    qtbot.waitUntil(lambda: columns() == 4)
    sheet.resize(700, 300)
    qtbot.waitUntil(lambda: columns() == 7)
    assert view.in_sight() == (0, 27)
    right = max(view.visualRect(model.index(i)).right() for i in range(20))
    assert right <= view.viewport().width()


def test_a_click_and_return_say_which(sheet: Any, qtbot: Any) -> None:
    sheet.show_tiles(chequered(), SQUARES)
    view, model = sheet.findChild(QListView), sheet._model
    heard: list[int] = []
    sheet.activated.connect(heard.append)
    at = view.visualRect(model.index(2)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.keyClick(view, Qt.Key.Key_Right)
    qtbot.keyClick(view, Qt.Key.Key_Return)
    assert heard == [2, 3]


def test_others_overtake_what_is_still_read(sheet: Any, qtbot: Any) -> None:
    slow, quick = chequered(), chequered()
    going_on, started, reads = threading.Event(), threading.Event(), []
    read = slow.read

    def held(box: Box, **size: Any) -> np.ndarray:
        started.set()
        going_on.wait(5)
        reads.append(box)
        return read(box, **size)

    slow.read = held
    sheet.show_tiles(slow, SQUARES)
    assert started.wait(5)
    sheet.show_tiles(quick, [square(4, 5)])
    going_on.set()
    qtbot.waitUntil(lambda: sheet.settled)
    assert pictures(sheet) == {0: (80, 100, 7)}
    assert len(reads) == 1


def test_what_cannot_be_read_is_crossed_out_and_says_why(sheet: Any, qtbot: Any) -> None:
    slide = chequered()
    read = slide.read

    def broken(box: Box, **size: Any) -> np.ndarray:
        if box == square(0, 1):
            raise SlideError("memory is damaged.", "Make it again.")
        return read(box, **size)

    slide.read = broken
    sheet.show_tiles(slide, SQUARES[:3], ["a", "b", "c"])
    qtbot.waitUntil(lambda: sheet.settled)
    assert set(pictures(sheet)) == {0, 2}
    said = sheet._model.index(1).data(Qt.ItemDataRole.ToolTipRole)
    assert said == "memory is damaged. Make it again."
    assert sheet._model.index(0).data(Qt.ItemDataRole.ToolTipRole) == "a"


def test_the_sheet_is_written_as_it_is(sheet: Any, qtbot: Any, tmp_path: Path) -> None:
    sheet.show_tiles(chequered(), SQUARES[:11], [f"tile {i}" for i in range(11)])
    with qtbot.waitSignal(sheet.saved) as heard:
        sheet.save(tmp_path / "tiles.png")
    assert heard.args == [tmp_path / "tiles.png"]
    image = QImage(str(tmp_path / "tiles.png"))
    cell = image.width() / 4
    line = image.height() / 3
    for i in range(11):
        x, y = (i % 4 + 0.5) * cell, (i // 4 + 0.4) * line
        assert image.pixelColor(round(x), round(y)).getRgb()[:3] == (
            20 * (i // 10),
            20 * (i % 10),
            7,
        )
    under = image.copy(0, round(0.9 * line), round(cell), round(0.1 * line))
    dark = [under.pixelColor(x, y).lightness() < 90 for x in range(under.width()) for y in (8, 12)]
    assert any(dark)  # the line


def test_a_folder_that_is_not_there_is_said(sheet: Any, qtbot: Any, tmp_path: Path) -> None:
    sheet.show_tiles(chequered(), SQUARES[:2])
    with qtbot.waitSignal(sheet.failed) as heard:
        sheet.save(tmp_path / "nowhere" / "tiles.png")
    assert "cannot be written" in heard.args[0]


def test_nothing_to_show_and_lists_that_do_not_fit(sheet: Any) -> None:
    sheet.show_tiles(chequered(), SQUARES)
    sheet.clear("Nothing selected")
    assert sheet.tiles == []
    assert sheet._said.text() == "Nothing selected"
    with pytest.raises(ValueError, match="2 tiles cannot have 1 captions"):
        sheet.show_tiles(chequered(), SQUARES[:2], ["one"])


def test_pictures_far_away_are_let_go(sheet: Any) -> None:
    tile = Tile(chequered(), SQUARES[0])
    model = sheet._model
    model.show([tile] * 5000, [""] * 5000)
    model.keep_near(0, 10, 8)
    model._pictures = dict.fromkeys(range(KEPT + 100), QImage())
    model.keep_near(1200, 1210, 8)
    assert not model.lacks(1205)
    assert model.lacks(0)


def test_a_reader_reads_in_order_and_is_deaf_after_closing() -> None:
    slide, reader = chequered(), TileReader()
    reader.want([(i, Tile(slide, SQUARES[i])) for i in (3, 1, 2)], 8)
    assert reader._worker.wait(10)
    found = reader.done()
    assert [picture.key for picture in found] == [3, 1, 2]
    assert found[0].pixels.shape == (8, 8, 3)
    assert reader.done() == []
    reader.close()
    reader.want([(0, Tile(slide, SQUARES[0]))], 8)
    assert reader.done() == []
