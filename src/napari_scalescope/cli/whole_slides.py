"""`scalescope embed`: many slides, encoders and resolutions, one report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

from ..embeddings import Store
from ..embeddings.embedding_set import Part
from ..embeddings.pipeline import fill
from ..embeddings.progress import reporter
from ..encoders import Encoder, load_encoder
from ..encoders.devices import Precision
from ..errors import ScaleScopeError, SlideError
from ..geometry import TileGrid
from ..slides import Slide, TissueMask, open_slide, tissue_mask


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


def embed_slides(request: Request, *, bar: bool = False) -> dict[str, Any]:
    """Embed every slide with every encoder at every resolution.

    An encoder that cannot be loaded ends it; a slide that cannot be read is reported and the
    others go on.

    Returns
    -------
    dict
        ``sets``: one row per slide, encoder and resolution; of its ``tiles``, some were
        ``encoded`` now, some were ``reused``, and the ``unreadable`` have no vector. ``warnings``:
        slides with what is doubtful. ``failed``: slides with the error; those of which tiles were
        wanted and none could be read are among them.
    """
    encoders = [
        load_encoder(
            name,
            device=request.device,
            precision=cast(Precision, request.precision),
            weights=request.weights,
        )
        for name in request.encoders
    ]
    sets: list[dict[str, Any]] = []
    doubts: list[dict[str, str]] = []
    failed: list[dict[str, str]] = []
    for path in request.slides:
        try:
            with open_slide(path, mpp=request.slide_mpp, icc=request.icc) as slide:
                slide.require_brightfield()
                slide.require_mpp()
                mask = tissue_mask(slide) if request.tissue else None
                if mask is not None:
                    doubts += [{"slide": str(path), "warning": w} for w in mask.warnings]
                for encoder, mpp in product(encoders, request.mpps):
                    row = _embed_one(request, slide, encoder, mpp, mask, bar)
                    sets.append(row)
                    if row["tiles"] and row["tiles"] == row["unreadable"]:
                        failed.append(_failure(path, _all_damaged(row)))
                doubts += [{"slide": str(path), "warning": w} for w in slide.reader.doubts]
        except ScaleScopeError as error:
            failed.append(_failure(path, error))
    return {"out": str(request.out), "sets": sets, "warnings": doubts, "failed": failed}


def _failure(path: str | Path, error: ScaleScopeError) -> dict[str, str]:
    return {"slide": str(path), "error": error.problem, "remedy": error.remedy}


def _all_damaged(row: dict[str, Any]) -> SlideError:
    return SlideError(
        f"{row['slide']} is damaged: none of its {row['tiles']} tiles at {row['mpp']:g} µm/px "
        "can be decoded.",
        "Copy the file again from its source.",
    )


def _embed_one(
    request: Request,
    slide: Slide,
    encoder: Encoder,
    mpp: float,
    mask: TissueMask | None,
    bar: bool,
) -> dict[str, Any]:
    started = time.perf_counter()
    tile_px = request.tile_px or encoder.entry.input_px
    grid = TileGrid.cover(slide, mpp, tile_px, request.stride_px)
    stored = Store(request.out).open_set(slide, encoder, grid)
    keep = cast(tuple[Part, ...], request.keep)
    with reporter(bar, f"{slide.name} · {encoder.name} · {mpp:g} µm/px") as report:
        end = fill(slide, encoder, stored, mask, keep, report)
    return {
        "slide": slide.name,
        "encoder": encoder.name,
        "mpp": mpp,
        "tiles": end.done + end.reused,
        "encoded": end.done - end.unreadable,
        "reused": end.reused,
        "unreadable": end.unreadable,
        "seconds": round(time.perf_counter() - started, 3),
        "path": str(stored.path),
    }
