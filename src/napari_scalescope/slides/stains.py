"""Dyes: what makes tissue coloured, and the same tissue dyed more or less strongly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .slide import Pixels

#: Optical densities of haematoxylin, eosin and DAB (Ruifrok and Johnston 2001), rows of length 1.
HED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
HED /= np.linalg.norm(HED, axis=1, keepdims=True)
_DENSITY = -np.log10((np.arange(256) + 1) / 256).astype(np.float32)


def stained(pixels: Pixels, scale: Sequence[float], shift: Sequence[float]) -> Pixels:
    """Scale and shift the densities of haematoxylin, eosin and DAB (residual).

    Tellez et al. 2018, "Whole-slide mitosis detection in H&E breast histology…".

    Parameters
    ----------
    pixels : (h, w, 3) uint8
    scale, shift : 3 floats
        Each stain's density becomes ``scale * density + shift``.
    """
    matrix = (np.linalg.inv(HED) @ np.diag(scale) @ HED).astype(np.float32)
    offset = (np.asarray(shift) @ HED).astype(np.float32)
    density = _DENSITY[pixels].reshape(-1, 3) @ matrix + offset
    light = np.exp(density * np.float32(-np.log(10))) * 256 - 1
    out: Pixels = np.clip(light + 0.5, 0, 255).astype(np.uint8).reshape(pixels.shape)
    return out
