"""Frozen teachers: networks whose embeddings a student learns to predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ..encoders import load_encoder
from ..encoders.torch_import import torch_module
from ..slides.slide import Pixels

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]


class Teacher(Protocol):
    """What a frozen teacher does."""

    name: str

    def __call__(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """Embeddings (n, D) and lattices (n, g, g, D') of fields (n, px, px, 3) uint8."""
        ...


class EncoderTeacher:
    """An encoder of the catalogue as teacher.

    Parameters
    ----------
    name : str
        Its id.
    weights : path, optional
    device : str
    """

    def __init__(self, name: str, weights: Path | None = None, device: str = "auto") -> None:
        self.name = name
        self._encoder = load_encoder(name, device=device, weights=weights)

    def __call__(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """Embeddings and patch tokens."""
        out = self._encoder.encode(pixels, keep={"patch_tokens"})
        assert out.patch_tokens is not None
        return out.embedding, out.patch_tokens


# --- targets ----------------------------------------------------------------------------------

#: XMAG aligns a 4 × 4 lattice of each field.
LATTICE = 4


def targets(teacher: Teacher, pixels: Pixels, grid: int) -> tuple[Floats, Floats]:
    """What a teacher says of fields shown to it as grid × grid tiles (XMAG).

    Parameters
    ----------
    pixels : (n, grid * px, grid * px, 3) uint8

    Returns
    -------
    (n, D) float32
        The mean of the tiles' embeddings.
    (n, 16, D') float32
        Their lattices side by side, averaged to 4 × 4, row-major.
    """
    n, side = len(pixels), pixels.shape[1] // grid
    tiles = pixels.reshape(n, grid, side, grid, side, 3).swapaxes(2, 3)
    embedding, lattice = teacher(np.ascontiguousarray(tiles.reshape(-1, side, side, 3)))
    g = lattice.shape[1]
    whole = lattice.reshape(n, grid, grid, g, g, -1).swapaxes(2, 3)
    whole = whole.reshape(n, grid * g, grid * g, -1)
    return embedding.reshape(n, grid * grid, -1).mean(1), pooled(whole, LATTICE)


def pooled(lattice: Floats, side: int) -> Floats:
    """A lattice (n, g, g, D) averaged to (n, side², D) by exact area, for any g."""
    g = lattice.shape[1]
    edges = np.arange(side + 1) * g / side
    cells = np.arange(g)
    low, high = edges[:-1, None], edges[1:, None]
    overlap = np.clip(np.minimum(cells + 1, high) - np.maximum(cells, low), 0, None)
    along = (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)
    out = np.einsum("ig,jh,nghd->nijd", along, along, lattice, optimize=True)
    return np.ascontiguousarray(out.reshape(len(lattice), side * side, -1), np.float32)


class Whitening:
    """Teacher vectors turned and scaled so that every direction counts.

    The features of a trained network share one large mean and a few large directions; their
    cosines are all close to 1 and say little. Principal components over the training fields,
    each brought to variance 1, damped by ``ridge`` times the mean variance so that noise is not
    blown up.
    """

    def __init__(self, mean: Tensor, matrix: Tensor) -> None:
        self.mean, self.matrix = mean, matrix

    @classmethod
    def fit(cls, vectors: Floats, dim: int = 256, ridge: float = 0.1) -> Whitening:
        """From vectors (n, D): the first ``dim`` components, or as many as there are."""
        torch = torch_module()
        mean = vectors.mean(0)
        centred = (vectors - mean).astype(np.float64)
        values, directions = np.linalg.eigh(centred.T @ centred / len(centred))
        order = np.argsort(values)[::-1][: min(dim, len(vectors) - 1, vectors.shape[1])]
        kept = np.maximum(values[order], 0)
        matrix = directions[:, order] / np.sqrt(kept + ridge * kept.mean())
        return cls(torch.from_numpy(mean), torch.from_numpy(matrix.astype(np.float32)))

    def __call__(self, vectors: Tensor) -> Tensor:
        """(..., D) to (..., dim)."""
        out: Tensor = (vectors - self.mean) @ self.matrix
        return out

    @property
    def dim(self) -> int:
        """Length of what comes out."""
        return int(self.matrix.shape[1])
