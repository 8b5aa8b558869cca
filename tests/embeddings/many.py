"""Stores of many slides that exist only as their embeddings."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from napari_scalescope.embeddings import Store, StoredSet, TileState
from napari_scalescope.encoders import Encoding
from napari_scalescope.geometry import TileGrid

from .fake import FAKE


def made_set(
    store: Path,
    name: str,
    *,
    rows: int = 6,
    cols: int = 7,
    dim: int = 6,
    mpp: float = 0.5,
    stride_px: int = 64,
    mark: str = "",
    **identity: Any,
) -> StoredSet:
    """An empty set of a slide of that name: what `Store.open_set` makes for it."""
    grid = TileGrid(mpp, 64, stride_px, rows, cols, 0.5)
    slide = SimpleNamespace(
        name=f"{name}.svs",
        fingerprint=sha256(name.encode()).hexdigest() + mark,
        dimensions=(cols * 64, rows * 64),
        mpp_source="made up",
    )
    facts = {"encoder": "fake", "weights_sha256": "f" * 64, "precision": "fp32", **identity}
    encoder = SimpleNamespace(
        name=facts["encoder"],
        identity=facts,
        dim=dim,
        map_heads=2,
        grid=lambda px: px // 16,
        entry=FAKE,
    )
    return Store(store).open_set(slide, encoder, grid)  # type: ignore[arg-type]


def fill(stored: StoredSet, vectors: np.ndarray, tiles: Any = None, *, merge: bool = True) -> None:
    """Write vectors (n, D) of tiles (n, 2), the first ones of the grid unless told."""
    tiles = stored.grid.all_tiles()[: len(vectors)] if tiles is None else np.asarray(tiles)
    stored.write(tiles, Encoding(np.asarray(vectors, np.float32), None, None))
    if merge:
        stored.close()


def fill_blocks(stored: StoredSet, draw: Any) -> None:
    """Write a whole set at once, block by block: ``draw(n)`` gives vectors (n, D) float16."""
    array, state = stored._arrays.array("embedding"), stored._arrays.array("state")
    rows, cols = stored.grid.shape
    for y in range(0, rows, stored.block):
        for x in range(0, cols, stored.block):
            h, w = min(stored.block, rows - y), min(stored.block, cols - x)
            array[y : y + h, x : x + w] = draw(h * w).reshape(h, w, -1)
            state[y : y + h, x : x + w] = np.full((h, w), TileState.ENCODED, np.uint8)


def clustered(rng: np.random.Generator, n: int, dim: int = 32, kinds: int = 12) -> np.ndarray:
    """Vectors (n, dim) float16 with cosines that crowd near 1, as those of encoders do."""
    centres = np.random.default_rng(7).normal(size=(kinds, dim)) + 2
    which = rng.integers(0, kinds, n)
    return (centres[which] + 0.3 * rng.normal(size=(n, dim))).astype(np.float16)


def named(hits: Any) -> list[tuple[str, int]]:
    """Hits as slide and position in the grid."""
    return [(h.slide, h.row * h.source.cols + h.col) for h in hits]
