"""Whole slides on many machines: the job of `scalescope embed`, on `dask.distributed`.

This machine only hands out work and counts. Workers find the tissue, make the sets and encode
them in *shards*: a few neighbouring blocks of one set, which no other worker touches meanwhile.
Their vectors go to the store and nowhere else, so the store has to be where all workers see it. A
worker that dies loses a batch or two: whoever gets its shard next finds the others there.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, cast

from ..slides.formats.remote import place_of
from . import shards
from .clusters import Scheduler, connected
from .crew import Crew
from .embedding_set import Part
from .progress import Report, reporter
from .report import Outcome
from .shards import Job, Model, Source, Tiling

#: How long to wait for a worker.
WAIT_S = 300.0
#: Given a slide that is done and what came of it.
Tell = Callable[[str | Path, Outcome], None]


def embed_distributed(
    slides: Sequence[str | Path],
    encoders: Sequence[str],
    mpps: Sequence[float],
    out: str | Path,
    *,
    scheduler: Scheduler,
    tile_px: int | None = None,
    stride_px: int | None = None,
    keep: Sequence[str] = (),
    tissue: bool = True,
    device: str = "auto",
    precision: str = "auto",
    weights: str | Path | None = None,
    slide_mpp: float | None = None,
    icc: bool = False,
    skip_existing: bool = False,
    accept_licence: bool = False,
    progress: bool | Report = False,
    tell: Tell = lambda _slide, _outcome: None,
    retries: int = 2,
    wait_s: float = WAIT_S,
) -> dict[str, Any]:
    """Embed every slide with every encoder at every resolution, on the workers of a cluster.

    Parameters
    ----------
    slides : sequence of paths or URLs
        Where all workers see them.
    encoders : sequence of str
        Ids, as `load_encoder` takes them. A worker holds one at a time.
    mpps : sequence of float
        µm per tile pixel.
    out : path
        Folder of the store, on storage that all workers share.
    scheduler : str, path, Client or cluster
        See `connected`.
    tile_px, stride_px, keep, tissue, device, precision, weights, slide_mpp, icc, accept_licence
        As for `embed`, `load_encoder` and `open_slide`.
    skip_existing : bool
        Pass over slides whose sets are complete, without looking for tissue.
    progress : bool or callable
        True prints a bar; a callable is given a `Progress` after each shard.
    tell : callable
        Called with each slide as it is done, in whatever order, and its `Outcome`.
    retries : int
        How often a shard that failed is tried again before its slide is given up.
    wait_s : float
        How long to go on without any worker.

    Returns
    -------
    dict
        What `scalescope embed --json` prints, but for the log. A slide that fails is among
        ``failed``, and the others go on.

    Raises
    ------
    EncoderError
        If an encoder cannot be loaded.
    ClusterError
        If the cluster cannot be used, or is lost. What is encoded is kept: the next run goes on.
    """
    run = uuid.uuid4().hex
    file = None if weights is None else Path(weights).expanduser().absolute()
    tiling = Tiling(tuple(dict.fromkeys(mpps)), tile_px, stride_px, tissue)
    parts = cast(tuple[Part, ...], tuple(keep))
    store = Path(out).expanduser().absolute()
    models: dict[str, Model] = {}  # by the encoder's id
    untold = set(range(len(slides)))

    def jobs(model: Model) -> list[Job]:
        sources = (Source(_seen_by_all(slide), slide_mpp, icc) for slide in slides)
        return [Job(run, source, model, tiling, store, parts) for source in sources]

    def outcome_of(number: int) -> Outcome:
        slide, outcome = slides[number], Outcome()
        for name, mpp in product(models, tiling.mpps):
            if (number, name, mpp) in crew.rows:
                outcome.done(slide, crew.rows[number, name, mpp])
        if number in crew.failed:
            outcome.fail(slide, crew.failed[number])
        if number in crew.skipped:
            outcome.skip(slide)
        outcome.warn(slide, crew.doubts[number])
        return outcome

    def over(number: int) -> None:
        whole = len(models) * len(tiling.mpps)
        ended = number in crew.failed or number in crew.skipped
        outcome = outcome_of(number)
        if number in untold and (ended or len(outcome.sets) == whole):
            untold.discard(number)
            tell(slides[number], outcome)

    with connected(scheduler, wait_s, device) as client:
        title = f"{len(slides)} slides on {len(client.nthreads())} workers"
        with reporter(progress, title) as report:
            crew = Crew(client, report, over, retries, wait_s)
            try:
                for name in dict.fromkeys(encoders):
                    model = Model(name, device, precision, file, accept_licence)
                    models[crew.wait_for(shards.introduce, run, model)] = model
                if skip_existing:
                    crew.pass_over([jobs(model) for model in models.values()])
                for name, model in models.items():
                    crew.encode(name, jobs(model))
            finally:
                crew.leave()
    every = Outcome()
    for number in range(len(slides)):
        every.add(outcome_of(number))
    return {"out": str(out), **vars(every)}


def _seen_by_all(slide: str | Path) -> str | Path:
    place = place_of(slide)
    return place.absolute() if isinstance(place, Path) else place
