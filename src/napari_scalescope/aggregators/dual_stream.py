"""Dual-stream multiple-instance learning: each tile is compared with the most telling one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .aggregator import Array
from .steps import Linear, Step, run, tile_by_tile, weighted_means


@dataclass(frozen=True, eq=False)
class DualStream:
    """DSMIL (Li et al. 2021, arXiv:2011.08939).

    One stream scores every tile for every class. The other asks, for each class, how much each
    tile resembles the one with the highest score.

    Parameters
    ----------
    name : str
    dim : int
    instances : Linear
        Scores of single tiles: (n, dim) -> (n, classes).
    query : tuple of steps
        What tiles are compared by: (n, dim) -> (n, q).
    value : tuple of steps
        What is averaged: (n, dim) -> (n, dim); nothing for the vectors themselves.
    classify : Linear
        From the weighted means of all classes (1, classes * dim) to class scores (1, classes).
    """

    name: str
    dim: int
    instances: Linear
    query: tuple[Step, ...]
    value: tuple[Step, ...]
    classify: Linear

    @property
    def branches(self) -> tuple[str, ...]:
        """One per class."""
        return tuple(f"class {i}" for i in range(len(self.instances.bias)))

    def attention(self, vectors: npt.NDArray[np.floating]) -> Array:
        """Likeness of tiles (n, dim) to the critical one, before the softmax: (n, classes)."""
        critical = self.tile_scores(vectors).argmax(0)
        wanted = run(self.query, np.asarray(vectors[critical], np.float32))
        compare = Linear(
            wanted / np.float32(np.sqrt(wanted.shape[1])), np.zeros(len(wanted), np.float32)
        )
        return tile_by_tile(lambda x: compare(run(self.query, x)), vectors)

    def scores(self, vectors: npt.NDArray[np.floating]) -> Array:
        """Class scores (classes,) of a slide by its bag stream, before the sigmoid.

        What its makers report is the mean of this and of the highest of `tile_scores`.
        """
        means = weighted_means(self.attention(vectors), lambda x: run(self.value, x), vectors)
        slide: Array = self.classify(means)[0]
        return slide

    def tile_scores(self, vectors: npt.NDArray[np.floating]) -> Array:
        """Class scores of single tiles (n, dim): (n, classes)."""
        return tile_by_tile(self.instances, vectors)
