"""What the engine does for a session: views and whole slides, one batch per step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from ..embeddings.embedding_set import Part
from ..embeddings.engine import Step
from ..embeddings.pipeline import encode_batches, encode_slide, make_plan
from ..embeddings.progress import Meter
from ..embeddings.stored_set import StoredSet
from ..encoders import Encoder
from ..geometry import Box, IntArray
from ..slides import MIN_TISSUE, Slide, TissueMask

#: Kept of every tile somebody looked at, so that any overlay can be shown without encoding again.
KEEP_OF_VIEWS: tuple[Part, ...] = ("attention", "patch_tokens")
#: Kept of whole slides: patch tokens would take a hundred times the room of the rest.
KEEP_OF_SLIDES: tuple[Part, ...] = ("attention",)


def tiles_for_view(
    stored: StoredSet, box: Box, mask: TissueMask | None, need: Collection[Part]
) -> tuple[IntArray, int]:
    """Tiles to encode for a view, nearest to its centre first, and how many are there already.

    A ring of one tile around the view is added at the end, so that a small pan finds its tiles
    done.
    """
    grid = stored.grid
    inside = grid.outward(grid.tiles_in(box), *box.centre)
    around = grid.outward(grid.tiles_in(box.grown(grid.pitch)), *box.centre)
    ring = around[~_among(around, inside)]
    wanted = np.concatenate([inside, ring])
    if mask is not None:
        share = mask.share(grid)
        wanted = wanted[share[wanted[:, 0], wanted[:, 1]] >= MIN_TISSUE]
    left = stored.missing(wanted, need)
    return left, len(wanted) - len(left)


def _among(tiles: IntArray, others: IntArray) -> IntArray:
    known = {tuple(t) for t in others.tolist()}
    return np.array([tuple(t) in known for t in tiles.tolist()], bool)


def encode_view(
    slide: Slide,
    encoder: Encoder,
    sets: Sequence[StoredSet],
    box: Box,
    mask: TissueMask | None,
    need: Collection[Part],
) -> Iterator[Step]:
    """Encode what is in view at one or several resolutions."""
    for stored in sets:
        tiles, reused = tiles_for_view(stored, box, mask, need)
        meter = Meter(len(tiles), reused)
        batches = (tiles[i : i + encoder.batch] for i in range(0, len(tiles), encoder.batch))
        for done, progress in encode_batches(slide, encoder, stored, batches, KEEP_OF_VIEWS, meter):
            yield stored, done, progress


def encode_whole(
    slide: Slide, encoder: Encoder, sets: Sequence[StoredSet], mask: TissueMask | None
) -> Iterator[Step]:
    """Encode a whole slide at one or several resolutions."""
    for stored in sets:
        plan = make_plan(stored.grid, stored.block, encoder.batch, mask)
        for done, progress in encode_slide(slide, encoder, stored, plan, KEEP_OF_SLIDES):
            yield stored, done, progress


def prepared(
    prepare: Callable[[], tuple[Encoder, Sequence[StoredSet], TissueMask | None]],
    run: Callable[[Encoder, Sequence[StoredSet], TissueMask | None], Iterator[Step]],
) -> Iterator[Step]:
    """A job whose slow preparation happens at its first step, in the engine's thread."""
    yield from run(*prepare())
