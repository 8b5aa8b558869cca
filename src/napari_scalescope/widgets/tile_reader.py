"""Pictures of tiles, read beside the thread that draws."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import NamedTuple

from ..errors import ScaleScopeError
from ..geometry import Box
from ..slides import Slide
from ..slides.slide import Pixels
from ..worker import NewestOnly


@dataclass(frozen=True)
class Tile:
    """A piece of tissue to look at: a level-0 box of a slide."""

    slide: Slide
    box: Box


class Picture(NamedTuple):
    """What came of a tile: pixels (size, size, 3), or a sentence on why there are none."""

    key: Hashable
    pixels: Pixels | None
    problem: str = ""


class TileReader:
    """Reads tiles in a thread of its own, one list of them at a time.

    It knows no Qt: whoever asked looks into `done` from time to time. That way nothing is ever
    delivered to a widget that is gone.
    """

    def __init__(self) -> None:
        self._worker = NewestOnly("scalescope-tiles")
        self._done: SimpleQueue[tuple[int, Picture]] = SimpleQueue()
        self._list = 0

    def want(self, tiles: Iterable[tuple[Hashable, Tile]], size: int) -> None:
        """Read these, in this order, at ``size`` pixels a side, and nothing that was asked before.

        ``tiles`` are pairs of a key, which comes back with the picture, and a tile.
        """
        self._list += 1
        self._worker.submit("read", partial(self._read, self._list, list(tiles), size))

    def done(self) -> list[Picture]:
        """What was read since the last call, of the newest list."""
        found: list[Picture] = []
        while True:
            try:
                number, picture = self._done.get_nowait()
            except Empty:
                return found
            if number == self._list:
                found.append(picture)

    @property
    def idle(self) -> bool:
        """Whether everything is read; what was may still wait in `done`."""
        return self._worker.idle

    def close(self) -> None:
        """Stop after the tile that is being read."""
        self._list += 1
        self._worker.close()

    def _read(self, number: int, tiles: list[tuple[Hashable, Tile]], size: int) -> None:
        for key, tile in tiles:
            if number != self._list:
                return  # others are wanted now
            try:
                picture = Picture(key, tile.slide.read(tile.box, size=(size, size)))
            except ScaleScopeError as error:
                picture = Picture(key, None, str(error))
            self._done.put((number, picture))
