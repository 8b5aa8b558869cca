from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.geometry import IntArray, TileGrid


@pytest.fixture
def make_set() -> Callable[..., EmbeddingSet]:
    """Make a set from a class raster: vectors around one centre per class, with parts."""

    def make(
        classes: np.ndarray,
        *,
        dim: int = 16,
        noise: float = 0.15,
        g: int = 4,
        stride_px: int = 64,
        missing: tuple[tuple[int, int], ...] = (),
        parts: bool = True,
    ) -> EmbeddingSet:
        rng = np.random.default_rng(0)
        rows, cols = classes.shape
        grid = TileGrid(0.5, 64, stride_px, rows, cols, 0.25)
        centres = rng.normal(size=(classes.max() + 1, dim))
        state = np.full(grid.shape, TileState.ENCODED, np.uint8)
        if parts:
            state |= np.uint8(TileState.ATTENTION | TileState.TOKENS)
        for tile in missing:
            state[tile] = 0
        tiles = np.argwhere(state)
        labels = classes[tiles[:, 0], tiles[:, 1]]
        vectors = (centres[labels] + rng.normal(size=(len(tiles), dim)) * noise).astype(np.float32)

        def load(part: str, wanted: IntArray) -> np.ndarray:
            own = classes[wanted[:, 0], wanted[:, 1]]
            if part == "patch_tokens":
                noisy = np.random.default_rng(1).normal(size=(len(wanted), g, g, dim)) * noise
                return (centres[own][:, None, None] + noisy).astype(np.float16)
            maps = np.zeros((len(wanted), 2, g, g), np.float16)
            maps[:, 0, 0, 0] = 0.5  # head 1 looks at the upper left corner
            maps[:, 1] = 0.8 / g**2  # head 2 looks everywhere
            return maps

        return EmbeddingSet(vectors, tiles, grid, state, {}, load if parts else None)

    return make


@pytest.fixture
def halves() -> np.ndarray:
    """Two classes: left 0, right 1."""
    classes = np.zeros((12, 20), int)
    classes[:, 10:] = 1
    return classes
