"""Decoded pieces of a slide, kept while they are likely to be needed again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

#: Default budget of one slide's decoded pieces. One row of tiles across a scanner's widest
#: strips (8 × 200,000 px) fits.
DEFAULT_BYTES = 256 << 20


class ChunkCache:
    """Decoded chunks by key, the least recently used given up first.

    Two threads that want the same chunk decode it once: the second waits for the first. This is
    what makes tiles of any size and stride cost one decode per stored chunk and pass, without
    the reader of tiles knowing how the file is stored.

    Parameters
    ----------
    max_bytes : int
        Most bytes to hold. One chunk larger than this is handed out but not kept.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Pixels] = OrderedDict()
        self._bytes = 0
        self._decoding: dict[Hashable, Future[Pixels]] = {}
        self._finish: Callable[[Pixels], Pixels] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def get(self, key: Hashable, decode: Callable[[], Pixels]) -> Pixels:
        """The chunk of that key, decoded now if nobody has it.

        An error of ``decode`` reaches every thread that waited for it and is not remembered.
        """
        with self._lock:
            chunk = self._kept.get(key)
            if chunk is not None:
                self._kept.move_to_end(key)
                return chunk
            running = self._decoding.get(key)
            if running is None:
                mine: Future[Pixels] = Future()
                self._decoding[key] = mine
        if running is not None:
            return running.result()
        try:
            chunk = decode()
            if self._finish is not None:
                chunk = self._finish(chunk)
        except BaseException as error:
            with self._lock:
                del self._decoding[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._decoding[key]
            self._keep(key, chunk)
        mine.set_result(chunk)
        return chunk

    def _keep(self, key: Hashable, chunk: Pixels) -> None:
        if chunk.nbytes > self.max_bytes:
            return
        self._kept[key] = chunk
        self._bytes += chunk.nbytes
        while self._bytes > self.max_bytes:
            _, old = self._kept.popitem(last=False)
            self._bytes -= old.nbytes

    def finish_with(self, transform: Callable[[Pixels], Pixels]) -> None:
        """Have every chunk pass through a function once, when it has been decoded."""
        self.clear()
        self._finish = transform

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def as_rgb(samples: Pixels) -> Pixels:
    """Pixels (h, w, 3) of (h, w, n): red, green, blue and more; or grey, alone or with alpha."""
    if samples.shape[-1] < 3:
        samples = np.repeat(samples[..., :1], 3, axis=-1)
    return np.ascontiguousarray(samples[..., :3])


def assemble(
    x: int,
    y: int,
    w: int,
    h: int,
    chunk: tuple[int, int],
    fetch: Callable[[int, int], Pixels],
) -> Pixels:
    """A window (h, w, 3) of a level stored as a regular grid of chunks.

    Parameters
    ----------
    x, y, w, h : int
        The window in level pixels; it lies inside the level.
    chunk : (int, int)
        Width and height of a chunk.
    fetch : callable
        ``fetch(row, col) -> (ch, cw, 3) uint8``; chunks at the far edges may be cut or whole.
    """
    cw, ch = chunk
    out = np.empty((h, w, 3), np.uint8)
    for row in range(y // ch, -(-(y + h) // ch)):
        for col in range(x // cw, -(-(x + w) // cw)):
            piece = fetch(row, col)
            x0, y0 = max(x, col * cw), max(y, row * ch)
            x1, y1 = min(x + w, (col + 1) * cw), min(y + h, (row + 1) * ch)
            out[y0 - y : y1 - y, x0 - x : x1 - x] = piece[
                y0 - row * ch : y1 - row * ch, x0 - col * cw : x1 - col * cw
            ]
    return out
