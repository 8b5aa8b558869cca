"""How much tissue tiles cover, each bit of it counted once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import FloatArray, IntArray
from ..together import slide_of


def areas_mm2(parts: Sequence[tuple[EmbeddingSet, IntArray]], k: int) -> FloatArray:
    """Area in mm² of each of k groups of tiles: (k,).

    Parameters
    ----------
    parts : sequence of (EmbeddingSet, (n,) int)
        Group of each tile of a set, 1 to k, 0 for none.
    k : int
    """
    slides: dict[object, list[tuple[EmbeddingSet, IntArray]]] = {}
    for i, (emb, labels) in enumerate(parts):
        slides.setdefault(slide_of(emb) or i, []).append((emb, labels))
    total = np.zeros(k)
    for own in slides.values():
        total += _alone(*own[0], k) if len(own) == 1 else _union(own, k)
    return total


def _cell(emb: EmbeddingSet) -> float:
    """Side of the square a tile counts for, level-0 pixels."""
    return min(emb.grid.pitch, emb.grid.footprint)


def _alone(emb: EmbeddingSet, labels: IntArray, k: int) -> FloatArray:
    side_mm = _cell(emb) * emb.grid.slide_mpp / 1000
    return np.asarray(np.bincount(labels, minlength=k + 1)[1:] * side_mm**2, np.float64)


def _union(parts: Sequence[tuple[EmbeddingSet, IntArray]], k: int) -> FloatArray:
    """On the lattice of all edges of all cells: every patch of it counts once per group."""
    edges = [np.unique(np.concatenate([_edges(emb, axis) for emb, _ in parts])) for axis in (0, 1)]
    middle = [(e[1:] + e[:-1]) / 2 for e in edges]
    mm2 = np.outer(np.diff(edges[0]), np.diff(edges[1])) * (parts[0][0].grid.slide_mpp / 1000) ** 2
    layers: list[IntArray] = []
    total = np.zeros(k)
    for emb, labels in parts:
        raster = np.pad(emb.raster(labels, fill=0), 1)
        rows, cols = (_cells_at(emb, axis, middle[axis]) for axis in (0, 1))
        layer = raster[rows[:, None], cols[None]]
        new = np.ones(layer.shape, bool)
        for earlier in layers:
            new &= earlier != layer
        total += np.bincount(layer[new], weights=mm2[new], minlength=k + 1)[1:]
        layers.append(layer)
    return total


def _edges(emb: EmbeddingSet, axis: int) -> FloatArray:
    grid, half = emb.grid, _cell(emb) / 2
    centres = np.arange(grid.shape[axis]) * grid.pitch + grid.footprint / 2
    return np.concatenate([centres - half, centres + half]).round(6)


def _cells_at(emb: EmbeddingSet, axis: int, places: FloatArray) -> IntArray:
    """Row or column, from 1, of the cell at each place; 0 where there is none."""
    grid = emb.grid
    at = np.rint((places - grid.footprint / 2) / grid.pitch).astype(np.int64)
    off = np.abs(places - (at * grid.pitch + grid.footprint / 2))
    inside = (at >= 0) & (at < grid.shape[axis]) & (off < _cell(emb) / 2)
    return np.where(inside, at + 1, 0)
