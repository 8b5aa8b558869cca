"""The losses of one batch that need a teacher or the map between two scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..encoders.torch_import import torch_module
from . import losses as L
from .networks import through
from .teachers import LATTICE, Teacher, Whitening, targets
from .views import token_overlap

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .recipes import Weights
    from .views import Places


class Taught(NamedTuple):
    """What a frozen teacher says of a batch.

    Parameters
    ----------
    embedding : (n or 2 n, D)
        Of the coarse fields, then of the fine ones; of the coarse ones only where the teacher sees
        them in finer tiles.
    lattice : (n or 2 n, 16, D')
    """

    embedding: Tensor
    lattice: Tensor


def teach(teacher: Teacher, places: Places, grid: int, device: str) -> Taught:
    """Ask the teacher, which sees coarse fields in ``grid`` × ``grid`` finer tiles."""
    torch = torch_module()
    goals = [targets(teacher, places.clean_coarse, grid)]
    if grid == 1:
        goals.append(targets(teacher, places.clean_fine, 1))
    return Taught(
        *(torch.from_numpy(np.concatenate(g)).to(device) for g in zip(*goals, strict=True))
    )


def distilled(
    heads: nn.ModuleDict,
    whitening: list[Whitening],
    taught: Taught,
    embedding: Tensor,
    patch: Tensor,
) -> dict[str, Tensor]:
    """What the student predicts of the teacher's embeddings and lattices, against them.

    Parameters
    ----------
    heads : ModuleDict
    whitening : list of Whitening
        Of embeddings and of lattices.
    taught : Taught
    embedding, patch : (2 n, D), (2 n, t, D')
        The student's, of coarse fields, then of fine ones.
    """
    pool = torch_module().nn.functional.adaptive_avg_pool2d
    n, side = len(taught.embedding), math.isqrt(patch.shape[1])
    whole = through(heads["distill_global"], embedding[:n])
    cells = pool(patch[:n].transpose(1, 2).unflatten(2, (side, side)), LATTICE)
    local = through(heads["distill_local"], cells.flatten(2).transpose(1, 2))
    return {
        "distill_global": L.negative_cosine(whole, whitening[0](taught.embedding)),
        "distill_local": L.negative_cosine(local, whitening[1](taught.lattice)),
    }


def crossed(
    places: Places,
    embedding: Tensor,
    patch: Tensor,
    weights: Weights,
) -> dict[str, Tensor]:
    """Coarse fields against the fine ones in them; the gradient flows both ways.

    Parameters
    ----------
    places : Places
    embedding, patch : (2 n, D), (2 n, t, D')
        The student's, of coarse fields, then of fine ones.
    weights : Weights
        Which losses are asked for.
    """
    torch = torch_module()
    n, side = len(places), math.isqrt(patch.shape[1])
    overlap = torch.from_numpy(token_overlap(places.box, side)).to(patch.device)
    parts = L.quarters(side).to(patch.device)
    coarse, fine = patch[:n], patch[n:]
    under = L.pooled_under(coarse, overlap, parts)
    inside = parts.T @ fine / parts.sum(0)[:, None]
    out: dict[str, Tensor] = {}
    if weights.cross_contrast > 0:
        same = torch.from_numpy(places.same).to(patch.device)
        others = same & ~torch.eye(n, dtype=torch.bool, device=patch.device)
        # the quarters of one field are counterexamples of each other
        of_quarters = others.repeat_interleave(4, 0).repeat_interleave(4, 1)
        whole = L.contrast(embedding[:n], embedding[n:], others)
        out["cross_contrast"] = whole + L.contrast(
            under.flatten(0, 1), inside.flatten(0, 1), of_quarters
        )
    if weights.cross_local > 0:
        out["cross_local"] = (
            L.cross_scale(coarse, fine, overlap)
            + L.cross_scale(fine, coarse, overlap.transpose(1, 2))
        ) / 2
    if weights.cross_global > 0:
        out["cross_global"] = L.negative_cosine(under, inside)
    return out
