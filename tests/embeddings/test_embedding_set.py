"""`EmbeddingSet` as a value."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.embeddings import embedding_set as module
from napari_scalescope.geometry import TileGrid


def test_positions_and_rasters() -> None:
    grid = TileGrid(0.5, 64, 64, 3, 4, 0.25)
    tiles = np.array([[0, 1], [2, 3]])
    state = np.zeros(grid.shape, np.uint8)
    state[tiles[:, 0], tiles[:, 1]] = TileState.ENCODED
    emb = EmbeddingSet(np.eye(2, 5, dtype=np.float32), tiles, grid, state)
    assert (len(emb), emb.dim) == (2, 5)
    assert emb.index_of([[2, 3], [0, 0], [0, 1]]).tolist() == [1, -1, 0]
    raster = emb.raster(np.array([1.0, 2.0], np.float32))
    assert raster[0, 1] == 1
    assert raster[2, 3] == 2
    assert np.isnan(raster).sum() == 10
    colours = emb.raster(np.full((2, 4), 9, np.uint8), fill=0)
    assert colours.shape == (3, 4, 4)
    np.testing.assert_allclose(emb.centres, [[192, 64], [448, 320]])
    assert emb.attention is None
    assert emb.patch_tokens is None


def test_parts_come_in_pieces_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = TileGrid(0.5, 64, 64, 5, 5, 0.25)
    tiles = grid.all_tiles()
    read: list[int] = []

    def load(part: str, wanted: np.ndarray) -> np.ndarray:
        read.append(len(wanted))
        return np.broadcast_to(wanted[:, :1, None, None], (len(wanted), 4, 4, 8)).astype(np.float16)

    state = np.full(grid.shape, TileState.TOKENS, np.uint8)
    emb = EmbeddingSet(np.zeros((25, 2), np.float32), tiles, grid, state, {}, load)
    monkeypatch.setattr(module, "PIECE_BYTES", 4000)  # 7 tiles of 512 bytes
    pieces = list(emb.pieces("patch_tokens", tiles))
    assert read == [1, 7, 7, 7, 3]
    assert {p.dtype for p in pieces} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(np.concatenate(pieces)[:, 0, 0, 0], tiles[:, 0])
    with pytest.raises(LookupError):
        list(emb.pieces("attention", tiles[:0]))
