"""From tiles to the store: what the viewer, the command line and remote workers all run."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..encoders.encoder import Encoder
from ..encoders.encoding import Encoding
from ..geometry import IntArray, TileGrid
from ..slides import Slide, TissueMask, tissue_mask
from ..slides.tiles import TileBatch, read_batches, read_mixed
from .embedding_set import EmbeddingSet, Part, TileState
from .plan import Piece, Plan, Work, make_plan, pieces
from .progress import Meter, Progress, reporter
from .store import Store
from .stored_set import StoredSet
from .writer import Writer


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
    """Read, encode and keep batches of tiles, one per step: for whoever waits for each of them.

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
        coded = _coded(encoder, batch, keep)
        ended = time.perf_counter()
        _write(stored, coded)
        kept = time.perf_counter()
        meter.note = encoder.note
        spent = started - waited, ended - started, kept - ended
        yield coded.tiles, meter.add(len(coded.tiles), *spent, len(coded.failed))
        waited = time.perf_counter()


def encode_works(
    slide: Slide, works: Sequence[Work], *, overall: Meter | None = None, threads: int | None = None
) -> Iterator[tuple[Work, IntArray, Progress]]:
    """A whole slide, with several encoders and at several resolutions in one pass.

    Yields the work, its tiles that are safe in the store now and its progress, batch by batch.
    The next batches are read and the last ones written while one is encoded. Blocks are merged
    into the store's arrays as they are finished. ``overall``, if given, counts all works together.
    """
    slide.require_brightfield()
    todo = pieces(works)
    counts = _counted(works, todo)
    meters = {}
    for work in works:
        left = sum(counts[work].values())
        meters[work] = Meter(left, work.plan.tissue - left, part_of=overall)
        _note_background(work, counts[work])
    steady = {encoder: encoder.steady() for encoder in {work.encoder for work in works}}
    feed = read_mixed(
        slide, ((p.work.stored.grid, p.tiles) for p in todo), threads=threads, errors="report"
    )
    writer: Writer[tuple[Work, IntArray, Progress]] = Writer()
    with contextlib.closing(feed), writer:
        waited = time.perf_counter()
        for piece, batch in zip(todo, feed, strict=True):
            work, meter = piece.work, meters[piece.work]
            encoder = steady[work.encoder]
            started = time.perf_counter()
            coded = _coded(encoder, batch, work.keep)
            ended = time.perf_counter()
            left_of_block = counts[work]
            left_of_block[piece.corner] -= len(coded.tiles)
            complete = [] if left_of_block[piece.corner] else [piece.corner]
            meter.note = encoder.note
            spent = started - waited, ended - started, 0.0
            progress = meter.add(len(coded.tiles), *spent, len(coded.failed))
            writer.write(
                (work, coded.tiles, progress), partial(_write, work.stored, coded, complete)
            )
            safe = list(writer.written())
            meter.wrote(time.perf_counter() - ended)
            yield from safe
            # What whoever is given them does meanwhile is none of our time.
            waited = time.perf_counter()
        yield from writer.written(wait_for_all=True)


def _counted(
    works: Sequence[Work], todo: Sequence[Piece]
) -> dict[Work, dict[tuple[int, int], int]]:
    """How many tiles are left of each work, by its blocks."""
    counts = {work: {corner: 0 for corner, _, _ in work.plan.blocks} for work in works}
    for piece in todo:
        counts[piece.work][piece.corner] += len(piece.tiles)
    return counts


def _note_background(work: Work, left: dict[tuple[int, int], int]) -> None:
    for _, rest, _ in work.plan.blocks:
        work.stored.mark(rest, TileState.BACKGROUND)
    # Blocks with nothing to encode only have their background to note.
    work.stored.merge([corner for corner, n in left.items() if n == 0])


class _Coded(NamedTuple):
    """A batch that went through an encoder: all of its tiles, those that could not be read last."""

    tiles: IntArray
    failed: IntArray
    encoding: Encoding | None


def _coded(encoder: Encoder, batch: TileBatch, keep: Collection[Part]) -> _Coded:
    failed = np.array([(r, c) for r, c, _ in batch.failed], np.int64).reshape(-1, 2)
    encoding = encoder.encode(batch.pixels, keep) if len(batch.tiles) else None
    return _Coded(np.concatenate([batch.tiles, failed]), failed, encoding)


def _write(stored: StoredSet, coded: _Coded, complete: Sequence[tuple[int, int]] = ()) -> None:
    if coded.encoding is not None:
        stored.write(coded.tiles[: len(coded.encoding)], coded.encoding)
    if len(coded.failed):
        stored.mark(coded.failed, TileState.UNREADABLE)
    if complete:
        stored.merge(complete)


def encode_slide(
    slide: Slide,
    encoder: Encoder,
    stored: StoredSet,
    plan: Plan,
    keep: Collection[Part],
) -> Iterator[tuple[IntArray, Progress]]:
    """A whole slide with one encoder at one resolution: see `encode_works`."""
    for _, tiles, progress in encode_works(slide, [Work(encoder, stored, plan, keep)]):
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
