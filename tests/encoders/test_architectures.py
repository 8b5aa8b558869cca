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
from napari_scalescope.encoders.encoder import Encoder
from napari_scalescope.encoders.network import build, untrained

ENTRIES = list(catalogue().values())
#: Even two of its blocks take a gigabyte.
TOO_LARGE = {"dinov3-7b"}
RUN = [e for e in ENTRIES if e.id not in TOO_LARGE]


def small_encoder(entry: Entry, **changes: Any) -> Encoder:
    """With as few blocks as are read, so that a giant fits into a test."""
    if "vit" in entry.arch or entry.tokens.cls:
        changes["args"] = {**entry.args, "depth": max(2, deepest(entry))}
    small = entry.model_copy(update=changes)
    network, digest = untrained(small, 1)
    return Encoder(small, network.eval(), "cpu", "fp32", digest)


def deepest(entry: Entry) -> int:
    """How far from the end the first block lies that is read."""
    return -min(entry.attention_block, entry.embedding_blocks.cls, entry.embedding_blocks.mean)


def tiles_for(entry: Entry, n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 255, (n, entry.input_px, entry.input_px, 3), np.uint8)


@pytest.mark.parametrize("entry", ENTRIES, ids=[e.id for e in ENTRIES])
def test_parameters_and_tokens(entry: Entry) -> None:
    trunk = build(entry)["trunk"]  # on the meta device: nothing is allocated
    count = sum(p.numel() for p in trunk.parameters()) / 1e6
    assert count == pytest.approx(entry.parameters_m, rel=0.002)
    if not entry.tokens.cls:
        assert trunk.num_features == entry.token_dim
        return
    assert trunk.num_prefix_tokens == entry.tokens.cls + entry.tokens.registers
    assert trunk.embed_dim == entry.token_dim // (3 if entry.channels_apart else 1)
    assert trunk.patch_embed.patch_size == (entry.patch_px, entry.patch_px)
    assert trunk.blocks[0].attn.num_heads == entry.heads
    assert len(trunk.blocks) >= deepest(entry)


@pytest.mark.parametrize("entry", RUN, ids=[e.id for e in RUN])
def test_shapes_of_what_comes_out(entry: Entry, rng: np.random.Generator) -> None:
    encoder = small_encoder(entry)
    coded = encoder.encode(tiles_for(entry, 2, rng))
    g = entry.grid
    assert coded.embedding.shape == (2, entry.dim)
    assert coded.patch_tokens is not None
    assert coded.patch_tokens.shape == (2, g, g, entry.token_dim)
    assert coded.attention is not None
    assert coded.attention.shape == (2, entry.heads, g, g)
    assert np.isfinite(coded.embedding).all()
    sums = coded.attention.sum((2, 3))
    if entry.tokens.cls:
        assert (sums > 0).all()
        assert (sums < 1).all()  # the rest went to CLS and registers
    else:
        np.testing.assert_allclose(sums, 1, rtol=1e-5)
    assert np.abs(coded.embedding[0] - coded.embedding[1]).max() > 1e-4


@pytest.mark.parametrize("entry", RUN, ids=[e.id for e in RUN])
def test_tiles_of_another_size(entry: Entry, rng: np.random.Generator) -> None:
    px = next((px for px in reversed(entry.other_px)), entry.input_px + entry.patch_px)
    coded = small_encoder(entry).encode(rng.integers(0, 255, (1, px, px, 3), np.uint8))
    g = px // entry.patch_px
    assert coded.patch_tokens is not None
    assert coded.attention is not None
    assert coded.patch_tokens.shape == (1, g, g, entry.token_dim)
    assert coded.attention.shape == (1, entry.heads, g, g)
    assert np.isfinite(coded.embedding).all()
    assert px in entry.tile_sizes or not entry.other_px


#: One of each kind of network: plain, registers, SwiGLU, rotary, EVA, CLIP's and BEiT-3's towers.
KINDS = (
    "untrained", "virchow2", "h-optimus-0", "uni2-h", "kaiko-vits8", "dinov3-s", "dinov3-splus",
    "eva02-s", "plip", "pathgen-clip", "musk",
)  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_attention_is_the_softmax_computed_by_hand(name: str, rng: np.random.Generator) -> None:
    """Against the unfused attention of the same blocks: its softmax, before dropout."""
    entry = catalogue()[name]
    encoder = small_encoder(entry)
    encoder.batch = 2
    pixels = tiles_for(entry, 2, rng)
    last, before, rolled = (
        encoder.looking(source).encode(pixels).attention for source in (-1, -2, "rollout")
    )
    tokens = encoder.tokens(pixels, -2)

    caught: list[Any] = []
    for block in encoder._network["trunk"].blocks:
        assert block.attn.fused_attn  # our own passes left it on
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_pre_hook(lambda _m, args: caught.append(args[0]))
    encoder.encode(pixels, keep=())
    by_hand = [weights.detach().double().numpy() for weights in caught]
    prefix = entry.tokens.cls + entry.tokens.registers

    def close(maps: np.ndarray | None, expected: np.ndarray) -> None:
        assert maps is not None
        np.testing.assert_allclose(maps.reshape(expected.shape), expected, atol=1e-5)

    close(last, by_hand[-1][:, :, 0, prefix:])
    close(before, by_hand[-2][:, :, 0, prefix:])
    close(tokens.attention, by_hand[-2][:, :, 0, prefix:])
    close(tokens.attention_to_prefix, by_hand[-2][:, :, 0, :prefix])
    product = itself = np.eye(by_hand[0].shape[-1])
    for weights in by_hand:
        product = (itself + weights.mean(1)) / 2 @ product
    close(rolled, product[:, 0, prefix:])


