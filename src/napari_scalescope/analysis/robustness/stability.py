"""How far vectors move."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...encoders import Encoder
from ...geometry import Box, IntArray, TileGrid
from ...slides import Slide
from ...slides.slide import Pixels
from ..tile_map import TileMap
from ..tile_map import spread as limits_of
from .changes import PERTURBATIONS, Version

Floats = npt.NDArray[np.float64]


def drift(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """1 − cosine of each row of one set with the same row of the other: (n,)."""
    return np.asarray(1 - (_ones(a) * _ones(b)).sum(-1), np.float64)


def spread(vectors: npt.ArrayLike) -> float:
    """Mean 1 − cosine of different rows of a set (n, D), n at least 2."""
    ones = _ones(vectors)
    n = len(ones)
    total = (ones.sum(0) ** 2).sum() - (ones**2).sum()
    return float(1 - total / (n * (n - 1)))


def _ones(vectors: npt.ArrayLike) -> Floats:
    v = np.asarray(vectors, np.float64)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.asarray(v / np.where(length > 0, length, 1), np.float64)


@dataclass(frozen=True, eq=False)
class Stability:
    """How far an encoder's vectors of some tiles move under each perturbation.

    Parameters
    ----------
    grid : TileGrid
    tiles : (n, 2) int
    drift : dict of (n,) float64
        By the perturbation's key: 1 − cosine between the tile and the tile changed, mean over the
        versions of the change.
    spread : float
        Mean 1 − cosine between different ones of the tiles. Encoders fill their spaces more or
        less narrowly, and only drift in units of it can be compared between them.
    """

    grid: TileGrid
    tiles: IntArray
    drift: Mapping[str, Floats]
    spread: float

    def relative(self, key: str) -> float:
        """Mean drift in units of `spread`: 0 unmoved, 1 as far as another tile is."""
        return float(self.drift[key].mean() / self.spread) if self.spread > 0 else float("nan")

    def map(self, key: str) -> TileMap:
        """Where on the slide vectors move under a perturbation."""
        values = np.full(self.grid.shape, np.nan, np.float32)
        values[self.tiles[:, 0], self.tiles[:, 1]] = self.drift[key] / max(self.spread, 1e-12)
        of = PERTURBATIONS[key]
        return TileMap(
            f"Drift: {of.name}",
            values,
            self.grid.placement,
            "score",
            unit="of the distance between tiles",
            limits=limits_of(values),
            colormap="magma",
            legend=f"How far vectors move: {of.meaning} 0 is not at all, 1 as far as another "
            "tile is. Colours span the 1st to 99th percentile.",
            mpp=self.grid.mpp,
        )


def stability(
    slide: Slide,
    encoder: Encoder,
    grid: TileGrid,
    tiles: npt.ArrayLike,
    keys: Collection[str] = tuple(PERTURBATIONS),
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Stability:
    """Encode tiles as they are and under every perturbation, and compare.

    Parameters
    ----------
    slide : Slide
    encoder : Encoder
    grid : TileGrid
        Of the encoder's tile size.
    tiles : (n, 2) ints
        Which of them, n at least 2. A few hundred give the mean to some percent.
    keys : collection of str
        Of `PERTURBATIONS`.
    report : callable
        Given the number of finished tiles and of all.

    Raises
    ------
    ValueError
        If there are fewer than 2 tiles.
    KeyError
        If there is no such perturbation.
    """
    chosen = np.asarray(tiles, np.int64).reshape(-1, 2)
    if len(chosen) < 2:
        raise ValueError("at least 2 tiles are needed")
    wanted = {key: PERTURBATIONS[key].versions for key in keys}
    plain, moved = [], {key: np.zeros(len(chosen)) for key in wanted}
    for start in range(0, len(chosen), BATCH):
        boxes = grid.boxes(chosen[start : start + BATCH])
        pixels = _read(slide, grid, boxes, Version())
        vectors = _encoded(encoder, pixels)
        plain.append(vectors)
        for key, versions in wanted.items():
            for version in versions:
                seen = _read(slide, grid, boxes, version) if version.elsewhere else pixels
                if version.change is not None:
                    seen = np.stack([version.change(tile) for tile in seen])
                part = slice(start, start + len(boxes))
                moved[key][part] += drift(vectors, _encoded(encoder, seen)) / len(versions)
        report(min(start + BATCH, len(chosen)), len(chosen))
    return Stability(grid, chosen, moved, spread(np.concatenate(plain)))


#: Tiles held at once.
BATCH = 64


def _read(slide: Slide, grid: TileGrid, boxes: Floats, version: Version) -> Pixels:
    """The fields of tiles (n, px, px, 3), moved and scaled as a version says."""
    px, (dx, dy) = grid.tile_px, version.shift
    return np.stack(
        [
            slide.read(
                Box.around((x + (0.5 + dx) * w, y + (0.5 + dy) * h), w * version.scale),
                size=(px, px),
            )
            for x, y, w, h in boxes.tolist()
        ]
    )


def _encoded(encoder: Encoder, pixels: Pixels) -> npt.NDArray[np.float32]:
    return np.asarray(encoder.encode(pixels, ()).embedding, np.float32)
