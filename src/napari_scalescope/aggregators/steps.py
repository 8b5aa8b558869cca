"""The few things small networks are made of, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .aggregator import Array

#: A part of a network: (n, a) -> (n, b).
Step = Callable[[Array], Array]

#: So many tiles go through a head at a time: 25 MB of vectors with 1536 numbers each.
TILES_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class Linear:
    """A matrix (b, a) and a bias (b,)."""

    weight: Array
    bias: Array

    def __call__(self, x: Array) -> Array:
        """(n, a) -> (n, b)."""
        return x @ self.weight.T + self.bias


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Each row brought to mean 0 and variance 1, then scaled (a,) and moved (a,)."""

    weight: Array
    bias: Array
    eps: float = 1e-5

    def __call__(self, x: Array) -> Array:
        """(n, a) -> (n, a)."""
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(self.eps))
        return np.asarray(centred / deviation * self.weight + self.bias, np.float32)


def relu(x: Array) -> Array:
    """What is negative becomes 0."""
    return np.maximum(x, np.float32(0))


def gelu(x: Array) -> Array:
    """Each x times the normal distribution's integral up to x (arXiv:1606.08415)."""
    from scipy.special import ndtr

    return np.asarray(x * ndtr(x), np.float32)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return np.tanh(x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), which cannot overflow."""
    from scipy.special import expit

    return np.asarray(expit(x), np.float32)


def run(steps: Sequence[Step], x: Array) -> Array:
    """One step after the other."""
    for step in steps:
        x = step(x)
    return x


def pieces(vectors: npt.NDArray[np.floating]) -> Iterator[tuple[slice, Array]]:
    """Vectors (n, D) as float32, a bounded number at a time, and where they stand."""
    for start in range(0, len(vectors), TILES_AT_A_TIME):
        part = slice(start, start + TILES_AT_A_TIME)
        yield part, np.asarray(vectors[part], np.float32)


def tile_by_tile(step: Step, vectors: npt.NDArray[np.floating]) -> Array:
    """A step that looks at one tile at a time, over all of them: (n, D) -> (n, b)."""
    return np.concatenate([step(x) for _, x in pieces(vectors)])


def softmax(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Weights (n, branches) that sum to 1 over the n tiles, from scores (n, branches).

    In float64, and from the largest score down, so that neither a million tiles nor scores of any
    size make it over- or underflow to nonsense.
    """
    wide = np.asarray(scores, np.float64)
    weights = np.exp(wide - wide.max(0))
    return np.asarray(weights / weights.sum(0), np.float64)


def weighted_means(
    scores: npt.NDArray[np.floating], project: Step, vectors: npt.NDArray[np.floating]
) -> Array:
    """Means (1, branches * f) of projected tiles, weighted by the softmax of scores."""
    weights = softmax(scores).astype(np.float32)
    total = sum(weights[part].T @ project(x) for part, x in pieces(vectors))
    return np.asarray(total, np.float32).reshape(1, -1)
