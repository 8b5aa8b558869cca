"""Pixels at another scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray

#: A weight smaller than this is left out: it is an eighth of a grey value at most.
NEGLIGIBLE = 5e-4


@dataclass(frozen=True)
class Taps:
    """Which pixels of a row or column make up each pixel of the answer, and with what weight.

    They follow from where the answer lies alone, to the last bit: not from the window that was
    read around it, nor from what is computed together with it.

    Parameters
    ----------
    first : (n,) int64
        The pixel the first weight belongs to.
    weights : (n, k) float32
        Each row adds up to 1.
    """

    first: IntArray
    weights: npt.NDArray[np.float32]

    @classmethod
    def of(cls, start: float, length: float, n: int) -> Taps:
        """For ``n`` pixels of a stretch of a row, both ends in pixels, corner-based.

        The kernel is Keys' cubic (a = -0.5), stretched by the reduction factor so that it
        antialiases: what the training pipelines of most encoders resize with.
        """
        scale = length / n
        stretch = max(1.0, scale)
        centre = start + (np.arange(n) + 0.5) * scale
        first = np.floor(centre - 2 * stretch - 0.5).astype(np.int64) + 1
        pixel = first[:, None] + np.arange(math.ceil(4 * stretch))
        t = np.abs((pixel + 0.5 - centre[:, None]) / stretch)
        near, far = (1.5 * t - 2.5) * t * t + 1, ((2.5 - 0.5 * t) * t - 4) * t + 2
        weights = np.where(t < 1, near, np.where(t < 2, far, 0.0))
        weights /= weights.sum(1, keepdims=True)
        matters = np.flatnonzero((np.abs(weights) > NEGLIGIBLE).any(0))
        weights = weights[:, matters[0] : matters[-1] + 1]
        weights /= weights.sum(1, keepdims=True)
        return cls(first + matters[0], weights.astype(np.float32))

    @classmethod
    def joined(cls, parts: Sequence[Taps]) -> Taps:
        """Those of several stretches, one after the other."""
        k = max(p.weights.shape[1] for p in parts)
        return cls(np.concatenate([p.first for p in parts]), np.concatenate(
            [np.pad(p.weights, ((0, 0), (0, k - p.weights.shape[1]))) for p in parts]
        ))  # fmt: skip

    def __getitem__(self, part: slice) -> Taps:
        return Taps(self.first[part], self.weights[part])

    def __len__(self) -> int:
        return len(self.first)

    @property
    def span(self) -> tuple[int, int]:
        """First pixel needed, and the one after the last."""
        return int(self.first.min()), int(self.first.max()) + self.weights.shape[1]

    @property
    def whole(self) -> bool:
        """Whether the answer is the pixels themselves."""
        return self.weights.shape[1] == 1 and bool((np.diff(self.first) == 1).all())

    def within(self, n: int) -> Taps:
        """Without the pixels that are not among 0 to ``n - 1``; the rest weigh more instead."""
        lo, hi = self.span
        if lo >= 0 and hi <= n:
            return self
        pixel = self.first[:, None] + np.arange(self.weights.shape[1])
        weights = np.where((pixel >= 0) & (pixel < n), self.weights, np.float32(0))
        # rows that would begin before 0 are moved up, and their weights with them
        lead = np.maximum(-self.first, 0)
        order = (np.arange(weights.shape[1]) + lead[:, None]) % weights.shape[1]
        weights = np.take_along_axis(weights, order, 1)
        weights /= weights.sum(1, keepdims=True)
        return Taps(self.first + lead, weights)

    def moved(self, by: int) -> Taps:
        """Counted from another pixel."""
        return Taps(self.first + by, self.weights)


def mixed(pixels: npt.NDArray[np.uint8], across: Taps, down: Taps) -> npt.NDArray[np.uint8]:
    """Pixels (len(down), len(across), 3) uint8 mixed from (h, w, 3) uint8."""
    if across.whole and down.whole:
        (x0, x1), (y0, y1) = across.span, down.span
        return np.ascontiguousarray(pixels[y0:y1, x0:x1])
    from .kernels import mix

    out: npt.NDArray[np.uint8] = mix(
        np.ascontiguousarray(pixels), across.first, _fours(across), down.first, _fours(down)
    )
    return out


def _fours(taps: Taps) -> npt.NDArray[np.float32]:
    return np.pad(taps.weights, ((0, 0), (0, -taps.weights.shape[1] % 4)))


def resample(
    pixels: npt.NDArray[np.uint8],
    box: tuple[float, float, float, float],
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """A part of an image at another size, with the kernel of `Taps.of`.

    Parameters
    ----------
    pixels : (h, w, 3) uint8
    box : (x0, y0, x1, y1)
        Corners of the part, floats in pixels of the image, corner-based, inside it.
    size : (int, int)
        Width and height of the answer.

    Returns
    -------
    (size[1], size[0], 3) uint8
    """
    x0, y0, x1, y1 = box
    h, w = pixels.shape[:2]
    across = Taps.of(x0, x1 - x0, size[0]).within(w)
    down = Taps.of(y0, y1 - y0, size[1]).within(h)
    return mixed(pixels, across, down)
