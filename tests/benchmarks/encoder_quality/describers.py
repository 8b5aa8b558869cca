"""Tiles in, vectors out: the encoders under test and what they are compared with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from napari_scalescope.encoders import Encoder, Entry, find_entry, load_encoder

from .colour import statistics

Vectors = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

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
        self._encoder = encoder

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        coded = self._encoder.encode(pixels, keep=("patch_tokens",))
        return coded.embedding, coded.patch_tokens


class ColourTexture:
    """Colour and texture statistics. They have no tokens."""

    name = "colour"

    def __init__(self) -> None:
        self.identity: dict[str, Any] = {"describer": "colour and texture statistics", "version": 2}

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        return np.stack([statistics(tile) for tile in pixels]), None


class MobileNet:
    """MobileNetV2 trained on ImageNet: the map before its classifier, and its mean.

    The weights were made for TensorFlow, whose "SAME" padding puts the odd pixel of a stride-2
    convolution to the right and below, where torch's puts one on either side.
    """

    name = "mobilenet"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        import torch
        from safetensors.torch import load_file
        from torchvision.models import mobilenet_v2

        model = mobilenet_v2(weights=None).features
        state = {name: tensor.float() for name, tensor in load_file(weights).items()}
        prefix = "features."
        model.load_state_dict(
            {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        )
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d) and module.stride == (2, 2):
                module.padding = (0, 0)
                module.register_forward_pre_hook(_pad_as_tensorflow)
        self.identity = {
            "describer": "MobileNetV2 ImageNet",
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "precision": "fp32",
        }
        # Depthwise convolutions are faster in this order on a processor.
        self._model = model.to(device=device, memory_format=torch.channels_last).eval()
        self._device = device

    def describe(self, pixels: Pixels) -> tuple[Vectors, Vectors | None]:
        import torch

        maps = []
        with torch.inference_mode():
            for start in range(0, len(pixels), 8):
                x = torch.from_numpy(np.ascontiguousarray(pixels[start : start + 8]))
                x = x.to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
                maps.append(self._model(x).permute(0, 2, 3, 1).float().cpu().numpy())
        tokens = np.concatenate(maps)
        return tokens.mean((1, 2)), tokens


def _pad_as_tensorflow(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    from torch.nn.functional import pad

    return (pad(args[0], (0, 1, 0, 1)),)


def untrained_twin(name: str, entry: Entry, device: str) -> EncoderDescriber:
    """The same net as an entry of the catalogue with random weights, read the same way."""
    from napari_scalescope.encoders.encoder import _build, _load
    from napari_scalescope.encoders.weights import random_state, sha256_of_state

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
