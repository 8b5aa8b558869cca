"""An encoder that workers of a cluster can load, and that writes down what it computes.

Given to workers as their ``preload``: importing it registers the encoder "logged".
"""

from __future__ import annotations

import os
import time
from hashlib import sha256
from pathlib import Path

import numpy as np

from napari_scalescope.encoders import Encoding, register_encoder


@register_encoder(id="logged", dim=6, tile_px=64, patch_px=16, heads=2)
def logged(pixels: np.ndarray) -> Encoding:
    """Means and deviations. Says which tiles they are of, and takes its time if told to."""
    if folder := os.environ.get("SCALESCOPE_TEST_LOG"):
        with (Path(folder) / f"{os.getpid()}.log").open("a") as file:
            file.writelines(f"{sha256(tile.tobytes()).hexdigest()}\n" for tile in pixels)
    time.sleep(float(os.environ.get("SCALESCOPE_TEST_DELAY_S", 0)) * len(pixels))
    if os.environ.get("SCALESCOPE_TEST_FAIL"):
        raise RuntimeError("told to fail")
    n, px = pixels.shape[:2]
    g = px // 16
    patches = pixels.reshape(n, g, 16, g, 16, 3).astype(np.float32).swapaxes(2, 3) / 255
    tokens = np.concatenate([patches.mean((3, 4)), patches.std((3, 4))], -1)
    attention = tokens[..., :2].transpose(0, 3, 1, 2)
    attention = attention / np.maximum(attention.sum((2, 3), keepdims=True), 1e-6) * 0.9
    return Encoding(tokens.mean((1, 2)), tokens, attention)
