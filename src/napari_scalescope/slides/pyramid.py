"""Levels for napari that never make it wait.

napari reads the window it shows on the thread that draws. Each level here answers such a read at
once from decoded tiles, fills what is missing from the nearest coarser tile at hand, and leaves
the rest to a pool of its own; it counts the tiles that arrive, and whoever shows it looks at the
count and has the viewer read again, sharper. The pyramid knows nothing of Qt and calls nobody.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import SlideError
from ..geometry import Box
from .slide import Pixels, Slide

#: Side of a tile of the pyramid in pixels. Also what napari rounds its windows out to.
CHUNK = 512
#: The coarsest level is at most this long: napari reads it whole.
OVERVIEW_PX = 1000
#: Levels made from a stored one by averaging up to this many pixels by this many. Beyond it a
#: tile is put together from four tiles of the next finer level.
MAX_REDUCTION = 4

#: How much nicer than the thread that draws those that read are.
BEHIND = 10

Key = tuple[int, int, int]


class Pyramid:
    """The ×2 levels of a slide as arrays that never block.

    Stored levels stand in where they are; the ones between (SVS files step by 4) and beyond are
    made on the fly. Every level is padded to whole pixels of the coarsest one, so that the ratio
    of two levels' shapes, from which napari computes where a pixel lies, is exactly a power of 2
    and nothing drifts.

    Parameters
    ----------
    slide : Slide
    max_bytes : int
        Budget of the tile cache.
    threads : int
        Reading threads. More than there are cores, because slow storage is waited for.

    Attributes
    ----------
    levels : list of PyramidLevel
        Finest first; give them to napari as a multiscale image.
    arrived : int
        How many tiles have arrived so far.
    problems : list of str
        What could not be read. Such places show as a grey hatch, never as tissue or glass.
    """

    def __init__(
        self,
        slide: Slide,
        *,
        max_bytes: int = 512 << 20,
        threads: int = 8,
    ) -> None:
        self.slide = slide
        self.arrived = 0
        self.problems: list[str] = []
        depth = 0
        while max(slide.dimensions) / 2**depth > OVERVIEW_PX:
            depth += 1
        self.levels = [PyramidLevel(self, k, depth) for k in range(depth + 1)]
        self._max_bytes = max_bytes
        self._tiles: OrderedDict[Key, Pixels] = OrderedDict()
        self._bytes = 0
        # The overview lives: napari keeps the array it was given for the coarsest level, so that
        # array itself is filled in when its pixels arrive.
        self.overview = np.full(self.levels[-1].shape, slide.background, np.uint8)
        self._overview_missing = set(self.levels[-1].keys())
        self._wanted: list[Key] = []
        self._running: set[Key] = set()
        self._closed = False
        self._wake = threading.Condition()
        self._threads = [
            threading.Thread(target=self._work, name=f"scalescope-pyramid-{i}", daemon=True)
            for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    # --- what the viewer asks ---

    @property
    def idle(self) -> bool:
        """Whether everything asked for last has arrived."""
        with self._wake:
            return not (self._wanted or self._running or self._overview_missing)

    def wait(self, timeout: float) -> bool:
        """Wait until everything asked for has arrived; False when the time was up first."""
        with self._wake:
            return self._wake.wait_for(
                lambda: (
                    self._closed or not (self._wanted or self._running or self._overview_missing)
                ),
                timeout,
            )

    def window(self, level: int, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Pixels of a window as well as they are known now; what is missing is fetched."""
        out = np.empty((y1 - y0, x1 - x0, 3), np.uint8)
        missing: list[Key] = []
        for row in range(y0 // CHUNK, -(-y1 // CHUNK)):
            for col in range(x0 // CHUNK, -(-x1 // CHUNK)):
                ya, xa = max(y0, row * CHUNK), max(x0, col * CHUNK)
                yb, xb = min(y1, (row + 1) * CHUNK), min(x1, (col + 1) * CHUNK)
                into = out[ya - y0 : yb - y0, xa - x0 : xb - x0]
                tile = self._cached((level, row, col))
                if tile is None:
                    missing.append((level, row, col))
                    self._blur(level, ya, yb, xa, xb, into)
                else:
                    y, x = row * CHUNK, col * CHUNK
                    into[:] = tile[ya - y : yb - y, xa - x : xb - x]
        cy, cx = (y0 + y1) / 2 / CHUNK - 0.5, (x0 + x1) / 2 / CHUNK - 0.5
        missing.sort(key=lambda k: (k[1] - cy) ** 2 + (k[2] - cx) ** 2)
        with self._wake:
            # Whatever an earlier view still waited for is of no use to this one.
            self._wanted = [k for k in missing if k not in self._running]
            self._wake.notify_all()
        return out

    def close(self) -> None:
        """Stop the threads and forget the tiles. Reading afterwards gives blurred pixels."""
        with self._wake:
            self._closed = True
            self._wanted.clear()
            self._wake.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=5)
        self._tiles.clear()
        self._bytes = 0

    # --- tiles at hand ---

    def _cached(self, key: Key) -> Pixels | None:
        with self._wake:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def _blur(self, level: int, y0: int, y1: int, x0: int, x1: int, into: Pixels) -> None:
        """Fill a part of one tile from the nearest coarser tile at hand, repeating its pixels."""
        top = len(self.levels) - 1
        for coarser in range(level + 1, top + 1):
            up = coarser - level
            if CHUNK >> up == 0:
                break
            source, y, x = self.overview, 0, 0
            if coarser != top:
                row, col = y0 // CHUNK >> up, x0 // CHUNK >> up
                tile = self._cached((coarser, row, col))
                if tile is None:
                    continue
                source, y, x = tile, row * CHUNK, col * CHUNK
            part = source[
                (y0 >> up) - y : -(-y1 >> up) - y,
                (x0 >> up) - x : -(-x1 >> up) - x,
            ]
            _repeat(part, 1 << up, y0 % (1 << up), x0 % (1 << up), into)
            return
        into[:] = self.slide.background

    # --- fetching ---

    def _next(self) -> Key | None:
        """The tile to fetch now: the overview first, then nearest to the centre of the view."""
        for key in sorted(self._overview_missing - self._running):
            return key
        while self._wanted:
            key = self._wanted.pop(0)
            if key not in self._running and key not in self._tiles:
                return key
        return None

    def _take(self) -> Key | None:
        """Wait for a tile to fetch; None when the pyramid is closed."""
        with self._wake:
            while not self._closed:
                key = self._next()
                if key is not None:
                    self._running.add(key)
                    return key
                self._wake.wait()
            return None

    def _work(self) -> None:
        if sys.platform == "linux":
            # There it is a thread that has a priority. Reading gives way to drawing.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)
        while True:
            key = self._take()
            if key is None:
                return
            tile = self._read(key)
            with self._wake:
                self._running.discard(key)
                if not self._closed:
                    self._keep(key, tile)
                    self.arrived += 1
                self._wake.notify_all()

    def _keep(self, key: Key, tile: Pixels) -> None:
        level, row, col = key
        if level == len(self.levels) - 1:
            y, x = row * CHUNK, col * CHUNK
            self.overview[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
            self._overview_missing.discard(key)
            return
        self._tiles[key] = tile
        self._bytes += tile.nbytes
        while self._bytes > self._max_bytes:
            _, old = self._tiles.popitem(last=False)
            self._bytes -= old.nbytes

    def _read(self, key: Key) -> Pixels:
        """Read or make one tile. Runs in a reading thread."""
        level, row, col = key
        h, w = self.levels[level].shape[:2]
        w, h = min(CHUNK, w - col * CHUNK), min(CHUNK, h - row * CHUNK)
        scale = float(1 << level)
        source = self.slide.level_for(scale)
        reduction = scale / self.slide.levels[source].downsample
        if reduction > MAX_REDUCTION * 1.001:
            return self._from_finer(key, w, h)
        try:
            if reduction.is_integer():
                return self._reduced(source, key, w, h, int(reduction))
            box = Box(col * CHUNK * scale, row * CHUNK * scale, w * scale, h * scale)
            return self.slide.read(box, size=(w, h))
        except Exception as error:  # noqa: BLE001 a thread that dies leaves its tiles blurred for ever
            said = isinstance(error, SlideError)
            text = str(error) if said else f"{self.slide.name} cannot be read here ({error!r})."
            if text not in self.problems:
                self.problems.append(text)
            return _hatch(w, h)

    def _reduced(self, source: int, key: Key, w: int, h: int, by: int) -> Pixels:
        """A tile from a stored level whose pixels are a whole number of times smaller."""
        x, y = key[2] * CHUNK, key[1] * CHUNK
        already = self.slide.reduction_for(source, by * self.slide.levels[source].downsample)
        rest = by // already
        pixels = self.slide.read_level(source, x * rest, y * rest, w * rest, h * rest, already)
        return _shrunk(pixels, rest)

    def _from_finer(self, key: Key, w: int, h: int) -> Pixels:
        """A tile from the four tiles of the next finer level that make it up."""
        level, row, col = key
        out = np.full((h * 2, w * 2, 3), self.slide.background, np.uint8)
        for r in (0, 1):
            for c in (0, 1):
                finer = (level - 1, row * 2 + r, col * 2 + c)
                if finer not in self.levels[level - 1]:
                    continue
                tile = self._cached(finer)
                if tile is None:
                    tile = self._read(finer)
                    with self._wake:
                        if finer not in self._tiles:
                            self._keep(finer, tile)
                y, x = r * CHUNK, c * CHUNK
                out[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        return _shrunk(out, 2)


class PyramidLevel:
    """One level as the array-like napari expects of a layer's data.

    Indexing gives a `_Window` that reads only when it is turned into an array, because napari
    indexes twice. A copy is the level itself: when the user duplicates a layer, napari copies its
    data, and both layers then show one pyramid.

    Attributes
    ----------
    pyramid : Pyramid
        What it is a level of.
    shape : (int, int, int)
        Height, width, 3.
    chunks : (int, int, int)
        What napari rounds its windows out to.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, pyramid: Pyramid, level: int, depth: int) -> None:
        self.pyramid, self._level, self._is_overview = pyramid, level, level == depth
        w, h = (-(-n // (1 << depth)) << (depth - level) for n in pyramid.slide.dimensions)
        self.shape = (h, w, 3)
        self.chunks = (CHUNK, CHUNK, 3)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def __deepcopy__(self, memo: dict[int, Any]) -> PyramidLevel:
        return self

    def keys(self) -> list[Key]:
        """Every tile of the level."""
        rows, cols = (-(-n // CHUNK) for n in self.shape[:2])
        return [(self._level, r, c) for r in range(rows) for c in range(cols)]

    def __contains__(self, key: Key) -> bool:
        return key[1] * CHUNK < self.shape[0] and key[2] * CHUNK < self.shape[1]

    def __getitem__(self, key: Any) -> Any:
        key = key if isinstance(key, tuple) else (key,)
        if any(k is Ellipsis for k in key):
            i = key.index(Ellipsis)
            key = key[:i] + (slice(None),) * (4 - len(key)) + key[i + 1 :]
        key += (slice(None),) * (3 - len(key))
        return _Window(self, key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if self._is_overview:
            return self.pyramid.overview
        return np.asarray(self[:, :], dtype)

    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Pixels of a window, at once."""
        if self._is_overview:
            return self.pyramid.overview[y0:y1, x0:x1]
        return self.pyramid.window(self._level, y0, y1, x0, x1)


class _Window:
    """A part of a level, not read yet."""

    dtype = np.dtype(np.uint8)

    def __init__(self, level: PyramidLevel, key: tuple[Any, ...]) -> None:
        self._level, self._key = level, key
        self._spans = [
            k.indices(n) if isinstance(k, slice) else (int(k), int(k) + 1, 1)
            for k, n in zip(key, level.shape, strict=True)
        ]
        self.shape = tuple(
            len(range(*span))
            for k, span in zip(key, self._spans, strict=True)
            if isinstance(k, slice)
        )
        self.ndim = len(self.shape)

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        out: npt.NDArray[np.uint8] = np.asarray(self)[key]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        (y0, y1, ys), (x0, x1, xs), _ = self._spans
        pixels = self._level.read(y0, max(y0, y1), x0, max(x0, x1))[::ys, ::xs]
        rest = tuple(
            0 if not isinstance(k, slice) and i < 2 else (k if i == 2 else slice(None))
            for i, k in enumerate(self._key)
        )
        out = pixels[rest]
        return out if dtype is None else out.astype(dtype, copy=False)


def _shrunk(pixels: Pixels, by: int) -> Pixels:
    if by == 1:
        return pixels
    from .kernels import shrink

    out: Pixels = shrink(np.ascontiguousarray(pixels), by)
    return out


def _repeat(part: Pixels, by: int, y: int, x: int, into: Pixels) -> None:
    """Each pixel ``by`` × ``by`` times; ``into`` begins ``y`` rows and ``x`` columns in."""
    h, w = into.shape[:2]
    rows = part.repeat(by, axis=1)[:, x : x + w]
    if y == 0 and h % by == 0:
        # Straight into place: a picture beside it would be as large as what is filled.
        into.reshape(h // by, by, w, 3)[:] = rows[:, None]
    else:
        into[:] = rows.repeat(by, axis=0)[y : y + h]


def _hatch(w: int, h: int) -> Pixels:
    """Diagonal grey lines: something should be here and could not be read."""
    y, x = np.ogrid[:h, :w]
    lines = ((x + y) // 8 % 2 * 40 + 180).astype(np.uint8)
    return np.repeat(lines[..., None], 3, axis=-1)
