"""Which encoder, and which magnification, separates my labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from ...embeddings.embedding_set import EmbeddingSet
from ...regions import Regions, palette
from ..probe import (
    METRICS,
    Tally,
    Task,
    delong,
    evaluate,
    mcnemar,
    resample,
    scores_of,
    spatial_blocks,
    tile_labels,
)
from ..probe.evaluation import DRAWS
from ..tile_map import MapClass, TileMap
from .numbers import Number
from .places import common_places

#: Side of the squares that are learnt from or tested as a whole, µm.
BLOCK_UM = 1000.0
#: Tiles of a class that are too few to learn it or to say how well it was learnt.
LEAST = 8


@dataclass(frozen=True, eq=False)
class Labelled:
    """Probes of several encoders on the same labelled tiles of one slide.

    Parameters
    ----------
    numbers : list of Number
        Balanced accuracy, macro-F1 and AUC of each probe with intervals, and for each encoder how
        likely its distance to the best one is where there is none.
    tallies : dict of dict of Tally
        By encoder and probe: every prediction.
    tiles : (n, 2) int
        Of the first set's grid.
    first : EmbeddingSet
    labels : (n,) str
    left_out : tuple of str
        Classes that cannot be tested: those of fewer than 8 tiles, and see `spatial_blocks`.
    """

    numbers: list[Number]
    tallies: dict[str, dict[str, Tally]]
    tiles: npt.NDArray[np.int64]
    first: EmbeddingSet
    labels: npt.NDArray[np.str_]
    left_out: tuple[str, ...]

    def best_map(self) -> TileMap:
        """Of each labelled tile the encoder that recognised it most often.

        Of all predictions of the tile, by every probe and in every draw, the share that was right
        is compared. Probabilities are not: they depend on each probe's penalty.
        """
        names = list(self.tallies)
        right = np.stack([sum(t.right for t in self.tallies[n].values()) for n in names], axis=1)
        tries = sum(t.tries for t in self.tallies[names[0]].values())
        ahead = np.sort(right, axis=1)
        tested = np.asarray(tries) > 0
        alike = len(names) > 1 and (ahead[:, -1] == ahead[:, -2])
        best = np.where(tested, np.where(alike, len(names), right.argmax(1)) + 1, 0)
        values = np.zeros(self.first.grid.shape, np.uint8)
        values[self.tiles[:, 0], self.tiles[:, 1]] = best
        colours = palette(len(names))
        return TileMap(
            "Best encoder under my labels",
            values,
            self.first.grid.placement,
            "class",
            classes=(
                *(MapClass(i, *of) for i, of in enumerate(zip(names, colours, strict=True), 1)),
                MapClass(len(names) + 1, "no difference", (160, 160, 160)),
            ),
            legend="The encoder whose probes recognised a tile most often, on tissue they had not "
            "learnt from.",
            mpp=self.first.grid.mpp,
        )


def probe_encoders(
    sets: Mapping[str, EmbeddingSet],
    regions: Regions,
    *,
    block_um: float = BLOCK_UM,
    draws: int = DRAWS,
) -> Labelled:
    """Probe several encoders on the labelled tiles that all of them have.

    Tiles are shared out in squares of tissue with a gap of a tile between what is learnt from and
    what is tested (`spatial_blocks`), the same for every encoder; intervals are over the same
    bootstrap samples, so that differences are paired. McNemar's test compares accuracies of the
    logistic probe, DeLong's its areas under the curve where there are two classes.

    Parameters
    ----------
    sets : mapping of name to EmbeddingSet
        Of one slide at one resolution.
    regions : Regions
        With classes.
    block_um : float
    draws : int
        Of few-shot examples.

    Raises
    ------
    ValueError
        If fewer than two classes can be tested.
    """
    embs = list(sets.values())
    places = common_places(embs)
    first = embs[0]
    tiles = first.tiles[places[:, 0]]
    labels = tile_labels(first.grid, tiles, regions)
    counts = {str(v): int((labels == v).sum()) for v in np.unique(labels) if v}
    rare = tuple(v for v, n in counts.items() if n < LEAST)
    known = np.flatnonzero((labels != "") & ~np.isin(labels, rare))
    places, tiles, labels = places[known], tiles[known], labels[known]
    side_um = max(e.grid.tile_um for e in embs)
    blocks = spatial_blocks(
        first.grid.centres(tiles) * first.grid.slide_mpp, labels, block_um=block_um, gap_um=side_um
    )
    if not blocks.folds:
        raise ValueError("labels are too few, or too close together, to be tested apart")
    fingerprint = str(first.provenance.get("slide", {}).get("fingerprint", ""))
    task = Task("labels", labels, blocks.folds, given=True, items=f"{fingerprint} {first.grid.mpp}")
    weights = resample(labels, task.items)
    # On products this small BLAS threads wait for each other: five times as long.
    with threadpool_limits(1):
        tallies = {
            name: evaluate(emb.vectors[places[:, j]], task, draws)
            for j, (name, emb) in enumerate(sets.items())
        }
    numbers = []
    for name, of in tallies.items():
        facts = {"encoder": name, "mpp": sets[name].grid.mpp, "n": len(of["kNN"].tested)}
        for metric in METRICS:
            for measure, score in scores_of(of[metric], weights)._asdict().items():
                numbers.append(Number.of(score, measure=f"{measure}, {metric}", **facts))
    numbers += _tests(sets, tallies)
    return Labelled(numbers, tallies, tiles, first, labels, (*rare, *blocks.left_out))


def _tests(
    sets: Mapping[str, EmbeddingSet], tallies: Mapping[str, Mapping[str, Tally]]
) -> list[Number]:
    """Every encoder against the one whose logistic probe is the most accurate."""
    of = {name: t["logistic"] for name, t in tallies.items()}
    best = max(of, key=lambda name: of[name].right.sum())
    found = []
    for name, tally in of.items():
        if name == best:
            continue
        at = tally.tested
        facts = {
            "encoder": name, "mpp": sets[name].grid.mpp, "other": best,
            "other_mpp": sets[best].grid.mpp, "n": len(at),
        }  # fmt: skip
        accuracy = mcnemar(tally.right[at] > 0, of[best].right[at] > 0)
        found.append(Number(measure="p, McNemar", value=accuracy.p, **facts))  # type: ignore[arg-type]
        if len(tally.classes) == 2 and np.bincount(tally.truth[at], minlength=2).min() > 1:
            area = delong(tally.shares[at, 1], of[best].shares[at, 1], tally.truth[at] == 1)
            found.append(Number(measure="p, DeLong", value=area.p, **facts))  # type: ignore[arg-type]
    return found
