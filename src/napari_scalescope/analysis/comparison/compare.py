"""`compare_encoders`: every encoder at every magnification on one slide."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from ...embeddings import Store
from ...embeddings.embedding_set import EmbeddingSet
from ...embeddings.pipeline import encode_works
from ...embeddings.plan import Work, make_plan
from ...encoders import Encoder
from ...geometry import TileGrid
from ...regions import Regions
from ...slides import Slide, TissueMask, tissue_mask
from ..robustness import PERTURBATIONS, Stability, stability
from .across import across_scales
from .alike import compared, described, draw
from .labelled import BLOCK_UM, Labelled, probe_encoders
from .numbers import Number
from .speed import tiles_per_second

#: Tiles that stability is measured on.
PERTURBED = 128
#: Tiles that speed is measured on.
TIMED = 32

Report = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What encoders make of one slide at several magnifications.

    Parameters
    ----------
    slide : str
    numbers : list of Number
        A tidy table.
    sets : mapping of (name, mpp) to EmbeddingSet
    stability : mapping of (name, mpp) to Stability
    labelled : mapping of mpp to Labelled
        Empty without labels.
    notes : list of str
        What could not be measured, and why.
    """

    slide: str
    numbers: list[Number]
    sets: Mapping[tuple[str, float], EmbeddingSet]
    stability: Mapping[tuple[str, float], Stability] = field(default_factory=dict)
    labelled: Mapping[float, Labelled] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def encoders(self) -> list[str]:
        """Their names, in the order given."""
        return list(dict.fromkeys(name for name, _ in self.sets))

    @property
    def mpps(self) -> list[float]:
        """The resolutions, finest first."""
        return sorted({mpp for _, mpp in self.sets})

    def of(self, measure: str, encoder: str, mpp: float) -> Number | None:
        """One number that describes an encoder at a resolution, None where there is none."""
        for n in self.numbers:
            if (n.measure, n.encoder, n.mpp, n.other) == (measure, encoder, mpp, ""):
                return n
        return None


def compare_encoders(
    slide: Slide,
    encoders: Sequence[Encoder],
    mpps: Sequence[float] = (0.5, 1.0, 2.0),
    labels: Regions | None = None,
    *,
    store: str | Path | None = None,
    tissue: bool | TissueMask = True,
    perturbations: Collection[str] = tuple(PERTURBATIONS),
    block_um: float = BLOCK_UM,
    report: Report = lambda what, share: None,
) -> Comparison:
    """Compare encoders on one slide: with each other, across magnifications, and on my labels.

    All are encoded in one pass over the slide's pixels, and what a store has already is not
    computed again. Stability is measured on 128 tiles of tissue, drawn once for each resolution,
    speed on 32.

    Parameters
    ----------
    slide : Slide
        Of known resolution.
    encoders : sequence of Encoder
        Each once.
    mpps : sequence of float
        µm per pixel.
    labels : Regions, optional
        With classes: then probes are compared too.
    store : path, optional
        Folder of embeddings. Default: a temporary one.
    tissue : bool or TissueMask
        Leave out background.
    perturbations : collection of str
        Keys of `robustness.PERTURBATIONS`; empty leaves stability out.
    block_um : float
        Side of the squares of tissue that probes learn from or are tested on: `probe_encoders`.
    report : callable
        Given what is being done, in words, and the share that is finished, 0 to 1.

    Raises
    ------
    ValueError
        If an encoder is given twice.
    EncoderError, SlideError, StoreError, ResolutionError
    """
    names = [e.name for e in encoders]
    if len(set(names)) < len(names):
        raise ValueError("each encoder is compared once")
    slide.require_brightfield()
    slide.require_mpp()
    mask = tissue_mask(slide) if tissue is True else (tissue or None)
    with tempfile.TemporaryDirectory(prefix="scalescope-") as temporary:
        sets = _embedded(slide, encoders, mpps, Path(store or temporary), mask, report)
        if store is None:  # the files go
            for emb in sets.values():
                _ = emb.vectors
    numbers: list[Number] = []
    notes: list[str] = []
    for (name, _), emb in sets.items():
        numbers += described(name, emb) if len(emb) > 3 else ()
    for encoder in encoders:
        own = {mpp: sets[encoder.name, mpp] for mpp in mpps}
        numbers += across_scales(encoder.name, {m: e for m, e in own.items() if len(e) > 1})
    labelled: dict[float, Labelled] = {}
    for i, mpp in enumerate(mpps):
        report(f"Comparing at {mpp:g} µm/px", 0.6 + 0.1 * i / len(mpps))
        at = {name: sets[name, mpp] for name in names}
        try:
            numbers += compared(at)
            if labels is not None:
                labelled[mpp] = probe_encoders(at, labels, block_um=block_um)
                numbers += labelled[mpp].numbers
        except ValueError as error:
            notes.append(f"At {mpp:g} µm/px: {error}.")
    found: dict[tuple[str, float], Stability] = {}
    for i, (encoder, mpp) in enumerate(product(encoders, mpps)):
        report(f"Perturbing {encoder.name} at {mpp:g} µm/px", 0.7 + 0.3 * i / len(sets))
        emb = sets[encoder.name, mpp]
        tiles = emb.tiles[draw(len(emb), PERTURBED)]
        if len(tiles) < 2:
            continue
        numbers.append(_speed(slide, encoder, emb))
        if perturbations:
            moved = stability(slide, encoder, emb.grid, tiles, perturbations)
            found[encoder.name, mpp] = moved
            numbers += (
                Number(f"drift, {key}", encoder.name, mpp, moved.relative(key), n=len(tiles))
                for key in perturbations
            )
    report("Compared", 1.0)
    return Comparison(slide.name, numbers, sets, found, labelled, notes)


def _embedded(
    slide: Slide,
    encoders: Sequence[Encoder],
    mpps: Sequence[float],
    store: Path,
    mask: TissueMask | None,
    report: Report,
) -> dict[tuple[str, float], EmbeddingSet]:
    works = {}
    for encoder, mpp in product(encoders, mpps):
        grid = TileGrid.cover(slide, mpp, encoder.entry.input_px)
        stored = Store(store).open_set(slide, encoder, grid)
        plan = make_plan(grid, stored.block, encoder.feed, mask)
        works[encoder.name, mpp] = Work(encoder, stored, plan, ())
    total = sum(work.plan.tissue for work in works.values())
    done = dict.fromkeys(works.values(), 0)
    for work, _, progress in encode_works(slide, list(works.values())):
        done[work] = progress.done + progress.reused
        report(f"Encoding {slide.name}", 0.6 * sum(done.values()) / max(1, total))
    for work in works.values():
        work.stored.close()
    return {key: work.stored.embeddings() for key, work in works.items()}


def _speed(slide: Slide, encoder: Encoder, emb: EmbeddingSet) -> Number:
    px = emb.grid.tile_px
    boxes = emb.grid.boxes(emb.tiles[draw(len(emb), TIMED)])
    pixels = np.stack([slide.read(tuple(b), size=(px, px)) for b in boxes.tolist()])
    rate = tiles_per_second(encoder, pixels)
    note = f"{len(emb)} tiles, {60 * rate / len(emb):.3g} slides like this one per minute"
    return Number("speed", encoder.name, emb.grid.mpp, rate, n=len(pixels), note=note)
