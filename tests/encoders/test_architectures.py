"""Every entry of the catalogue is built and run, with random weights where it is small enough.

The number of parameters is compared with what the makers published: an argument left out or
wrong nearly always changes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Entry, catalogue
from napari_scalescope.encoders.catalogue import EmbeddingBlocks
from napari_scalescope.encoders.encoder import Encoder, _build, _load
from napari_scalescope.encoders.weights import random_state

ENTRIES = list(catalogue().values())


def build_small(entry: Entry) -> tuple[Any, Entry]:
    """The architecture with as few blocks as are read, so that a giant fits into a test."""
    small = entry.model_copy(update={"args": {**entry.args, "depth": max(2, deepest(entry))}})
    model = _build(small)
    _load(model, random_state(model, 1), small)
    return model.eval(), small


def deepest(entry: Entry) -> int:
    """How far from the end the first block lies that is read."""
    return -min(entry.attention_block, entry.embedding_blocks.cls, entry.embedding_blocks.mean)


@pytest.mark.parametrize("entry", ENTRIES, ids=[e.id for e in ENTRIES])
def test_parameters_and_tokens(entry: Entry) -> None:
    model = _build(entry)  # on the meta device: nothing is allocated
    count = sum(p.numel() for p in model.parameters()) / 1e6
    assert count == pytest.approx(entry.parameters_m, rel=0.002)
    assert model.num_prefix_tokens == entry.tokens.cls + entry.tokens.registers
    assert model.embed_dim == entry.token_dim
    assert model.patch_embed.patch_size == (entry.patch_px, entry.patch_px)
    assert model.blocks[0].attn.num_heads == entry.heads
    assert len(model.blocks) >= deepest(entry)


@pytest.mark.parametrize("entry", ENTRIES, ids=[e.id for e in ENTRIES])
def test_shapes_of_what_comes_out(entry: Entry, rng: np.random.Generator) -> None:
    model, small = build_small(entry)
    encoder = Encoder(small, model, "cpu", "fp32", "0" * 64)
    pixels = rng.integers(0, 255, (2, entry.input_px, entry.input_px, 3), np.uint8)
    coded = encoder.encode(pixels)
    g = entry.grid
    assert coded.embedding.shape == (2, entry.dim)
    assert coded.patch_tokens is not None
    assert coded.patch_tokens.shape == (2, g, g, entry.token_dim)
    assert coded.attention is not None
    assert coded.attention.shape == (2, entry.heads, g, g)
    assert np.isfinite(coded.embedding).all()
    sums = coded.attention.sum((2, 3))
    assert (sums > 0).all()
    assert (sums < 1).all()  # the rest went to CLS and registers
    assert np.abs(coded.embedding[0] - coded.embedding[1]).max() > 1e-3


@pytest.mark.parametrize(
    "name", ["untrained", "virchow2", "h-optimus-0", "dinov3-s", "uni2-h", "kaiko-vits8"]
)
def test_attention_is_the_softmax_computed_by_hand(name: str, rng: np.random.Generator) -> None:
    """Against the unfused attention of the same block: its softmax, before dropout."""
    import torch

    entry = catalogue()[name]
    model, small = build_small(entry)
    encoder = Encoder(small, model, "cpu", "fp32", "0" * 64)
    pixels = rng.integers(0, 255, (2, entry.input_px, entry.input_px, 3), np.uint8)
    coded = encoder.encode(pixels)

    block = model.blocks[-1].attn
    assert block.fused_attn  # our own pass left it on
    block.fused_attn = False
    caught: list[Any] = []
    block.attn_drop.register_forward_pre_hook(lambda _m, args: caught.append(args[0]))
    encoder.encode(pixels, keep=())
    by_hand = caught[0][:, :, 0].detach()
    prefix = entry.tokens.cls + entry.tokens.registers
    assert isinstance(by_hand, torch.Tensor)
    np.testing.assert_allclose(
        coded.attention.reshape(2, entry.heads, -1), by_hand[:, :, prefix:].numpy(), atol=1e-5
    )


def test_cls_and_mean_leaves_registers_out(rng: np.random.Generator) -> None:
    entry = catalogue()["virchow2"]
    model, small = build_small(entry)
    encoder = Encoder(small, model, "cpu", "fp32", "0" * 64)
    coded = encoder.encode(rng.integers(0, 255, (1, 224, 224, 3), np.uint8))
    np.testing.assert_allclose(
        coded.embedding[0, 1280:], coded.patch_tokens[0].reshape(-1, 1280).mean(0), atol=1e-5
    )


@pytest.mark.parametrize("name", ["uni2-h", "h-optimus-0", "builtin"])
def test_an_embedding_of_other_blocks_is_timms_own_intermediate_output(
    name: str, rng: np.random.Generator
) -> None:
    import torch

    model, small = build_small(catalogue()[name])
    parts = {"embedding": "cls+mean", "dim": 2 * small.token_dim}
    blocks = EmbeddingBlocks(cls=-1, mean=-2)
    small = small.model_copy(update={**parts, "embedding_blocks": blocks})
    encoder = Encoder(small, model, "cpu", "fp32", "0" * 64)
    pixels = rng.integers(0, 255, (2, small.input_px, small.input_px, 3), np.uint8)
    coded = encoder.encode(pixels)

    x = torch.from_numpy((pixels / 255 - small.mean) / small.std).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        (patch, _), (_, prefix) = model.forward_intermediates(
            x, indices=2, norm=True, output_fmt="NLC", return_prefix_tokens=True,
            intermediates_only=True,
        )  # fmt: skip
    d = small.token_dim
    np.testing.assert_allclose(coded.embedding[:, :d], prefix[:, 0].numpy(), atol=1e-4)
    np.testing.assert_allclose(coded.embedding[:, d:], patch.mean(1).numpy(), atol=1e-4)
    assert coded.patch_tokens is not None
    last = coded.patch_tokens.reshape(2, -1, d).mean(1)
    assert np.abs(last - coded.embedding[:, d:]).max() > 1e-3  # the maps stay the last block's
    assert not model.blocks[-2]._forward_hooks