@pytest.mark.parametrize("name", ["untrained", "virchow2", "dinov3-s", "eva02-s"])
def test_tokens_of_any_block_are_timms_own(name: str, rng: np.random.Generator) -> None:
    import torch

    entry = catalogue()[name]
    encoder = small_encoder(entry)
    trunk = encoder._network["trunk"]
    pixels = tiles_for(entry, 3, rng)
    x = torch.from_numpy((pixels / 255 - entry.mean) / entry.std).permute(0, 3, 1, 2).float()
    for block in (-1, -2):
        tokens = encoder.tokens(pixels, block)
        with torch.inference_mode():
            ((patch, prefix),) = trunk.forward_intermediates(
                x, indices=[encoder.depth + block], norm=True, output_fmt="NLC",
                return_prefix_tokens=True, intermediates_only=True,
            )  # fmt: skip
            ((raw, _),) = trunk.forward_intermediates(
                x, indices=[encoder.depth + block], output_fmt="NLC",
                return_prefix_tokens=True, intermediates_only=True,
            )  # fmt: skip
            if name == "eva02-s":  # keeps its final norm where it comes after averaging
                patch, prefix = trunk.fc_norm(patch), trunk.fc_norm(prefix)
        assert tokens.cls is not None
        g, d = entry.grid, entry.token_dim
        np.testing.assert_allclose(tokens.cls, prefix[:, 0], atol=1e-4)
        np.testing.assert_allclose(tokens.registers, prefix[:, 1:], atol=1e-4)
        np.testing.assert_allclose(tokens.patch.reshape(3, -1, d), patch, atol=1e-4)
        np.testing.assert_allclose(tokens.norms, raw.norm(dim=-1).reshape(3, g, g), rtol=1e-4)
        norm = encoder.looking("feature norm").encode(pixels).attention
        assert norm is not None
        if block == -1:
            shares = tokens.norms / tokens.norms.sum((1, 2), keepdims=True)
            np.testing.assert_allclose(norm[:, 0], shares, rtol=1e-4)


def test_channels_encoded_apart_are_joined_in_tokens_too(rng: np.random.Generator) -> None:
    encoder = small_encoder(catalogue()["genbio-pathfm"])
    pixels = tiles_for(encoder.entry, 2, rng)
    tokens, coded = encoder.tokens(pixels), encoder.encode(pixels)
    assert tokens.cls is not None
    np.testing.assert_allclose(tokens.patch, coded.patch_tokens, atol=1e-5)
    np.testing.assert_allclose(tokens.cls, coded.embedding, atol=1e-5)
    np.testing.assert_allclose(tokens.attention, coded.attention, atol=1e-6)


def test_a_network_without_class_token_has_one_block_and_no_attention(
    rng: np.random.Generator,
) -> None:
    from napari_scalescope.errors import EncoderError

    encoder = small_encoder(catalogue()["mobilenet-v2"])
    pixels = tiles_for(encoder.entry, 2, rng)
    tokens = encoder.tokens(pixels)
    assert tokens.cls is None
    assert tokens.attention is None
    assert tokens.registers.shape == (2, 0, encoder.entry.token_dim)
    np.testing.assert_allclose(tokens.patch, encoder.encode(pixels).patch_tokens, atol=1e-6)
    assert encoder.depth == 1
    with pytest.raises(EncoderError, match="only the last features"):
        encoder.tokens(pixels, -2)
    with pytest.raises(EncoderError, match="has no attention"):
        encoder.looking("rollout")


def test_cls_and_mean_leaves_registers_out(rng: np.random.Generator) -> None:
    entry = catalogue()["virchow2"]
    coded = small_encoder(entry).encode(tiles_for(entry, 1, rng))
    np.testing.assert_allclose(
        coded.embedding[0, 1280:], coded.patch_tokens[0].reshape(-1, 1280).mean(0), atol=1e-5
    )


def test_the_mean_is_not_rounded_to_half_precision(rng: np.random.Generator) -> None:
    import torch

    reference = small_encoder(catalogue()["virchow2"])
    network = reference._network.to(torch.bfloat16)
    encoder = Encoder(reference.entry, network, "cpu", "bf16", "0" * 64)
    coded = encoder.encode(tiles_for(encoder.entry, 1, rng))
    mean = coded.patch_tokens[0].reshape(-1, 1280).mean(0)
    np.testing.assert_allclose(coded.embedding[0, 1280:], mean, atol=1e-6)


@pytest.mark.parametrize("name", ["uni2-h", "h-optimus-0", "builtin"])
def test_an_embedding_of_other_blocks_is_timms_own_intermediate_output(
    name: str, rng: np.random.Generator
) -> None:
    import torch

    entry = catalogue()[name]
    encoder = small_encoder(
        entry,
        embedding="cls+mean",
        dim=2 * entry.token_dim,
        embedding_blocks=EmbeddingBlocks(cls=-1, mean=-2),
    )
    small, model = encoder.entry, encoder._network["trunk"]
    pixels = tiles_for(small, 2, rng)
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
