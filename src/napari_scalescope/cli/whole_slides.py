"""`scalescope embed`: many slides, encoders and resolutions, one report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, cast

from ..embeddings import Store, TileState
from ..embeddings.embedding_set import Part
from ..embeddings.pipeline import fill
from ..embeddings.progress import reporter
from ..encoders import Encoder, load_encoder
from ..encoders.encoder import Precision
from ..errors import ScaleScopeError
from ..geometry import TileGrid
from ..slides import Slide, TissueMask, open_slide, tissue_mask


@dataclass(frozen=True)
class Request:
    """What to embed and how; the arguments of `scalescope embed`."""

    slides: tuple[Path, ...]
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


def embed_slides(request: Request, *, bar: bool = False) -> dict[str, Any]:
    """Embed every slide with every encoder at every resolution.

    An encoder that cannot be loaded ends it; a slide that cannot be read is reported and the
    others go on.

    Returns
    -------
    dict
        ``sets``: one row per slide, encoder and resolution. ``failed``: slides with the error.
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
    failed: list[dict[str, str]] = []
    for path in request.slides:
        try:
            with open_slide(path, mpp=request.slide_mpp) as slide:
                slide.require_mpp()
                mask = tissue_mask(slide) if request.tissue else None
                for encoder, mpp in product(encoders, request.mpps):
                    sets.append(_embed_one(request, slide, encoder, mpp, mask, bar))
        except ScaleScopeError as error:
            failed.append({"slide": str(path), "error": error.problem, "remedy": error.remedy})
    return {"out": str(request.out), "sets": sets, "failed": failed}


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
        "encoded": end.done,
        "unreadable": stored.count(TileState.UNREADABLE),
        "seconds": round(time.perf_counter() - started, 3),
        "path": str(stored.path),
    }
