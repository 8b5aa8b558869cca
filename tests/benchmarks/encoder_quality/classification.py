"""Labels: how well classes can be read off the frozen features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from napari_scalescope.analysis.probe import (
    METRICS,
    Task,
    cross_validation,
    evaluate,
    leave_slides_out,
)
from napari_scalescope.analysis.probe.bootstrap import (
    Score,
    balanced_accuracy,
    mean_score,
    resample,
)
from napari_scalescope.slides.slide import Pixels

from . import data
from .features import Bank, say

#: Vectors (n, D) by the name of the encoder.
Vectors = dict[str, npt.NDArray[np.float32]]

CONFOUNDED = (
    "slide identity is confounded with the label: each of the 4 slides holds one class, so that "
    "colour alone may reach 1.0"
)
MEANS = ("mean", "mean without confounded")


def run(bank: Bank, final: bool) -> dict[str, Any]:
    """Balanced accuracy of every encoder on every set, and the means over the sets."""
    sets: dict[str, Any] = {}
    for task, features in _tasks(bank, final):
        say(f"probing {task.name}")
        tested = np.unique(np.concatenate([test for _, test in task.folds]))
        labels = task.labels[tested]
        weights = resample(labels, task.items)
        scores: dict[str, dict[str, Score]] = {metric: {} for metric in METRICS}
        details: dict[str, dict[str, Any]] = {}
        for name, vectors in features.items():
            # On products this small BLAS threads wait for each other: five times as long.
            with threadpool_limits(1):
                tallies = evaluate(vectors, task)
            for metric, tally in tallies.items():
                scores[metric][name] = balanced_accuracy(
                    tally.right[tested], tally.tries[tested], labels, weights
                )
            details[name] = {k: v for tally in tallies.values() for k, v in tally.details.items()}
        values, counts = np.unique(labels, return_counts=True)
        sets[task.name] = {
            "n": len(labels),
            "classes": dict(zip(values.tolist(), counts.tolist(), strict=True)),
            "folds": len(task.folds),
            "note": task.note,
            "confounded": task.confounded,
            "scores": scores,
            "details": details,
        }
    return {"sets": sets, "means": _means(sets)}


def _means(sets: dict[str, Any]) -> dict[str, dict[str, dict[str, Score]]]:
    chosen = {MEANS[0]: list(sets.values())}
    chosen[MEANS[1]] = [s for s in sets.values() if not s["confounded"]]
    return {
        title: {
            metric: {
                name: mean_score([s["scores"][metric][name] for s in members])
                for name in members[0]["scores"][metric]
            }
            for metric in METRICS
        }
        for title, members in chosen.items()
        if members
    }


def _tasks(bank: Bank, final: bool) -> Iterator[tuple[Task, Vectors]]:
    """Each task with the features of its tiles by encoder. Tiles are let go in between."""
    pixels, labels, _ = data.stored_tiles("lc25000_lung_224")
    name = "LC25000 lung"
    yield (
        Task(name, labels, cross_validation(labels), False, name, "5-fold; one tile per image"),
        _vectors(bank, name, pixels),
    )
    pixels, labels, groups = data.stored_tiles("tcga_luad_lusc")
    name = "TCGA LUAD/LUSC"
    vectors = _vectors(bank, name, pixels)
    folds = cross_validation(labels)
    yield (
        Task(f"{name}, 5-fold", labels, folds, False, f"{name} cv", CONFOUNDED, True),
        vectors,
    )
    note = (
        "learnt from one slide of each class, tested on the other two, all 4 choices pooled; "
        "the intervals are over tiles, not over slides"
    )
    folds = leave_slides_out(labels, groups)
    yield Task(f"{name}, slides left out", labels, folds, True, f"{name} lso", note), vectors
    yield from _spots(bank, final)


def _spots(bank: Bank, final: bool) -> Iterator[tuple[Task, Vectors]]:
    sections = data.DEVELOPMENT + (data.FINAL if final else ())
    for field, title in ((1.0, "0.69 µm/px"), (2.0, "1.38 µm/px")):
        read = [data.her2st_spots(section, field) for section in sections]
        pixels = np.concatenate([tiles for tiles, _ in read])
        labels = np.concatenate([found for _, found in read])
        section = np.repeat(sections, [len(found) for _, found in read])
        tested = data.FINAL if final else data.DEVELOPMENT
        folds = []
        for one in tested:
            learnt = [s for s in data.DEVELOPMENT if s != one]
            train, test = np.isin(section, learnt), section == one
            folds.append((np.flatnonzero(train), np.flatnonzero(test)))
        how = "C3+C4 → C6" if final else "C3 → C4 and C4 → C3"
        note = f"{how}, 7 clusters of gene expression; sections of one tumour"
        task = Task(f"HER2ST {title}", labels, folds, True, f"her2st {how}", note)
        yield task, _vectors(bank, task.name, pixels)


def _vectors(bank: Bank, title: str, pixels: Pixels) -> Vectors:
    return {name: found.embedding for name, found in bank.features(title, pixels)}
