"""Frozen teachers: networks whose embeddings a student learns to predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..encoders import load_encoder
from ..encoders.torch_import import torch_module
from ..encoders.weights import read_state
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


class MobileNetTeacher:
    """MobileNetV2 (Sandler et al. 2018) trained on ImageNet, torchvision's names.

    Parameters
    ----------
    weights : path
        safetensors. De-quantised from TensorFlow, whose padding it keeps: strided convolutions
        pad at the end only, and pixels run from -1 to 1.
    device : str
    precision : "bf16" or "fp32"
    """

    name = "mobilenet_v2"

    def __init__(
        self, weights: Path, device: str = "cpu", precision: Literal["bf16", "fp32"] = "bf16"
    ) -> None:
        torch = torch_module()
        import torchvision

        net = torchvision.models.mobilenet_v2(weights=None)
        state = {k: v.float() for k, v in read_state(weights).items()}
        net.load_state_dict(state)
        for module in net.features.modules():
            if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2):
                module.padding = (0, 0)
                module.register_forward_pre_hook(
                    lambda _, args: (torch.nn.functional.pad(args[0], (0, 1, 0, 1)),)
                )
        self.device = device
        self._reduced = precision == "bf16"
        self._net = net.features.to(device).eval().to(memory_format=torch.channels_last)

    def __call__(self, pixels: Pixels) -> tuple[Floats, Floats]:
        """Mean and lattice of the last features, one per 32 px."""
        torch = torch_module()
        lattices = []
        kind = self.device.split(":")[0]
        with torch.inference_mode(), torch.autocast(kind, torch.bfloat16, enabled=self._reduced):
            for part in np.array_split(pixels, max(1, len(pixels) // 32)):
                x = torch.from_numpy(np.ascontiguousarray(part)).to(self.device)
                x = x.permute(0, 3, 1, 2).float() / 127.5 - 1
                features = self._net(x.contiguous(memory_format=torch.channels_last))
                lattices.append(features.float().permute(0, 2, 3, 1).cpu().numpy())
        lattice = np.concatenate(lattices)
        return lattice.mean((1, 2)), lattice


def open_teacher(name: str, weights: Path | None, device: str) -> Teacher:
    """A teacher by name: ``mobilenet_v2`` with its file, or any encoder of the catalogue."""
    if name == MobileNetTeacher.name and weights is not None:
        return MobileNetTeacher(weights, device)
    return EncoderTeacher(name, weights, device)


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
