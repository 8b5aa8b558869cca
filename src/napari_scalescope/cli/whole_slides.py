"""`scalescope embed`: many slides, encoders and resolutions, one report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

from ..embeddings import Store
from ..embeddings.embedding_set import Part, TileState
from ..embeddings.pipeline import encode_works
from ..embeddings.plan import Work, make_plan
from ..embeddings.progress import Meter, Progress, Report, reporter
from ..embeddings.report import Outcome, row
from ..embeddings.stored_set import StoredSet
from ..encoders import Encoder, load_encoder
from ..encoders.devices import Precision
from ..errors import ScaleScopeError
from ..geometry import TileGrid
from ..slides import Slide, TissueMask, open_slide, tissue_mask
from .run_log import RunLog


@dataclass(frozen=True)
class Request:
    """What to embed and how; the arguments of `scalescope embed`."""

    slides: tuple[str | Path, ...]
    encoders: tuple[str, ...]
    mpps: tuple[float, ...]
    out: Path
    tile_px: int | None = None
    stride_px: int | None = None
    keep: tuple[str, ...] = ()
    tissue: bool = True
    device: str = "auto"
    precision: str = "auto"
    weights: Path | None = None
    slide_mpp: float | None = None
    icc: bool = False
    skip_existing: bool = False
    accept_licence: bool = False
    scheduler: str | None = None


def embed_slides(request: Request, *, bar: bool = False) -> dict[str, Any]:
    """Embed every slide with every encoder at every resolution, each slide in one pass.

    An encoder that cannot be loaded ends it; a slide that cannot be read is reported and the
    others go on. What happened is also in a log beside the store's sets: see `RunLog`.

    Returns
    -------
    dict
        ``sets``: one row per slide, encoder and resolution; of its ``tiles``, some were
        ``encoded`` now, some were ``reused``, and the ``unreadable`` have no vector. ``skipped``:
        slides of which every set was complete (``skip_existing``). ``warnings``: slides with what
        is doubtful. ``failed``: slides with the error; those of which tiles were wanted and none
        could be read are among them. ``log``: the log's path.
    """
    if request.scheduler is not None:
        return _on_cluster(request, bar)
    encoders = [
        load_encoder(
            name,
            device=request.device,
            precision=cast(Precision, request.precision),
            weights=request.weights,
            accept_licence=request.accept_licence,
        )
        for name in request.encoders
    ]
    slides = list(expanded(request.slides))
    every = Outcome()
    with RunLog(request.out, {**asdict(request), "slides": len(slides)}) as log:
        for number, path in enumerate(slides, 1):
            place = f"{number}/{len(slides)} " if len(slides) > 1 else ""
            outcome = Outcome()
            try:
                _embed_one(request, encoders, path, outcome, bar, place)
            except ScaleScopeError as error:
                outcome.fail(path, error)
            log.tell(path, outcome)
            every.add(outcome)
    return {"out": str(request.out), **vars(every), "log": str(log.path)}


def _on_cluster(request: Request, bar: bool) -> dict[str, Any]:
    """The same on a cluster, all slides at once: they are logged in the order they are done in."""
    from ..embeddings.distributed import embed_distributed

    slides = list(expanded(request.slides))
    with RunLog(request.out, {**asdict(request), "slides": len(slides)}) as log:
        asked = {**vars(request), "slides": slides}
        report = embed_distributed(**asked, progress=bar, tell=log.tell)
    return {**report, "log": str(log.path)}


def expanded(slides: Iterable[str | Path]) -> Iterator[str | Path]:
    """Slides by their paths, with patterns (``*``, ``?``, ``**``) and folders resolved.

    A folder stands for all files in it that may be slides. A path without a pattern is passed on
    as it is, whether it exists or not: opening it says what is wrong. Each comes once.
    """
    seen: set[str] = set()
    for given in slides:
        for path in _matching(str(given)):
            if str(path) not in seen:
                seen.add(str(path))
                yield path


def _matching(given: str) -> list[str | Path]:
    import glob

    from ..slides.formats import may_be_slide

    path = Path(given)
    if "://" in given or path.is_file():
        return [given]
    if path.is_dir() and not may_be_slide(path):
        return sorted(p for p in path.iterdir() if may_be_slide(p))
    if not path.exists() and glob.has_magic(given):
        hits = sorted(Path(p) for p in glob.glob(given, recursive=True))  # noqa: PTH207
        return [p for p in hits if p.is_file() or may_be_slide(p)] or [given]
    return [given]


def _embed_one(
    request: Request,
    encoders: list[Encoder],
    path: str | Path,
    outcome: Outcome,
    bar: bool,
    place: str,
) -> None:
    with open_slide(path, mpp=request.slide_mpp, icc=request.icc) as slide:
        slide.require_brightfield()
        slide.require_mpp()
        pairs = [
            (encoder, _open(request, slide, encoder, mpp))
            for encoder, mpp in product(encoders, request.mpps)
        ]
        if request.skip_existing and all(stored.complete(_keep(request)) for _, stored in pairs):
            outcome.skip(path)
            return
        mask = tissue_mask(slide) if request.tissue else None
        if mask is not None:
            outcome.warn(path, mask.warnings)
        works = [_work(request, encoder, stored, mask) for encoder, stored in pairs]
        with reporter(bar, f"{place}{slide.name}") as report:
            for line in _encode(slide, works, report):
                outcome.done(path, line)
        outcome.warn(path, slide.reader.doubts)


def _keep(request: Request) -> tuple[Part, ...]:
    return cast(tuple[Part, ...], request.keep)


def _open(request: Request, slide: Slide, encoder: Encoder, mpp: float) -> StoredSet:
    tile_px = request.tile_px or encoder.entry.input_px
    grid = TileGrid.cover(slide, mpp, tile_px, request.stride_px)
    return Store(request.out).open_set(slide, encoder, grid)


def _work(request: Request, encoder: Encoder, stored: StoredSet, mask: TissueMask | None) -> Work:
    plan = make_plan(stored.grid, stored.block, encoder.feed, mask)
    return Work(encoder, stored, plan, _keep(request))


def _encode(slide: Slide, works: list[Work], report: Report) -> Iterator[dict[str, Any]]:
    """Encode a slide; yields a row for each work at the end."""
    started = time.perf_counter()
    lasts = {work: Progress(0, 0, work.plan.tissue) for work in works}
    seconds = dict.fromkeys(works, 0.0)
    overall = Meter(0)
    for work, _, progress in encode_works(slide, works, overall=overall):
        lasts[work], seconds[work] = progress, time.perf_counter() - started
        report(overall.now())
    for work, end in lasts.items():
        work.stored.close()
        yield row(
            slide.name,
            work.encoder.name,
            work.stored.grid.mpp,
            end,
            work.stored.count(TileState.BACKGROUND),
            seconds[work],
            work.stored.path,
        )
