"""Slides that exist only in memory, for tests that need no file."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_scalescope.errors import SlideError
from napari_scalescope.slides.resolution import Resolution
from napari_scalescope.slides.slide import Slide


class ArrayReader:
    """Levels given as arrays. Counts reads, may be slow, and may fail somewhere."""

    format = "memory"
    associated: tuple[str, ...] = ()
    properties: Mapping[str, Any] = {}

    def __init__(
        self,
        levels: list[np.ndarray],
        delay_s: float = 0.0,
        broken: tuple[int, int, int, int] | None = None,
    ) -> None:
        self.levels = levels
        self.sizes = tuple(level.shape[1::-1] for level in levels)
        self.chunks = tuple((256, 256) for _ in levels)
        self.doubts: list[str] = []
        self.delay_s = delay_s
        self.broken = broken
        self.reads: list[tuple[int, int, int, int, int]] = []
        self._lock = threading.Lock()

    def read(self, level: int, x: int, y: int, w: int, h: int) -> np.ndarray:
        with self._lock:
            self.reads.append((level, x, y, w, h))
        if self.delay_s:
            time.sleep(self.delay_s)
        if self.broken is not None and level == 0:
            bx, by, bw, bh = self.broken
            if x < bx + bw and bx < x + w and y < by + bh and by < y + h:
                raise SlideError("memory is damaged.", "Make it again.")
        return self.levels[level][y : y + h, x : x + w].copy()

    def close(self) -> None:
        pass


def memory_slide(
    levels: list[np.ndarray] | np.ndarray,
    mpp: float | None = 0.5,
    *,
    name: str = "memory",
    **options: Any,
) -> Slide:
    levels = [levels] if isinstance(levels, np.ndarray) else levels
    reader = ArrayReader(levels, **options)
    import hashlib

    digest = hashlib.sha256(levels[0].tobytes()).hexdigest()
    return Slide(name, None, reader, Resolution(mpp, "memory"), digest)


def coloured_slide(w: int = 1000, h: int = 700, mpp: float = 0.5) -> Slide:
    """Tissue-like purple on glass, left half stroma-pink, right half nuclei-blue."""
    rng = np.random.default_rng(1)
    pixels = np.full((h, w, 3), 242, np.float32)
    pixels[h // 8 : -h // 8, w // 8 : w // 2] = (225, 150, 190)
    pixels[h // 8 : -h // 8, w // 2 : -w // 8] = (120, 80, 150)
    inside = pixels[..., 1] < 200
    pixels[inside] += rng.normal(0, 18, (int(inside.sum()), 1))
    return memory_slide(np.clip(pixels, 0, 255).astype(np.uint8), mpp)
