"""Attention-based multiple-instance learning: each tile says for itself how much it counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .aggregator import Array
from .steps import Linear, Step, run, sigmoid, tile_by_tile, weighted_means


@dataclass(frozen=True, eq=False)
class Scorer:
    """Attention of one head: ``out(tanh(hidden(x)))``, the hidden units gated if there is a gate.

    With a gate they are multiplied by ``sigmoid(gate(x))`` (Ilse et al. 2018, equation 9). A head
    may have its own part of the features: every so many, from the one at the offset.
    """

    hidden: Linear
    gate: Linear | None
    out: Linear
    offset: int = 0
    stride: int = 1

    def __call__(self, x: Array) -> Array:
        """(n, a) -> (n, branches)."""
        x = x[:, self.offset :: self.stride]
        units = np.tanh(self.hidden(x))
        if self.gate is not None:
            units *= sigmoid(self.gate(x))
        return self.out(units)


@dataclass(frozen=True, eq=False)
class AttentionPooling:
    """ABMIL and what is made of it: CLAM, FEATHER, MADELEINE, TRIDENT's ABMIL.

    Ilse et al. 2018 (arXiv:1802.04712); CLAM: Lu et al. 2021 (doi:10.1038/s41551-020-00682-w);
    FEATHER: Shao et al. 2025 (arXiv:2506.09022).

    Parameters
    ----------
    name : str
    dim : int
    branches : tuple of str
        Heads within branches: those of the first branch first.
    project : tuple of steps
        From a tile's vector (n, dim) to the features (n, f) that are scored and averaged.
    scorers : tuple of Scorer
        One per head.
    classify : tuple of steps, optional
        From the weighted means (1, branches * f) to class scores (1, classes).
    instances : Linear, optional
        CLAM's instance classifiers: features (n, f) -> (n, 2 * classes), for each class how much
        a tile is evidence against it and for it.
    """

    name: str
    dim: int
    branches: tuple[str, ...]
    project: tuple[Step, ...]
    scorers: tuple[Scorer, ...]
    classify: tuple[Step, ...] | None = None
    instances: Linear | None = None

    def attention(self, vectors: npt.NDArray[np.floating]) -> Array:
        """How much tiles (n, dim) count, before the softmax: (n, branches)."""
        return tile_by_tile(self._score, vectors)

    def scores(self, vectors: npt.NDArray[np.floating]) -> Array | None:
        """Class scores (classes,) of the slide whose tiles these are (n, dim).

        Not yet probabilities: a softmax, or for hazards a sigmoid, is what the head was trained
        under. None if the file holds no classifier.
        """
        if self.classify is None:
            return None
        means = weighted_means(self.attention(vectors), self._features, vectors)
        slide: Array = run(self.classify, means)[0]
        return slide

    def tile_scores(self, vectors: npt.NDArray[np.floating]) -> Array | None:
        """How much each tile (n, dim) is evidence for each class, less against it: (n, classes).

        None where there are no instance classifiers.
        """
        last = self.instances
        if last is None:
            return None
        pairs = tile_by_tile(lambda x: last(self._features(x)), vectors)
        return np.subtract(pairs[:, 1::2], pairs[:, ::2])

    def _features(self, x: Array) -> Array:
        return run(self.project, x)

    def _score(self, x: Array) -> Array:
        features = self._features(x)
        heads = np.stack([scorer(features) for scorer in self.scorers], -1)
        return heads.reshape(len(x), -1)
