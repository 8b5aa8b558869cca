"""The feed of an encoder: batches of tiles at exactly the wanted resolution."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import SlideError, UnreachableError
from ..geometry import IntArray, TileGrid
from .slide import Pixels, Slide
from .tissue import TissueMask, tissue_mask

#: A tile with a smaller share of tissue than this counts as background.
MIN_TISSUE = 0.05
#: Squares of so many by so many tiles are read together, where they are no longer than so many
#: pixels: it bounds the memory of a thread.
READ_TOGETHER, READ_TOGETHER_PX = 4, 1024


@dataclass(frozen=True)
class TileBatch:
    """Some tiles of a grid.

    Parameters
    ----------
    pixels : (n, tile_px, tile_px, 3) uint8
        RGB; what lies outside the slide is white.
    tiles : (n, 2) int64
        Row and column of each.
    failed : tuple of (int, int, SlideError)
        Row, column and reason of tiles of this batch that could not be read.
    """

    pixels: Pixels
    tiles: IntArray
    failed: tuple[tuple[int, int, SlideError], ...] = ()


def block_order(tiles: npt.ArrayLike, block: int = 16) -> IntArray:
    """The same tiles, in square blocks of ``block`` by ``block`` rather than in long rows.

    Neighbours share stored pieces of the slide. In blocks they are asked for while those pieces
    are still decoded, however wide the slide is; and within them by four by four, which are read
    together.
    """
    tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
    row, col = tiles[:, 0], tiles[:, 1]
    near = READ_TOGETHER
    keys = (col, row, col // near, row // near, col // block, row // block)
    return tiles[np.lexsort(keys)]


def read_tiles(
    slide: Slide,
    grid: TileGrid,
    tiles: npt.ArrayLike | None = None,
    *,
    tissue: bool | TissueMask = False,
    min_tissue: float = MIN_TISSUE,
    batch: int = 32,
    threads: int | None = None,
    errors: Literal["raise", "report"] = "raise",
) -> Iterator[TileBatch]:
    """Read tiles in batches, ahead of their use, in threads.

    Parameters
    ----------
    slide : Slide
    grid : TileGrid
        Which tiles there are and at what resolution.
    tiles : (n, 2) ints, optional
        Which of them to read, as row and column, in this order. Default: all of them, in blocks.
    tissue : bool or TissueMask
        Leave out tiles of which less than ``min_tissue`` is tissue.
    min_tissue : float
        Share of a tile's area, 0 to 1.
    batch : int
        Tiles per batch; the last may be smaller.
    threads : int, optional
        Reading threads, by default one per core, at most 8.
    errors : "raise" or "report"
        What to do with a tile whose part of the file is damaged: raise its `SlideError`, or
        leave it out of the batch and name it in ``failed``. An `UnreachableError` is always
        raised: it says nothing of the tile.

    Yields
    ------
    TileBatch
        In the order asked for.
    """
    wanted = block_order(grid.all_tiles()) if tiles is None else np.asarray(tiles, np.int64)
    wanted = wanted.reshape(-1, 2)
    if tissue is not False:
        mask = tissue_mask(slide) if tissue is True else tissue
        share = mask.share(grid)
        wanted = wanted[share[wanted[:, 0], wanted[:, 1]] >= min_tissue]
    batches = (wanted[i : i + batch] for i in range(0, len(wanted), batch))
    return read_batches(slide, grid, batches, threads=threads, errors=errors)


def read_batches(
    slide: Slide,
    grid: TileGrid,
    batches: Iterable[IntArray],
    *,
    threads: int | None = None,
    errors: Literal["raise", "report"] = "raise",
) -> Iterator[TileBatch]:
    """Read tiles in batches that the caller has cut: see `read_tiles`.

    Two batches are read ahead of the one that is used, so that reading goes on while an encoder
    works; more are never held. Closing the iterator drops what was not read yet.
    """
    return read_mixed(slide, ((grid, tiles) for tiles in batches), threads=threads, errors=errors)


def read_mixed(
    slide: Slide,
    batches: Iterable[tuple[TileGrid, IntArray]],
    *,
    threads: int | None = None,
    errors: Literal["raise", "report"] = "raise",
) -> Generator[TileBatch, None, None]:
    """Read batches of several grids over one slide: see `read_batches`."""
    threads = threads or min(8, os.cpu_count() or 1)
    ahead: deque[tuple[_Reading, list[Future[None]]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="scalescope-tiles") as pool:

        def submit(n: int) -> None:
            for grid, part in islice(source, n):
                reading = _Reading(slide, grid, part, errors)
                jobs = rectangles(part, _side(len(part), threads, grid.tile_px))
                ahead.append((reading, [pool.submit(reading.read, job) for job in jobs]))

        source = iter(batches)
        try:
            submit(2)
            while ahead:
                reading, futures = ahead.popleft()
                submit(1)
                for future in futures:
                    future.result()
                yield reading.batch()
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()


def rectangles(tiles: IntArray, side: int) -> list[IntArray]:
    """Tiles that can be read together.

    Parameters
    ----------
    tiles : (n, 2) int64
        Rows and columns.
    side : int
        Each rectangle lies in one square of so many tiles, counted from the first of the grid.

    Returns
    -------
    list of (rows, columns) int64
        Positions in ``tiles``, each once: full rectangles, as they lie in the grid.
    """
    row, col = tiles[:, 0], tiles[:, 1]
    order = np.lexsort((col, row, col // side, row // side))
    runs: list[list[int]] = []  # neighbours in one row of one square
    for k in order.tolist():
        before = runs[-1][-1] if runs else None
        if before is not None and (
            row[k] == row[before] and col[k] == col[before] + 1 and col[k] % side
        ):
            runs[-1].append(k)
        else:
            runs.append([k])
    found: list[list[list[int]]] = []
    for run in runs:
        above = found[-1][-1] if found else None
        if above is not None and (
            len(above) == len(run)
            and col[above[0]] == col[run[0]]
            and row[above[0]] + 1 == row[run[0]]
            and row[run[0]] % side
        ):
            found[-1].append(run)
        else:
            found.append([run])
    return [np.array(rows, np.int64) for rows in found]


def _side(n: int, threads: int, tile_px: int) -> int:
    """How many tiles high and wide to read at once: enough pieces for every thread to have one."""
    side = READ_TOGETHER
    while side > 1 and (2 * n < threads * side**2 or side * tile_px > READ_TOGETHER_PX):
        side //= 2
    return side


class _Reading:
    """A batch that is being read."""

    def __init__(
        self, slide: Slide, grid: TileGrid, tiles: IntArray, errors: Literal["raise", "report"]
    ) -> None:
        self._slide, self._grid, self._tiles, self._errors = slide, grid, tiles, errors
        self._pixels = np.empty((len(tiles), grid.tile_px, grid.tile_px, 3), np.uint8)
        self._failed: dict[int, SlideError] = {}

    def read(self, which: IntArray) -> None:
        """A rectangle of them, by their positions (rows, columns) in the batch."""
        row, col = self._tiles[which[:, 0], 0], self._tiles[which[0], 1]
        xs, ys = col * self._grid.pitch, row * self._grid.pitch
        try:
            self._pixels[which] = self._slide.read_lattice(
                xs.tolist(), ys.tolist(), self._grid.footprint, self._grid.tile_px
            )
        except UnreachableError:
            raise
        except SlideError as error:
            if which.size > 1:  # not all of them need be damaged
                for k in which.ravel():
                    self.read(np.array([[k]]))
            elif self._errors == "raise":
                raise
            else:
                self._failed[int(which[0, 0])] = error

    def batch(self) -> TileBatch:
        """What was read."""
        failed = sorted(self._failed)
        if not failed:
            return TileBatch(self._pixels, self._tiles)
        return TileBatch(
            np.delete(self._pixels, failed, axis=0),
            np.delete(self._tiles, failed, axis=0),
            tuple(
                (int(self._tiles[k, 0]), int(self._tiles[k, 1]), self._failed[k]) for k in failed
            ),
        )
