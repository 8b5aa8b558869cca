"""The student, its heads, and the average of its past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoders.torch_import import torch_module
from .recipes import Network, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Tokens along a tile of 224 px, the size the position embedding is kept at.
POSITIONS = 14


def make_student(network: Network, seed: int) -> nn.Module:
    """A fresh student: patches through a stem of convolutions, then a transformer.

    Positions begin as sines and cosines (He et al. 2022), and attention begins mimicking what
    attention becomes (Trockman and Kolter 2023, "Mimetic initialization of self-attention
    layers"): queries and keys nearly equal, values and projection nearly opposite. It learns
    several times faster on little data.
    """
    torch = torch_module()
    import timm

    from ..encoders.stem import ConvStem

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = timm.create_model(
            "vit_tiny_patch16_224",
            num_classes=0,
            embed_dim=network.dim,
            depth=network.depth,
            num_heads=network.heads,
            reg_tokens=network.registers,
            embed_layer=ConvStem,
            dynamic_img_size=True,
        )
    rng = np.random.default_rng(seed)
    dim, heads = network.dim, network.heads
    size = dim // heads
    with torch.no_grad():
        model.pos_embed[0, -POSITIONS * POSITIONS :] = torch.from_numpy(_sines(POSITIONS, dim))
        for block in model.blocks:
            # The published strengths: 0.7 of identity and 0.7 of noise for queries and keys,
            # 0.4 and 0.4 for values and projection.
            qkv = block.attn.qkv.weight
            for h in range(heads):
                product = 0.7 * rng.standard_normal((dim, dim)) / np.sqrt(dim) + 0.7 * np.eye(dim)
                u, s, v = np.linalg.svd(product)
                root = np.sqrt(s[:size])
                rows = slice(h * size, (h + 1) * size)
                qkv[:dim][rows] = torch.from_numpy(((u[:, :size] * root).T).astype(np.float32))
                qkv[dim : 2 * dim][rows] = torch.from_numpy(
                    (v[:size] * root[:, None]).astype(np.float32)
                )
            product = 0.4 * rng.standard_normal((dim, dim)) / np.sqrt(dim) - 0.4 * np.eye(dim)
            u, s, v = np.linalg.svd(product)
            qkv[2 * dim :] = torch.from_numpy((np.sqrt(s)[:, None] * v).astype(np.float32))
            block.attn.proj.weight[:] = torch.from_numpy((u * np.sqrt(s)).astype(np.float32))
    return model


def _sines(side: int, dim: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    frequency = 10000 ** (-np.arange(dim // 4) / (dim // 4))
    angle = np.arange(side)[:, None] * frequency
    along = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    y = np.broadcast_to(along[:, None], (side, side, dim // 2))
    x = np.broadcast_to(along[None], (side, side, dim // 2))
    out = np.concatenate([y, x], axis=2).reshape(side * side, -1)
    # of the size timm gives its own positions
    return np.asarray(out * 0.05, np.float32)


def make_heads(recipe: Recipe, teacher_dims: Sequence[int]) -> nn.ModuleDict:
    """What stands between the student and each loss; left behind when training ends.

    MLPs with batch norm and GELU, as in XMAG. An embedding is CLS and the mean patch token, one
    after the other (Midnight), twice as long as a token.

    Parameters
    ----------
    recipe : Recipe
    teacher_dims : sequence of int
        Lengths of the frozen teacher's embeddings and of its lattices; empty without a teacher.
    """
    torch = torch_module()
    dim = recipe.network.dim
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + 1)
        heads: dict[str, nn.Module] = {}
        if teacher_dims:
            embedding, lattice = teacher_dims
            heads["distill_global"] = _mlp(2 * dim, embedding)
            heads["distill_local"] = _mlp(dim, lattice)
        if recipe.self_distills:
            heads["dino"] = _mlp(2 * dim, 256)
            heads["prototypes"] = torch.nn.Linear(256, recipe.prototypes, bias=False)
        return torch.nn.ModuleDict(heads)


def _mlp(inputs: int, outputs: int) -> nn.Module:
    layers = torch_module().nn
    return layers.Sequential(
        layers.Linear(inputs, 512),
        layers.BatchNorm1d(512),
        layers.GELU(),
        layers.Linear(512, outputs),
    )


def through(head: nn.Module, x: Tensor) -> Tensor:
    """A head on vectors with any number of leading dimensions: batch norm takes one."""
    out: Tensor = head(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
    return out


def embedding_of(tokens: Tensor, registers: int) -> tuple[Tensor, Tensor]:
    """CLS with the mean patch token (n, 2 D), and the patch tokens (n, t, D)."""
    torch = torch_module()
    patch = tokens[:, 1 + registers :]
    return torch.cat([tokens[:, 0], patch.mean(1)], dim=1), patch


def average_into(average: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move the average of the student's past a little towards its present."""
    torch = torch_module()
    with torch.no_grad():
        for mine, theirs in zip(average.parameters(), student.parameters(), strict=True):
            mine.lerp_(theirs, 1 - momentum)
        for mine, theirs in zip(average.buffers(), student.buffers(), strict=True):
            mine.copy_(theirs)
