"""From tiles to the store: what the viewer, the command line and remote workers all run."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..encoders.encoder import Encoder
from ..geometry import IntArray, TileGrid
from ..slides import MIN_TISSUE, Slide, TissueMask, tissue_mask
from ..slides.tiles import block_order, read_batches
from .embedding_set import EmbeddingSet, Part, TileState
from .progress import Meter, Progress, reporter
from .store import Store
from .stored_set import StoredSet


@dataclass(frozen=True)
class Plan:
    """What a whole-slide job will do, decided before it starts.

    Batches are cut from all tissue tiles of a block, before those that are done are left out.
    An interrupted job therefore goes on with the very batches it would have had, and its vectors
    come out the same to the last bit.

    Parameters
    ----------
    blocks : tuple of (corner, background, batches)
        For each block of the store: its first row and column, its background tiles (n, 2), and
        its batches of tissue tiles.
    tissue : int
        Tiles with enough tissue.
    background : int
        The others.
    """

    blocks: tuple[tuple[tuple[int, int], IntArray, tuple[IntArray, ...]], ...]
    tissue: int
    background: int


def make_plan(
    grid: TileGrid, block: int, batch: int, mask: TissueMask | None, min_tissue: float = MIN_TISSUE
) -> Plan:
    """Cut a slide into blocks and batches; ``mask`` None takes every tile for tissue."""
    share = np.ones(grid.shape, np.float32) if mask is None else mask.share(grid)
    wanted = share >= min_tissue
    blocks = []
    for y in range(0, grid.rows, block):
        for x in range(0, grid.cols, block):
            part = wanted[y : y + block, x : x + block]
            corner = np.array([y, x])
            tissue = block_order(np.argwhere(part) + corner)
            rest = np.argwhere(~part) + corner
            batches = tuple(tissue[i : i + batch] for i in range(0, len(tissue), batch))
            blocks.append(((y, x), rest, batches))
    tissue_count = int(wanted.sum())
    return Plan(tuple(blocks), tissue_count, wanted.size - tissue_count)


def encode_batches(
    slide: Slide,
    encoder: Encoder,
    stored: StoredSet,
    batches: Iterator[IntArray],
    keep: Collection[Part],
    meter: Meter,
    *,
    threads: int | None = None,
) -> Iterator[tuple[IntArray, Progress]]:
    """Read, encode and keep batches of tiles, one per step.

    Yields the tiles that were finished (unreadable ones included, marked as such) and the
    progress after each batch. The caller stops by closing the iterator; what was yielded is safe
    in the store.

    Raises
    ------
    SlideError
        At the first step, if the slide is fluorescence. Whatever is encoded comes through here.
    """
    slide.require_brightfield()
    feed = read_batches(slide, stored.grid, batches, threads=threads, errors="report")
    waited = time.perf_counter()
    for batch in feed:
        started = time.perf_counter()
        if len(batch.tiles):
            stored.write(batch.tiles, encoder.encode(batch.pixels, keep))
        failed = np.array([(r, c) for r, c, _ in batch.failed], np.int64).reshape(-1, 2)
        if len(failed):
            stored.mark(failed, TileState.UNREADABLE)
        ended = time.perf_counter()
        tiles = np.concatenate([batch.tiles, failed])
        yield tiles, meter.add(len(tiles), started - waited, ended - started, len(failed))
        waited = time.perf_counter()


def encode_slide(
    slide: Slide,
    encoder: Encoder,
    stored: StoredSet,
    plan: Plan,
    keep: Collection[Part],
) -> Iterator[tuple[IntArray, Progress]]:
    """A whole-slide job, one batch per step: see `encode_batches`.

    Blocks are merged into the store's arrays as they are finished.
    """
    todo = [
        (corner, rest, [stored.missing(b, keep) for b in bs]) for corner, rest, bs in plan.blocks
    ]
    left = sum(len(b) for _, _, batches in todo for b in batches)
    meter = Meter(left, plan.tissue - left)
    ended: list[tuple[int, int]] = []

    def batches() -> Iterator[IntArray]:
        for _, _, parts in todo:
            yield from (b for b in parts if len(b))

    for _, rest, _ in todo:
        stored.mark(rest, TileState.BACKGROUND)
    counts = {corner: sum(len(b) for b in parts) for corner, _, parts in todo}
    # Blocks with nothing to encode only have their background to note.
    stored.merge([c for c, n in counts.items() if n == 0])
    for tiles, progress in encode_batches(slide, encoder, stored, batches(), keep, meter):
        corner = tuple((tiles[0] // stored.block * stored.block).tolist())
        counts[corner] -= len(tiles)
        if counts[corner] == 0:
            ended.append(corner)
            stored.merge(ended)
            ended.clear()
        yield tiles, progress


def fill(
    slide: Slide,
    encoder: Encoder,
    stored: StoredSet,
    mask: TissueMask | None,
    keep: Collection[Part] = (),
    report: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Encode what a set lacks of its slide's tissue, to the end; returns the final progress."""
    plan = make_plan(stored.grid, stored.block, encoder.feed, mask)
    last = Progress(0, 0, plan.tissue)
    for _, last in encode_slide(slide, encoder, stored, plan, keep):
        report(last)
    stored.close()
    return last


def embed(
    slide: Slide,
    encoder: Encoder,
    mpp: float = 0.5,
    *,
    tile_px: int | None = None,
    stride_px: int | None = None,
    store: str | Path | None = None,
    keep: Collection[Part] = (),
    tissue: bool | TissueMask = True,
    progress: bool | Callable[[Progress], None] = False,
) -> EmbeddingSet:
    """Embed a whole slide at one resolution.

    Parameters
    ----------
    slide : Slide
        Of known resolution.
    encoder : Encoder
    mpp : float
        Resolution to read the tiles at, µm per tile pixel.
    tile_px, stride_px : int, optional
        Side of a tile and distance between tiles in tile pixels. Default: the encoder's own
        size, without overlap.
    store : path, optional
        Folder to keep the embeddings in. What is there already is not computed again, and an
        interrupted call goes on where it was. Default: a temporary folder, which goes with the
        last `EmbeddingSet` of it.
    keep : collection of "patch_tokens" and "attention"
        What to keep beside the vectors.
    tissue : bool or TissueMask
        Leave out background: True finds the tissue first, and warns where the slide is damaged.
    progress : bool or callable
        True prints a bar; a callable is given a `Progress` after each batch.

    Returns
    -------
    EmbeddingSet

    Raises
    ------
    ResolutionError
        If the slide's resolution is unknown.
    EncoderError, SlideError, StoreError
    """
    slide.require_brightfield()
    slide.require_mpp()
    grid = TileGrid.cover(slide, mpp, tile_px or encoder.entry.input_px, stride_px)
    root = Path(tempfile.mkdtemp(prefix="scalescope-")) if store is None else Path(store)
    stored = Store(root).open_set(slide, encoder, grid)
    if store is None:
        # Tokens and attention stay on disk: it has to live as long as somebody can ask for them.
        weakref.finalize(stored, shutil.rmtree, root, ignore_errors=True)
    mask = tissue_mask(slide) if tissue is True else (tissue or None)
    for doubt in mask.warnings if mask else ():
        warnings.warn(doubt, stacklevel=2)
    with reporter(progress, f"{slide.name} · {encoder.name} · {mpp:g} µm/px") as report:
        fill(slide, encoder, stored, mask, keep, report)
    return stored.embeddings()
