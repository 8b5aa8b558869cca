"""What some encoders put a tile's tokens through to get its embedding. Needs torch.

Image and text towers are aligned after such a head, and two encoders pool their tokens by an
attention of its own. Tensors are called as `layouts` calls them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Projection(nn.Linear):  # type: ignore[misc]  # mypy does not read torch
    """One matrix on CLS (CLIP). Into the space that text shares."""

    def __init__(self, token_dim: int, dim: int) -> None:
        super().__init__(token_dim, dim, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, t, token_dim) to (n, dim)."""
        return super().forward(tokens[:, 0])


class Mlp(nn.Sequential):  # type: ignore[misc]  # mypy does not read torch
    """Two layers on CLS, and length 1 (KEEP)."""

    def __init__(self, token_dim: int, dim: int) -> None:
        super().__init__(nn.Linear(token_dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, t, token_dim) to (n, dim)."""
        return functional.normalize(super().forward(tokens[:, 0]), dim=-1)


class AttentionPool(nn.Module):  # type: ignore[misc]  # mypy does not read torch
    """One learnt query over all tokens (CONCH; Yu et al. 2022, CoCa), and a norm."""

    def __init__(self, token_dim: int, dim: int, heads: int = 8) -> None:
        super().__init__()
        self.pool = _Pool(token_dim, dim, heads)
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, t, token_dim) to (n, dim)."""
        out: Tensor = self.norm(self.pool(tokens)[:, 0])
        return out


class _Pool(nn.Module):  # type: ignore[misc]  # mypy does not read torch
    def __init__(self, token_dim: int, dim: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, dim))
        self.attn = nn.MultiheadAttention(
            dim, heads, kdim=token_dim, vdim=token_dim, batch_first=True
        )
        self.ln_q = nn.LayerNorm(dim)
        self.ln_k = nn.LayerNorm(token_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        keys = self.ln_k(tokens)
        query = self.ln_q(self.query).expand(len(tokens), -1, -1)
        out: Tensor = self.attn(query, keys, keys, need_weights=False)[0]
        return out
