"""The feed of an encoder: batches of tiles at exactly the wanted resolution."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
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
    are still decoded, however wide the slide is.
    """
    tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
    row, col = tiles[:, 0], tiles[:, 1]
    return tiles[np.lexsort((col, row, col // block, row // block))]


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
    threads = threads or min(8, os.cpu_count() or 1)

    def read(row: int, col: int) -> Pixels | SlideError:
        try:
            return slide.read(grid.box(row, col), size=(grid.tile_px, grid.tile_px))
        except UnreachableError:
            raise
        except SlideError as error:
            if errors == "raise":
                raise
            return error

    ahead: deque[tuple[IntArray, list[Future[Pixels | SlideError]]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="scalescope-tiles") as pool:

        def submit(n: int) -> None:
            for part in islice(source, n):
                ahead.append((part, [pool.submit(read, int(r), int(c)) for r, c in part]))

        source = iter(batches)
        try:
            submit(2)
            while ahead:
                part, futures = ahead.popleft()
                submit(1)
                yield _collect(part, [f.result() for f in futures], grid.tile_px)
        finally:
            for _, futures in ahead:
                for future in futures:
                    future.cancel()


def _collect(tiles: IntArray, results: list[Pixels | SlideError], px: int) -> TileBatch:
    failed = tuple(
        (int(r), int(c), result)
        for (r, c), result in zip(tiles, results, strict=True)
        if isinstance(result, SlideError)
    )
    good = [r for r in results if not isinstance(r, SlideError)]
    kept = np.array([not isinstance(r, SlideError) for r in results], bool)
    pixels = np.stack(good) if good else np.empty((0, px, px, 3), np.uint8)
    return TileBatch(pixels, tiles[kept], failed)
