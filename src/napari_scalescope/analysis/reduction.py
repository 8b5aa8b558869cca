"""Vectors of many dimensions brought down to the few that matter, without copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .similarity import Vectors, unit

#: Axes are fitted to about this many vectors: more would hardly turn them.
SAMPLE = 5_000
#: So many dimensions are kept for clusters and neighbours.
DIMS = 50
#: Vectors are brought down so many at a time, so that no copy of all is made.
PIECE = 8_192
#: Up to this size all axes are computed, above it only those that are wanted.
SMALL = 256


@dataclass(frozen=True, eq=False)
class Reduction:
    """Principal axes of the directions of vectors.

    Vectors are scaled to length 1 first, so that distances are those of the cosine.

    Parameters
    ----------
    mean : (D,) float32
    axes : (d, D) float32
    """

    mean: Vectors
    axes: Vectors

    def __call__(self, vectors: npt.ArrayLike) -> Vectors:
        """Coordinates (n, d) of vectors (n, D) along the axes."""
        v = np.asarray(vectors, np.float32)
        out = np.empty((len(v), len(self.axes)), np.float32)
        offset = self.axes @ self.mean
        for start in range(0, len(v), PIECE):
            piece = v[start : start + PIECE]
            length = np.sqrt(np.einsum("ij,ij->i", piece, piece))[:, None]
            out[start : start + PIECE] = piece @ self.axes.T / np.maximum(length, 1e-12) - offset
        return out


def reduction(arrays: Sequence[Vectors], dims: int = DIMS) -> Reduction:
    """Fit principal axes to arrays (n, D) of vectors, or rather to a regular sample of them.

    An axis has two signs and PCA does not choose. Each is turned so that its largest coefficient
    is positive: the same data give the same axes every time.
    """
    total = sum(len(a) for a in arrays)
    step = max(1, total // SAMPLE)
    sample = unit(np.concatenate([a[::step] for a in arrays]))
    mean = sample.mean(0)
    axes = _largest_axes(sample - mean, min(dims, sample.shape[1]))
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return Reduction(mean, np.asarray(axes * np.where(largest < 0, -1, 1), np.float32))


def _largest_axes(centred: Vectors, wanted: int) -> Vectors:
    """The first principal axes (wanted, D); zero where there are no more."""
    n, dim = centred.shape
    wide = dim > n
    products = centred @ centred.T if wide else centred.T @ centred
    size = len(products)
    k = min(wanted, size)
    axes = np.zeros((wanted, dim), np.float32)
    scale = float(np.trace(products))
    if scale <= 1e-10 * n:  # they are all alike
        return axes
    if size <= SMALL or k >= size:
        values, vectors = np.linalg.eigh(products)
    else:
        from scipy.sparse.linalg import eigsh

        begin = np.random.default_rng(0).normal(size=size).astype(np.float32)
        values, vectors = eigsh(products, k, v0=begin)
    kept = np.argsort(-values, kind="stable")[:k]
    kept = kept[values[kept] > 1e-7 * scale]
    found = vectors[:, kept].T
    if wide:
        found = found @ centred / np.sqrt(values[kept])[:, None]
    axes[: len(kept)] = found
    return axes
