"""Tiles in, vectors out: the encoders under test and what they are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_scalescope.encoders import Encoder, Entry, find_entry, load_encoder
from napari_scalescope.encoders.network import untrained
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


def untrained_twin(name: str, entry: Entry, device: str) -> EncoderDescriber:
    """The same net as an entry of the catalogue with random weights, read the same way."""
    seed = find_entry("untrained").seed
    assert seed is not None
    network, digest = untrained(entry, seed)
    network = network.to(device).eval()
    return EncoderDescriber(name, Encoder(entry, network, device, "fp32", digest))


def evaluated(
    name: str, entry_id: str, device: str, weights: Path | None = None
) -> EncoderDescriber:
    """An encoder of the catalogue in float32, from its own weights or from a file."""
    encoder = load_encoder(entry_id, device=device, precision="fp32", weights=weights)
    return EncoderDescriber(name, encoder)
