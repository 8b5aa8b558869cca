"""What the student is asked for, and the sums over tokens that the asking needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def negative_cosine(a: Tensor, b: Tensor, weight: Tensor | None = None) -> Tensor:
    """One minus the cosine between matching vectors, averaged.

    The alignment of XMAG (cross-magnification distillation), there without the one.

    Parameters
    ----------
    a, b : (..., D)
        The gradient flows through both; detach the target.
    weight : (...), optional
        How much each pair counts.
    """
    from torch.nn.functional import cosine_similarity

    loss = 1 - cosine_similarity(a, b, dim=-1)
    if weight is None:
        return loss.mean()
    return (loss * weight).sum() / weight.sum().clamp_min(1e-6)


def kde_uniformity(z: Tensor, concentration: float = 5.0) -> Tensor:
    """Log of the density of each vector under a kernel estimate from the others, averaged.

    Midnight's regulariser in place of KoLeo: a von Mises-Fisher kernel on the sphere, which
    spreads all vectors instead of pushing each from its nearest neighbour only.

    Parameters
    ----------
    z : (n, D)
        Brought to length 1 here; n at least 2.
    concentration : float
        Of the kernel; larger looks at nearer neighbours.
    """
    import torch
    from torch.nn.functional import normalize

    z = normalize(z, dim=-1)
    similarity = concentration * (z @ z.T)
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    density = similarity.masked_fill(own, -torch.inf).logsumexp(1)
    out: Tensor = (density - torch.log(torch.tensor(len(z) - 1.0))).mean()
    return out


def dino(student: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy between the student's prototypes and the teacher's assignment of them.

    DINO (Caron et al. 2021).

    Parameters
    ----------
    student : (n, K)
        Cosines with the prototypes.
    teacher : (n, K)
        Probabilities, from `sinkhorn`.
    """
    return -(teacher * (student / temperature).log_softmax(-1)).sum(-1).mean()


def sinkhorn(scores: Tensor, temperature: float = 0.06, rounds: int = 3) -> Tensor:
    """Assign a batch to prototypes so that each is used equally (SwAV, DINOv2).

    Parameters
    ----------
    scores : (n, K)
        Cosines of the teacher's vectors with the prototypes.

    Returns
    -------
    (n, K), rows sum to 1.
    """
    import torch

    with torch.no_grad():
        q = torch.exp((scores - scores.max()) / temperature)
        for _ in range(rounds):
            q = q / q.sum(0, keepdim=True).clamp_min(1e-12) / q.shape[1]
            q = q / q.sum(1, keepdim=True).clamp_min(1e-12) / q.shape[0]
        out: Tensor = q * q.shape[0]
        return out


def cross_scale(coarse: Tensor, fine: Tensor, overlap: Tensor) -> Tensor:
    """Coarse tokens against the fine tokens that lie under them.

    XMAG's spatial token mapping made exact for any ratio and offset: every coarse token that the
    fine field touches is held against the mean of the fine tokens weighted by the area they share,
    and counts by the share of it that is covered.

    Parameters
    ----------
    coarse, fine : (n, t, D)
        Tokens of the two fields in row-major order, before turning.
    overlap : (n, t, t)
        From `views.token_overlap`.
    """
    covered = overlap.sum(2)
    under = (overlap @ fine) / covered.clamp_min(1e-6)[..., None]
    return negative_cosine(coarse, under, covered)


def contrast(
    a: Tensor, b: Tensor, others: Tensor | None = None, temperature: float = 0.1
) -> Tensor:
    """Each vector is to find its counterpart among all of the other side, both ways (InfoNCE).

    Van den Oord et al. 2018. Alignment alone leaves places of one slide alike; this asks that a
    place be told from its neighbours at another scale.

    Parameters
    ----------
    a, b : (n, D)
        Row i of one belongs to row i of the other.
    others : (n, n) bool, optional
        Other pairs that show the same tissue: no counterexamples of each other.
    """
    import torch
    from torch.nn.functional import cross_entropy, normalize

    scores = normalize(a, dim=-1) @ normalize(b, dim=-1).T / temperature
    if others is not None:
        scores = scores.masked_fill(others, -torch.inf)
    goal = torch.arange(len(a), device=a.device)
    out: Tensor = (cross_entropy(scores, goal) + cross_entropy(scores.T, goal)) / 2
    return out


def pooled_under(coarse: Tensor, overlap: Tensor, parts: Tensor) -> Tensor:
    """The coarse field's tokens averaged over the area of each part of the fine field: (n, q, D).

    Parameters
    ----------
    coarse : (n, t, D)
    overlap : (n, t, t)
        From `views.token_overlap`.
    parts : (t, q)
        1 where a fine token belongs to a part, else 0.
    """
    weight = overlap @ parts
    weight = weight / weight.sum(1, keepdim=True)
    out: Tensor = weight.transpose(1, 2) @ coarse
    return out


def quarters(side: int) -> Tensor:
    """Which quarter of a field each of its ``side``² tokens lies in: (side², 4), 1 or 0."""
    import torch

    half = (torch.arange(side) >= side / 2).long()
    which = (2 * half[:, None] + half[None]).flatten()
    return torch.nn.functional.one_hot(which, 4).float()


def gram(student: Tensor, anchor: Tensor) -> Tensor:
    """Mean squared difference of two token-token similarity matrices.

    Gram anchoring (DINOv3; DaX for dense consistency): late in training, patch tokens drift away
    from what they show; their similarities to each other are held to an earlier network's.

    Parameters
    ----------
    student, anchor : (n, t, D), (n, t, D')
    """
    from torch.nn.functional import normalize

    s, a = normalize(student, dim=-1), normalize(anchor, dim=-1)
    out: Tensor = (s @ s.transpose(1, 2) - a @ a.transpose(1, 2)).square().mean()
    return out
