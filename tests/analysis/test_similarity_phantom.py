"""Similarity by the built-in encoder against the phantom's ground truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.analysis import similarity_map
from napari_scalescope.analysis.similarity import find_hits
from napari_scalescope.embeddings import EmbeddingSet, TileState
from napari_scalescope.encoders import load_encoder
from napari_scalescope.geometry import Box, TileGrid
from napari_scalescope.slides import read_tiles
from napari_scalescope.slides.phantom import phantom
from napari_scalescope.slides.phantom.classes import ID

#: Ground truth is looked at so many times along the side of a tile.
SAMPLES = 28


class Encoded:
    """A part of a phantom of 0.6 mm, by tiles of 56 µm and their tokens of 8 µm."""

    def __init__(self) -> None:
        slide = phantom((2400, 2400), seed=16)
        grid = TileGrid.cover(slide, 0.5, 112)
        tiles = grid.all_tiles()
        pixels = np.concatenate([b.pixels for b in read_tiles(slide, grid, tiles)])
        coded = load_encoder("builtin", device="cpu").encode(pixels)
        tokens = coded.patch_tokens.astype(np.float16)
        state = np.full(grid.shape, TileState.ENCODED | TileState.TOKENS, np.uint8)

        def load(_part: str, wanted: np.ndarray) -> np.ndarray:
            return tokens[wanted[:, 0] * grid.cols + wanted[:, 1]]

        self.emb = EmbeddingSet(coded.embedding, tiles, grid, state, {}, load)
        all_of_it = Box(0, 0, grid.cols * grid.pitch, grid.rows * grid.pitch)
        self._truth = slide.truth(all_of_it, grid.tile_um / SAMPLES)

    def share(self, name: str, cells: int = 1) -> np.ndarray:
        """How much of every tile, or of every one of its cells a side, is of a class."""
        step = SAMPLES // cells
        rows, cols = self.emb.grid.rows * cells, self.emb.grid.cols * cells
        of_it = self._truth[: rows * step, : cols * step] == ID[name]
        return of_it.reshape(rows, step, cols, step).mean((1, 3))


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    return Encoded()


def precision(wanted: np.ndarray, scores: np.ndarray, without: np.ndarray) -> float:
    """Average precision of a ranking of all but the examples."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(wanted[without], scores[without]))


@pytest.mark.parametrize(("measure", "least"), [("cosine", 0.9), ("whitened", 0.8), ("rank", 0.9)])
def test_a_lymphoid_tile_finds_lymphoid_tissue_first(
    encoded: Encoded, measure: str, least: float
) -> None:
    lymphoid = encoded.share("lymphoid")
    query = np.unravel_index(lymphoid.argmax(), lymphoid.shape)
    place = encoded.emb.grid.centres([query])[0]
    made = similarity_map(encoded.emb, place, measure=measure)  # type: ignore[arg-type]
    others = np.ones(lymphoid.shape, bool)
    others[query] = False
    wanted = lymphoid > 0.5
    assert wanted[others].mean() < 0.2  # what chance would get
    assert precision(wanted, made.values, others) > least
    hits = find_hits(made, 5, leave_out=[tuple(place)])
    found = [encoded.emb.grid.tile_at(*h.box.centre) for h in hits]
    assert all(lymphoid[tile] > 0.5 for tile in found)


def test_its_tokens_find_lymphoid_tokens(encoded: Encoded) -> None:
    cells = encoded.emb.part("patch_tokens", [(0, 0)]).shape[1]
    lymphoid = encoded.share("lymphoid", cells)
    tiles = encoded.share("lymphoid")
    place = encoded.emb.grid.centres([np.unravel_index(tiles.argmax(), tiles.shape)])[0]
    made = similarity_map(encoded.emb, place, tokens=True)
    assert made.values.shape == lymphoid.shape
    everywhere = np.ones(lymphoid.shape, bool)
    assert (lymphoid > 0.5).mean() < 0.2
    assert precision(lymphoid > 0.5, made.values, everywhere) > 0.8


def test_a_counter_example_helps_where_two_classes_are_mixed_up(encoded: Encoded) -> None:
    """An example holds lymphoid tissue and what it lies in; a counter-example only the latter."""
    lymphoid, tumour = encoded.share("lymphoid"), encoded.share("tumour")
    mixed = np.unravel_index((-abs(lymphoid - 0.5) - abs(tumour - 0.5)).argmax(), lymphoid.shape)
    pure = np.unravel_index(tumour.argmax(), tumour.shape)
    emb = encoded.emb
    query, against = (emb.vectors[emb.index_of([tile])] for tile in (mixed, pure))
    others = np.ones(lymphoid.shape, bool)
    others[mixed] = others[pure] = False
    wanted = lymphoid > 0.5
    without = similarity_map(emb, positives=query).values
    with_it = similarity_map(emb, positives=query, negatives=against).values
    assert precision(wanted, with_it, others) > precision(wanted, without, others) + 0.05
