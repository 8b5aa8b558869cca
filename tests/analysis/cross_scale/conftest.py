"""A world of vectors, and an encoder that sees it exactly, at any resolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.geometry import IntArray, TileGrid

#: Tokens along a side of a tile, and level-0 px of the world that one is wide at 1 µm/px.
G, TILE_PX = 4, 4

#: ``see(world, mpp)``: the set of an encoder whose tokens are means of the world.
See = Callable[..., EmbeddingSet]


def pooled(world: np.ndarray, factor: int) -> np.ndarray:
    """The world in cells ``factor`` times as wide."""
    h, w, d = world.shape
    return world.reshape(h // factor, factor, w // factor, factor, d).mean((1, 3))


@pytest.fixture
def world() -> np.ndarray:
    """Random vectors of 12 numbers over 64 × 64 px."""
    return np.random.default_rng(3).normal(size=(64, 64, 12)).astype(np.float32)


@pytest.fixture
def see() -> See:
    """An encoder: a token is the mean of the world over its cell, a vector the mean of tokens."""

    def make(
        world: np.ndarray,
        mpp: int,
        *,
        order: np.ndarray | None = None,
        missing: tuple[tuple[int, int], ...] = (),
        tokens: bool = True,
        name: str = "one",
        embedding: str = "mean",
        slide: str = "a",
    ) -> EmbeddingSet:
        cells = pooled(world, mpp)
        rows, cols = (n // G for n in cells.shape[:2])
        grid = TileGrid(float(mpp), TILE_PX, TILE_PX, rows, cols, 1.0)
        lattice = cells.reshape(rows, G, cols, G, -1).swapaxes(1, 2)
        if order is not None:
            lattice = lattice.reshape(rows * cols, *lattice.shape[2:])[order].reshape(lattice.shape)
        state = np.full(grid.shape, TileState.ENCODED, np.uint8)
        state |= np.uint8(TileState.TOKENS if tokens else 0)
        for tile in missing:
            state[tile] = 0
        tiles = np.argwhere(state)

        def load(part: str, wanted: IntArray) -> np.ndarray:
            assert part == "patch_tokens"
            return lattice[wanted[:, 0], wanted[:, 1]]

        provenance: dict[str, Any] = {
            "encoder": {
                "encoder": name, "name": name.capitalize(), "embedding": embedding,
                "embedding_blocks": {"cls": -1, "mean": -1},
            },
            "slide": {"fingerprint": slide},
        }  # fmt: skip
        vectors = lattice.mean((2, 3))[tiles[:, 0], tiles[:, 1]].astype(np.float32)
        return EmbeddingSet(vectors, tiles, grid, state, provenance, load)

    return make
