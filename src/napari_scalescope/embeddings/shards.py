"""What one worker of a cluster does: plan a slide, encode some of its blocks, finish a set.

Plain functions of plain values, which any process with this package can run. A worker keeps what
it opened (a slide or two, one encoder, some sets) for the next shard of the same run.
"""

from __future__ import annotations

import json
import platform
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast

from ..encoders import Encoder, Encoding, load_encoder
from ..encoders.devices import Precision, nth_device
from ..errors import EncoderError, SlideError, StoreError
from ..geometry import IntArray, TileGrid
from ..slides import Slide, open_slide, tissue_mask
from ..slides.slide import Pixels
from .embedding_set import Part, TileState
from .pipeline import encode_slide
from .plan import Plan, make_plan
from .progress import Progress
from .shelf import Shelf
from .store import Store
from .stored_set import StoredSet

#: Corner, background tiles and batches, as in a `Plan`.
Block: TypeAlias = tuple[tuple[int, int], IntArray, tuple[IntArray, ...]]

#: How long to wait for others that merge into the same set: as many as there are workers.
MERGE_PATIENCE_S = 600.0
#: A network share may take this long to show what another machine has just made.
SHARE_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Source:
    """A slide, and how to open it."""

    place: str | Path
    mpp: float | None = None
    icc: bool = False


@dataclass(frozen=True)
class Model:
    """An encoder, and how to load it."""

    name: str
    device: str = "auto"
    precision: str = "auto"
    weights: Path | None = None
    accept_licence: bool = False


@dataclass(frozen=True)
class Tiling:
    """At which resolutions, and of which tiles."""

    mpps: tuple[float, ...]
    tile_px: int | None = None
    stride_px: int | None = None
    tissue: bool = True

    def grids(self, slide: Slide, encoder: Encoder) -> Iterator[TileGrid]:
        """The grids on a slide."""
        tile_px = self.tile_px or encoder.entry.input_px
        for mpp in self.mpps:
            yield TileGrid.cover(slide, mpp, tile_px, self.stride_px)


@dataclass(frozen=True)
class Job:
    """One encoder on one slide.

    ``run`` is another each time: nothing that a worker still holds of an earlier run is believed.
    """

    run: str
    source: Source
    model: Model
    tiling: Tiling
    out: Path
    keep: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Target:
    """One set that is being filled: what every worker has to agree on before it adds to it."""

    job: Job
    grid: TileGrid
    path: Path
    fingerprint: str
    identity: str


@dataclass(frozen=True)
class Planned:
    """What there is to do for one set.

    Parameters
    ----------
    blocks : tuple of Block
        Those with tiles to encode.
    lacking : tuple of int
        How many of each.
    reused : int
        Tiles the store has.
    """

    target: Target
    slide: str
    blocks: tuple[Block, ...]
    lacking: tuple[int, ...]
    reused: int

    @property
    def left(self) -> int:
        """Tiles to encode."""
        return sum(self.lacking)


@dataclass(frozen=True)
class Done:
    """What a shard came to."""

    unreadable: int
    read_s: float
    encode_s: float
    write_s: float
    doubts: tuple[str, ...]


def introduce(run: str, model: Model) -> str:
    """Load an encoder, to see whether that is possible; returns its id."""
    with _encoders.borrowed((run, model), lambda: _load(model)) as taken:
        return taken.encoder.name


def is_complete(job: Job) -> bool:
    """Whether nothing is left to do for any set of a slide, without looking for tissue."""
    with _slide(job) as slide, _encoder(job) as taken:
        return all(stored.complete(job.keep) for stored in _opened(job, slide, taken.encoder))


def plan_slide(job: Job) -> tuple[list[Planned], tuple[str, ...]]:
    """Find the tissue, make the sets, and note in them what need not be encoded.

    Returns
    -------
    planned : list of Planned
        One for each resolution.
    doubts : tuple of str
        What is doubtful about the slide.
    """
    with _slide(job) as slide, _encoder(job) as taken:
        sets = _opened(job, slide, taken.encoder)
        mask = tissue_mask(slide) if job.tiling.tissue else None
        planned = []
        for stored in sets:
            plan = make_plan(stored.grid, stored.block, taken.encoder.feed, mask)
            todo: list[Block] = []
            done: list[Block] = []
            lacking: list[int] = []
            for block in plan.blocks:
                missing = sum(len(stored.missing(batch, job.keep)) for batch in block[2])
                (todo if missing else done).append(block)
                lacking += [missing] if missing else []
            _run(slide, taken, stored, done, job.keep)
            identity = json.dumps(taken.encoder.identity, sort_keys=True)
            target = Target(job, stored.grid, stored.path, slide.fingerprint, identity)
            reused = plan.tissue - sum(lacking)
            planned.append(Planned(target, slide.name, tuple(todo), tuple(lacking), reused))
        return planned, (*(mask.warnings if mask else ()), *slide.reader.doubts)


def _opened(job: Job, slide: Slide, encoder: Encoder) -> list[StoredSet]:
    """The sets of a slide, made if they are not there."""
    slide.require_brightfield()
    slide.require_mpp()
    store = Store(job.out)
    sets = [store.open_set(slide, encoder, grid) for grid in job.tiling.grids(slide, encoder)]
    for stored in sets:
        stored.be_patient(MERGE_PATIENCE_S)
    return sets


