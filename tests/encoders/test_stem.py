from __future__ import annotations

import pytest
import torch

from napari_scalescope.encoders.stem import ConvStem


def stem(dim: int = 64) -> ConvStem:
    torch.manual_seed(0)
    return ConvStem(img_size=224, patch_size=16, embed_dim=dim, strict_img_size=False).eval()


@pytest.mark.parametrize("px", [16, 64, 224])
def test_a_token_per_patch(px: int) -> None:
    assert stem()(torch.rand(2, 3, px, px)).shape == (2, (px // 16) ** 2, 64)


def test_the_edge_of_a_tile_is_no_feature() -> None:
    tokens = stem()(torch.full((1, 3, 64, 64), 0.3))
    assert torch.allclose(tokens, tokens[:, :1].expand_as(tokens), atol=1e-6)


def test_a_token_sees_its_patch_and_what_is_just_before_it() -> None:
    x = torch.rand(1, 3, 96, 96, requires_grad=True)
    # token in row 3, column 4 of a lattice of 6
    stem()(x)[0, 3 * 6 + 4].sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert seen.amin(0).tolist() == [3 * 16 - 15, 4 * 16 - 15]
    assert seen.amax(0).tolist() == [3 * 16 + 15, 4 * 16 + 15]


def test_other_patches_are_refused() -> None:
    with pytest.raises(ValueError, match="not 16"):
        ConvStem(img_size=224, patch_size=14, embed_dim=64)
    with pytest.raises(ValueError, match="40 long"):
        stem(40)
