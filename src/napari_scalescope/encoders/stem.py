"""A patch embedding of four convolutions. Imported when a network is built: it needs torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from timm.layers import PatchEmbed
from torch import nn


class ConvStem(PatchEmbed):  # type: ignore[misc]  # timm has no types
    """Patches of 16 px through four 3 × 3 convolutions of stride 2 instead of one of 16 × 16.

    Xiao et al. 2021, "Early convolutions help transformers see better": it learns faster and
    better from little. A token sees 31 px, 15 of them before its own 16. What lies beyond the
    tile's left and upper edge is mirrored from within, for zeros there would be an edge that the
    tissue does not have.

    Parameters
    ----------
    embed_dim : int
        A multiple of 32.
    **others
        Of timm's `PatchEmbed`; ``patch_size`` is 16.
    """

    def __init__(self, *, in_chans: int = 3, embed_dim: int = 768, **others: Any) -> None:
        super().__init__(in_chans=in_chans, embed_dim=embed_dim, **others)
        if self.patch_size != (16, 16) or embed_dim % 32:
            raise ValueError(f"patches of {self.patch_size} px, {embed_dim} long: not 16, n * 32")
        widths = [embed_dim * share // 32 for share in (3, 6, 12, 24)]
        layers: list[nn.Module] = [nn.ReflectionPad2d((15, 0, 15, 0))]
        for before, after in zip([in_chans, *widths[:-1]], widths, strict=True):
            layers += [
                nn.Conv2d(before, after, 3, 2, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.proj = nn.Sequential(*layers, nn.Conv2d(widths[-1], embed_dim, 1))


class SwinStem(PatchEmbed):  # type: ignore[misc]  # timm has no types
    """Patches of 4 px through two 3 × 3 convolutions of stride 2 (CTransPath, Wang et al. 2022).

    Parameters
    ----------
    embed_dim : int
        A multiple of 8.
    norm_layer : callable, optional
    **others
        Of timm's `PatchEmbed`; ``patch_size`` is 4.
    """

    def __init__(self, *, in_chans: int = 3, embed_dim: int = 96, **others: Any) -> None:
        super().__init__(in_chans=in_chans, embed_dim=embed_dim, **others)
        if self.patch_size != (4, 4) or embed_dim % 8:
            raise ValueError(f"patches of {self.patch_size} px, {embed_dim} long: not 4, n * 8")
        layers: list[nn.Module] = []
        widths = [in_chans, embed_dim // 8, embed_dim // 4]
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, 2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.proj = nn.Sequential(*layers, nn.Conv2d(widths[-1], embed_dim, 1))
