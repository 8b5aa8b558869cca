"""Tiles in, vectors out: the encoders under test and what they are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_scalescope.encoders import Encoder, Entry, find_entry, load_encoder
from napari_scalescope.encoders.weights import random_state, sha256_of_file, sha256_of_state
from napari_scalescope.pretraining.teachers import MobileNetTeacher
from napari_scalescope.slides.slide import Pixels

from .colour import statistics

Vectors = npt.NDArray[np.float32]

MOBILENET = Path("weights/mobilenet/mobilenet_v2_imagenet_dequant_torchvision.safetensors")


class Describer(Protocol):
    """Anything that makes vectors of tiles."""

    #: What to call it in a table.
    name: str
    #: Everything that would change a vector.
    identity: dict[str, Any]

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        """One vector per tile (n, D), and the tokens of a g × g map (n, g, g, d) or None."""
        ...


class EncoderDescriber:
    """An encoder of the catalogue."""

    def __init__(self, name: str, encoder: Encoder) -> None:
        self.name = name
        self.identity = encoder.identity
        self.encoder = encoder

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        coded = self.encoder.encode(pixels, keep=("patch_tokens",))
        return coded.embedding, coded.patch_tokens


class ColourTexture:
    """Colour and texture statistics. They have no tokens."""

    name = "colour"

    def __init__(self) -> None:
        self.identity: dict[str, Any] = {"describer": "colour and texture statistics", "version": 2}

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        return np.stack([statistics(tile) for tile in pixels]), None


class MobileNet:
    """MobileNetV2 trained on ImageNet: the map before its classifier, and its mean."""

    name = "mobilenet"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        self.identity = {
            "describer": "MobileNetV2 ImageNet",
            "weights_sha256": sha256_of_file(weights),
            "precision": "fp32",
        }
        self._net = MobileNetTeacher(weights, device, "fp32")

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        return self._net(pixels)


def untrained_twin(name: str, entry: Entry, device: str) -> EncoderDescriber:
    """The same net as an entry of the catalogue with random weights, read the same way."""
    from napari_scalescope.encoders.encoder import _build, _load

    seed = find_entry("untrained").seed
    assert seed is not None
    model = _build(entry)
    state = random_state(model, seed)
    digest = sha256_of_state(state)
    _load(model, state, entry)
    model = model.to(device).eval()
    return EncoderDescriber(name, Encoder(entry, model, device, "fp32", digest))


def evaluated(
    name: str, entry_id: str, device: str, weights: Path | None = None
) -> EncoderDescriber:
    """An encoder of the catalogue in float32, from its own weights or from a file."""
    encoder = load_encoder(entry_id, device=device, precision="fp32", weights=weights)
    return EncoderDescriber(name, encoder)
