"""Tiles in, vectors out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Encoder, catalogue, load_encoder
from napari_scalescope.errors import EncoderError


@pytest.fixture
def tiles(rng: np.random.Generator) -> np.ndarray:
    """Eleven smooth coloured tiles."""
    y, x = np.mgrid[:224, :224] / 224
    waves = [
        128 + 60 * np.sin(6 * (x * a + y * b))[..., None] * rng.uniform(-1, 1, 3)
        for a, b in rng.uniform(-2, 2, (11, 2))
    ]
    return np.clip(np.stack(waves), 0, 255).astype(np.uint8)


def test_the_untrained_weights_are_the_same_everywhere(untrained: Encoder) -> None:
    assert untrained.weights_sha256 == (
        "08c6620c6f0186256f860693e47faca63172a23fae1ae8401e1740bb4475542c"
    )


def test_a_tile_does_not_depend_on_its_batch(untrained: Encoder, tiles: np.ndarray) -> None:
    together = untrained.encode(tiles)
    alone = untrained.encode(tiles[4:5])
    np.testing.assert_allclose(together.embedding[4], alone.embedding[0], atol=1e-5)


def test_what_is_not_kept_is_not_returned(untrained: Encoder, tiles: np.ndarray) -> None:
    coded = untrained.encode(tiles[:2], keep=())
    assert coded.patch_tokens is None
    assert coded.attention is None
    np.testing.assert_allclose(coded.embedding, untrained.encode(tiles[:2]).embedding, atol=1e-6)


def test_patch_tokens_are_in_place(untrained: Encoder) -> None:
    """A mark in the upper right corner changes that token more than any other."""
    plain = np.full((1, 224, 224, 3), 200, np.uint8)
    marked = plain.copy()
    marked[0, :16, -16:] = (90, 20, 120)
    change = np.linalg.norm(
        untrained.encode(marked).patch_tokens - untrained.encode(plain).patch_tokens, axis=-1
    )[0]
    assert np.unravel_index(change.argmax(), change.shape) == (0, 13)


def test_other_tile_sizes(untrained: Encoder, rng: np.random.Generator) -> None:
    coded = untrained.encode(rng.integers(0, 255, (1, 320, 320, 3), np.uint8))
    assert coded.patch_tokens.shape == (1, 20, 20, 192)
    with pytest.raises(EncoderError, match="240 or 256 px"):
        untrained.encode(np.zeros((1, 250, 250, 3), np.uint8))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((224, 224, 3), np.uint8),
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((1, 224, 208, 3), np.uint8),
        np.zeros((1, 224, 224, 4), np.uint8),
    ],
)
def test_pixels_of_the_wrong_kind(untrained: Encoder, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="tiles are"):
        untrained.encode(pixels)


def test_no_tiles(untrained: Encoder) -> None:
    coded = untrained.encode(np.zeros((0, 224, 224, 3), np.uint8))
    assert len(coded) == 0
    assert coded.attention.shape == (0, 3, 14, 14)


def test_bf16_is_close_to_the_reference(untrained: Encoder, tiles: np.ndarray) -> None:
    fast = load_encoder("untrained", device="cpu", precision="bf16").encode(tiles)
    slow = untrained.encode(tiles)
    for a, b in ((fast.embedding, slow.embedding), (fast.patch_tokens, slow.patch_tokens)):
        a, b = a.reshape(len(tiles), -1), b.reshape(len(tiles), -1)
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert cosine.min() > 0.999


def test_threads_do_not_catch_what_passes_through_for_others(
    untrained: Encoder, tiles: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Maps are made of what hooks catch, and hooks belong to the network both run."""
    looking = untrained.looking(-2)
    expected = [untrained.encode(tiles[:1]).attention, looking.encode(tiles[1:2]).attention]
    trunk = untrained._network["trunk"]
    plain, entered, done = trunk.forward_features, threading.Event(), threading.Event()

    def slowly(x: Any) -> Any:
        out = plain(x)
        if not entered.is_set():
            entered.set()
            done.wait(0.3)  # time for the other to spoil it
        return out

    monkeypatch.setattr(trunk, "forward_features", slowly)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(untrained.encode, tiles[:1])
        assert entered.wait(10)
        second = looking.encode(tiles[1:2])
        done.set()
        found = [first.result().attention, second.attention]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_out_of_memory_halves_the_batch_and_goes_on(
    tiles: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    encoder = load_encoder("untrained", device="cpu", precision="fp32")
    encoder.batch = 8
    expected = encoder.encode(tiles)
    forward = encoder._forward

    def small_machine(pixels: np.ndarray, *args: Any) -> Any:
        if len(pixels) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(pixels, *args)

    monkeypatch.setattr(encoder, "_forward", small_machine)
    coded = encoder.encode(tiles)
    assert encoder.batch == 2
    np.testing.assert_allclose(coded.embedding, expected.embedding, atol=1e-5)


def test_steady_passes_do_not_depend_on_the_clock(
    untrained: Encoder, tiles: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles, passes, forward = np.concatenate([tiles] * 5), [], untrained._forward

    def counted(pixels: np.ndarray, *args: Any) -> Any:
        passes.append(len(pixels))
        return forward(pixels, *args)

    steady, found = untrained.steady(), untrained.batch
    monkeypatch.setattr(steady, "_forward", counted)
    for _ in range(2):
        steady.encode(tiles)
    half = len(passes) // 2
    assert passes[:half] == passes[half:]
    assert set(passes[: half - 1]) == {8}
    assert untrained.batch == found
    assert steady.shares_network(untrained)


def test_other_failures_are_told_in_words(
    tiles: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder("untrained", device="cpu", precision="fp32")

    def broken(*_: Any) -> Any:
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(encoder, "_forward", broken)
    with pytest.raises(EncoderError, match="Untrained ViT-Tiny failed on cpu"):
        encoder.encode(tiles)


def test_no_cuda_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EncoderError, match="no usable CUDA"):
        load_encoder("untrained", device="cuda")


def test_identity_changes_with_whatever_changes_a_vector(untrained: Encoder) -> None:
    other = load_encoder("untrained", device="cpu", precision="bf16")
    assert untrained.identity != other.identity
    assert set(untrained.identity) >= {"weights_sha256", "precision", "embedding", "mean", "std"}


def test_attention_is_of_the_block_the_catalogue_names(tiles: np.ndarray) -> None:
    encoder = load_encoder("builtin", device="cpu", precision="fp32")
    assert encoder.attention == catalogue()["builtin"].attention_block == -2
    assert encoder.looking(None) is encoder
    assert encoder.looking(-2) is encoder
    last = encoder.looking(-1)
    shown, other = encoder.encode(tiles), last.encode(tiles)
    assert shown.attention is not None
    assert other.attention is not None
    assert shown.attention.shape == other.attention.shape == (len(tiles), 4, 14, 14)
    assert np.abs(shown.attention - other.attention).max() > 1e-3
    # of one block both are what is left of a sum of 1
    assert (shown.attention.sum((2, 3)) <= 1 + 1e-5).all()
    np.testing.assert_array_equal(shown.embedding, other.embedding)
    assert last.identity != encoder.identity
    assert last.shares_network(encoder)


def test_rollout_and_feature_norm_are_one_map(untrained: Encoder, tiles: np.ndarray) -> None:
    for source in ("rollout", "feature norm"):
        encoder = untrained.looking(source)
        assert encoder.map_heads == 1
        maps = encoder.encode(tiles[:2], keep=("attention",)).attention
        assert maps is not None
        assert maps.shape == (2, 1, 14, 14)
        assert len(encoder.encode(tiles[:0]).attention[0:]) == 0
    assert untrained.attention == -1


def test_a_block_that_is_not_there(untrained: Encoder, tiles: np.ndarray) -> None:
    with pytest.raises(EncoderError, match="12 blocks"):
        untrained.looking(-13)
    with pytest.raises(EncoderError, match="no block 0"):
        untrained.tokens(tiles, 0)
