"""What the engine does for a session: views and whole slides, one batch per step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import numpy as np

from ..embeddings.embedding_set import Part
from ..embeddings.engine import Job, Step
from ..embeddings.pipeline import encode_batches, encode_works
from ..embeddings.plan import Work, make_plan
from ..embeddings.progress import Meter
from ..embeddings.stored_set import StoredSet
from ..encoders import AttentionSource, Encoder
from ..geometry import Box, IntArray, TileGrid
from ..slides import MIN_TISSUE, Slide, TissueMask
from .resources import Resources

#: Kept of every tile somebody looked at, so that any overlay can be shown without encoding again.
KEEP_OF_VIEWS: tuple[Part, ...] = ("attention", "patch_tokens")
#: Most tiles of one view. A 4K screen at its own resolution shows 200; this is room for a scale
#: three times finer. More is asked for by a fixed fine scale with the whole slide in view, where
#: 100,000s of tiles would each leave up to 0.8 MB of patch tokens on the disk.
VIEW_TILES = 2000
#: Kept of whole slides: patch tokens would take a hundred times the room of the rest.
KEEP_OF_SLIDES: tuple[Part, ...] = ("attention",)


def tiles_for_view(
    stored: StoredSet, box: Box, mask: TissueMask | None, need: Collection[Part]
) -> tuple[IntArray, Meter]:
    """Tiles to encode for a view, nearest to its centre first, and a meter that counts them.

    A ring of one tile around the view is added at the end, so that a small pan finds its tiles
    done.
    """
    grid = stored.grid
    inside, around = grid.tiles_in(box), grid.tiles_in(box.grown(grid.pitch))
    wanted = np.concatenate(
        [grid.outward(part, *box.centre) for part in (inside, _ring(around, inside))]
    )
    if mask is not None:
        share = mask.share(grid)
        wanted = wanted[share[wanted[:, 0], wanted[:, 1]] >= MIN_TISSUE]
    taken = wanted[:VIEW_TILES]
    left = stored.missing(taken, need)
    return left, Meter(len(left), len(taken) - len(left), len(wanted) - len(taken))


def _ring(around: IntArray, inside: IntArray) -> IntArray:
    """Of a rectangle of tiles, those outside a smaller one."""
    if not len(inside):
        return around
    outside: IntArray = around[((around < inside.min(0)) | (around > inside.max(0))).any(1)]
    return outside


def view_job(
    resources: Resources,
    slide: Slide,
    mpps: Sequence[float],
    box: Box,
    need: Collection[Part],
    attention: AttentionSource | None = None,
    cursor: Callable[[], tuple[float, float] | None] = lambda: None,
) -> Job:
    """Encode what is in view at one or several resolutions.

    What lies nearest to the ``cursor`` comes first, wherever that has got to meanwhile; to the
    centre of the view where it is not in it.
    """

    def nearest_first(grid: TileGrid, tiles: IntArray) -> IntArray:
        at = cursor()
        return outward(grid, tiles, box, at if at is not None and box.contains(*at) else box.centre)

    def steps() -> Iterator[Step]:
        encoder, sets, mask = _prepared(resources, slide, mpps, attention)
        for stored in sets:
            tiles, meter = tiles_for_view(stored, box, mask, need)
            if meter.left_out and not len(tiles):
                yield stored, tiles, meter.now()  # nothing to do, but something to say
            batches = _cut(tiles, encoder, partial(nearest_first, stored.grid))
            encoded = encode_batches(slide, encoder, stored, batches, KEEP_OF_VIEWS, meter)
            for done, progress in encoded:
                yield stored, done, progress

    return Job("View", steps)


def slide_job(resources: Resources, slide: Slide, mpps: Sequence[float]) -> Job:
    """Encode a whole slide at one or several resolutions."""

    def steps() -> Iterator[Step]:
        encoder, sets, mask = _prepared(resources, slide, mpps)
        works = [
            Work(encoder, s, make_plan(s.grid, s.block, encoder.feed, mask), KEEP_OF_SLIDES)
            for s in sets
        ]
        for work, done, progress in encode_works(slide, works):
            yield work.stored, done, progress

    return Job("Slide", steps)


def outward(grid: TileGrid, tiles: IntArray, box: Box, at: tuple[float, float]) -> IntArray:
    """The tiles in a view, nearest to a point first, and then those around it likewise."""
    boxes = grid.boxes(tiles)
    x, y = boxes[:, 0], boxes[:, 1]
    side = grid.footprint
    beside = (x >= box.x1) | (y >= box.y1) | (x + side <= box.x) | (y + side <= box.y)
    distance = ((grid.centres(tiles) - at) ** 2).sum(1)
    ordered: IntArray = tiles[np.lexsort((distance, beside))]
    return ordered


def _cut(
    tiles: IntArray, encoder: Encoder, ordered: Callable[[IntArray], IntArray]
) -> Iterator[IntArray]:
    """One pass of the network after the other, each as large as the encoder then likes it."""
    while len(tiles):
        tiles, n = ordered(tiles), encoder.batch  # which another thread may change meanwhile
        yield tiles[:n]
        tiles = tiles[n:]


def _prepared(
    resources: Resources,
    slide: Slide,
    mpps: Sequence[float],
    attention: AttentionSource | None = None,
) -> tuple[Encoder, list[StoredSet], TissueMask]:
    """What a job needs. It takes long, and happens at a job's first step, in its thread."""
    slide.require_brightfield()
    slide.require_mpp()
    encoder = resources.require_encoder().looking(attention)
    mask = resources.require_mask(slide)
    return encoder, [resources.require_set(slide, encoder, mpp) for mpp in mpps], mask
