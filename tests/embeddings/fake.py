"""An encoder without a network: fast, deterministic, and it knows what it saw."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import numpy as np

from napari_scalescope.encoders import Encoding, catalogue
from napari_scalescope.encoders.encoding import EVERYTHING

FAKE = catalogue()["untrained"].model_copy(
    update={
        "id": "fake", "name": "Fake", "input_px": 64, "dim": 6, "token_dim": 6, "heads": 2,
        "patch_px": 16,
    }
)  # fmt: skip


class Killed(BaseException):
    """What a process is like that dies in the middle of something: nothing of it is tidied up."""


class FakeEncoder:
    """Embedding: mean and deviation of each channel. Tokens: the same of each 16 px patch."""

    entry = FAKE
    name = FAKE.id
    dim = FAKE.dim
    device = "cpu"
    precision = "fp32"

    def __init__(self, batch: int = 4, delay_s: float = 0.0, fail_after: int | None = None) -> None:
        self.batch = batch
        self.delay_s = delay_s
        self.fail_after = fail_after
        self.encoded = 0
        self.weights_sha256 = "f" * 64

    @property
    def identity(self) -> dict[str, Any]:
        return {"encoder": self.name, "weights_sha256": self.weights_sha256, "precision": "fp32"}

    map_heads = FAKE.heads
    note = ""
    depth = 1

    @property
    def feed(self) -> int:
        return self.batch

    def looking(self, _source: object) -> FakeEncoder:
        return self

    def steady(self) -> FakeEncoder:
        return self

    def shares_network(self, other: object) -> bool:
        return other is self

    def grid(self, tile_px: int) -> int:
        return tile_px // 16

    def encode(self, pixels: np.ndarray, keep: Collection[str] = EVERYTHING) -> Encoding:
        if self.fail_after is not None and self.encoded >= self.fail_after:
            from napari_scalescope.errors import EncoderError

            raise EncoderError("The fake failed.", "Use a real one.")
        time.sleep(self.delay_s)
        self.encoded += len(pixels)
        n, px = pixels.shape[:2]
        g = px // 16
        patches = pixels.reshape(n, g, 16, g, 16, 3).astype(np.float32).swapaxes(2, 3) / 255
        tokens = np.concatenate([patches.mean((3, 4)), patches.std((3, 4))], -1)
        attention = tokens[..., :2].transpose(0, 3, 1, 2)
        attention = attention / np.maximum(attention.sum((2, 3), keepdims=True), 1e-6) * 0.9
        return Encoding(
            tokens.mean((1, 2)),
            tokens if "patch_tokens" in keep else None,
            attention if "attention" in keep else None,
        )
