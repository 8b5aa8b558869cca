"""`EmbeddingSet` as a value."""

from __future__ import annotations

import numpy as np

from napari_scalescope.embeddings import EmbeddingSet, TileState
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