def encode_shard(target: Target, blocks: Collection[Block]) -> Done:
    """Encode what some blocks of a set lack, and merge them.

    They are looked at again first: whoever died over them has left finished batches behind.
    """
    job = target.job
    with _slide(job) as slide, _encoder(job) as taken:
        _agree(target, slide, taken.encoder)
        with _sets.borrowed(target, lambda: _open(target, slide, taken.encoder)) as stored:
            stored.refresh(corner for corner, _, _ in blocks)
            started = time.perf_counter()
            end = _run(slide, taken, stored, blocks, job.keep)
            spent = time.perf_counter() - started
            # Not those of this run: a try that failed may have found some, and does not say so.
            batches = [batch for *_, of_block in blocks for batch in of_block]
            return Done(
                sum(stored.count(TileState.UNREADABLE, batch) for batch in batches),
                end.reading * spent,
                end.encoding * spent,
                end.writing * spent,
                tuple(slide.reader.doubts),
            )


def finish_set(target: Target) -> int:
    """Merge what is left in the journal: views, and what was done twice by a worker given up.

    Returns
    -------
    int
        Tiles that are background.
    """
    with _slide(target.job) as slide, _encoder(target.job) as taken:
        stored = _open(target, slide, taken.encoder)
        stored.close()
        return stored.count(TileState.BACKGROUND)


def forget() -> None:
    """Give back what is held of a run that has ended."""
    for shelf in (_sets, _slides, _encoders):
        shelf.clear()


# --- what a worker holds ----------------------------------------------------------------------


class TakenInTurns:
    """An encoder that several threads of a worker share: one encodes while others read."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._steady = encoder.steady()
        self._lock = threading.Lock()

    def steady(self) -> TakenInTurns:
        """Its passes are of one size already."""
        return self

    @property
    def note(self) -> str:
        """See `Encoder.note`."""
        return self._steady.note

    def encode(self, pixels: Pixels, keep: Collection[Part]) -> Encoding:
        """See `Encoder.encode`."""
        with self._lock:
            return self._steady.encode(pixels, keep)


_slides: Shelf[Slide] = Shelf(2, Slide.close)
_encoders: Shelf[TakenInTurns] = Shelf(1)
_sets: Shelf[StoredSet] = Shelf(8)


@contextmanager
def _slide(job: Job) -> Iterator[Slide]:
    source = job.source
    with _slides.borrowed((job.run, source), lambda: _open_slide(source)) as slide:
        yield slide


def _open_slide(source: Source) -> Slide:
    try:
        return open_slide(source.place, mpp=source.mpp, icc=source.icc)
    except SlideError as error:
        if isinstance(source.place, Path) and not source.place.exists():
            raise SlideError(
                f"There is no {source.place} on {platform.node()}.",
                "Slides have to be where all workers see them under the same path.",
            ) from error
        raise


@contextmanager
def _encoder(job: Job) -> Iterator[TakenInTurns]:
    with _encoders.borrowed((job.run, job.model), lambda: _load(job.model)) as taken:
        yield taken


def _load(model: Model) -> TakenInTurns:
    return TakenInTurns(
        load_encoder(
            model.name,
            device=_device(model.device),
            precision=cast(Precision, model.precision),
            weights=model.weights,
            accept_licence=model.accept_licence,
        )
    )


def _device(device: str) -> str:
    """Workers that count themselves through are processes of one machine."""
    from distributed import get_worker

    try:
        name = get_worker().name
    except ValueError:  # in no worker
        return device
    return nth_device(device, name) if isinstance(name, int) else device


def _open(target: Target, slide: Slide, encoder: Encoder) -> StoredSet:
    """The set as another worker has made it; a store that is not shared is not begun a second time.

    Raises
    ------
    StoreError
        If this machine does not see it.
    """
    until = time.monotonic() + SHARE_PATIENCE_S
    while not (target.path / "zarr.json").exists():
        if time.monotonic() > until:
            raise StoreError(
                f"{platform.node()} does not see what another worker has made in the store "
                f"{target.job.out}.",
                "The store has to be on storage that all workers share under the same path.",
            )
        time.sleep(0.2)
    stored = Store(target.job.out).open_set(slide, encoder, target.grid)
    stored.be_patient(MERGE_PATIENCE_S)
    return stored


def _run(
    slide: Slide,
    taken: TakenInTurns,
    stored: StoredSet,
    blocks: Collection[Block],
    keep: Collection[Part],
) -> Progress:
    """Bring some blocks to their end."""
    tiles = sum(len(batch) for _, _, batches in blocks for batch in batches)
    plan = Plan(tuple(blocks), tiles, sum(len(rest) for _, rest, _ in blocks))
    steps = [p for _, p in encode_slide(slide, cast(Encoder, taken), stored, plan, keep)]
    return steps[-1] if steps else Progress(0, 0)


def _agree(target: Target, slide: Slide, encoder: Encoder) -> None:
    """Make sure that this machine would compute the vectors that were planned.

    Raises
    ------
    SlideError, EncoderError
        If its slide or its encoder is another.
    """
    if slide.fingerprint != target.fingerprint:
        raise SlideError(
            f"{slide.name} is another file on {platform.node()} than where the run was planned.",
            "Slides have to be the same for all workers, and stay as they are while they are read.",
        )
    planned: dict[str, Any] = json.loads(target.identity)
    here: dict[str, Any] = json.loads(json.dumps(encoder.identity))
    for what, value in planned.items():
        if here.get(what) != value:
            raise EncoderError(
                f"{encoder.entry.name} is not the same everywhere: its {what.replace('_', ' ')} on "
                f"{platform.node()} is {here.get(what)}, not {value}.",
                "Give all workers the same weights, and a precision that all can compute in.",
            )
