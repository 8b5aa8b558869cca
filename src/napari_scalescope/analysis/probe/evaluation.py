"""Probes tried on what they have not seen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .classifiers import Labels, Vectors, best_c, logistic, neighbours, row_space, standardised
from .folds import Fold, Ints, drawn

DRAWS = 50
#: Where the baselines, not the encoder under test, do best on average.
FEW_SHOT_C = 1e-1
METRICS = ("kNN", "logistic", "few-shot")


@dataclass(frozen=True, eq=False)
class Task:
    """Labelled tiles, and which are learnt from and which tested.

    Parameters
    ----------
    name : str
    labels : (n,) str
    folds : list of (train, test)
        Positions. An item may be tested in several folds, and is then counted as often.
    given : bool
        Whether the folds are a given split, which few-shot draws keep to. Else they are cross
        validation, and every tile that was not drawn is tested.
    items : str
        Name of what is resampled: tasks of one name are about the same places.
    note : str
    """

    name: str
    labels: Labels
    folds: list[Fold]
    given: bool
    items: str
    note: str = ""
    confounded: bool = False


@dataclass(eq=False)
class Tally:
    """What was predicted of each item: it may be tested several times, or never.

    Parameters
    ----------
    classes : (c,) str
    truth : (n,) int
        Positions in ``classes``.
    right, tries : (n,) int
        How often it was predicted rightly, and at all.
    shares : (n, c) float64
        Sum over the tries of what each class got.
    """

    classes: Labels
    truth: Ints
    right: Ints
    tries: Ints
    shares: npt.NDArray[np.float64]
    details: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: Labels) -> Tally:
        """Nothing predicted yet."""
        classes, truth = np.unique(labels, return_inverse=True)
        n = len(labels)
        zeros = np.zeros((n, len(classes)))
        return cls(classes, truth.astype(np.int64), np.zeros(n, int), np.zeros(n, int), zeros)

    def add(self, test: Ints, shares: npt.NDArray[np.float64], among: Labels) -> None:
        """Note a prediction of some items: (m, k), of the classes that were learnt."""
        columns = np.searchsorted(self.classes, among)
        self.shares[np.ix_(test, columns)] += shares
        self.right[test] += columns[shares.argmax(1)] == self.truth[test]
        self.tries[test] += 1

    @property
    def tested(self) -> Ints:
        """Positions of the items that were tested at all."""
        return np.flatnonzero(self.tries)

    @property
    def predicted(self) -> Ints:
        """What each item was taken for on the whole: positions in ``classes`` (n,)."""
        return np.asarray(self.shares.argmax(1), np.int64)


def evaluate(features: Vectors, task: Task, draws: int = DRAWS) -> dict[str, Tally]:
    """Predictions of every test item from frozen features.

    kNN of 20 by cosine, logistic regression with its penalty chosen inside the training part, and
    logistic regression from 10 examples of each class, drawn 50 times as Midnight does (Karasikov
    et al. 2025). Features are standardised by the training part alone.

    Parameters
    ----------
    features : (n, D) floats
    task : Task
    draws : int
        Of few-shot examples.

    Returns
    -------
    dict of Tally
        By the name of the metric, `METRICS`.
    """
    labels = task.labels
    tallies = {metric: Tally.of(labels) for metric in METRICS}
    chosen = []
    for train, test in task.folds:
        a, b = standardised(features[train], features[test])
        learnt = np.unique(labels[train])
        tallies["kNN"].add(test, neighbours(a, labels[train], b), learnt)
        a, b = row_space(a, b)
        chosen.append(best_c(a, labels[train]))
        tallies["logistic"].add(test, logistic(a, labels[train], b, chosen[-1]), learnt)
    tallies["logistic"].details["C"] = chosen
    few, per_draw = tallies["few-shot"], []
    for draw in range(draws):
        right, tries = few.right.copy(), few.tries.copy()
        for train, test in _few_shot_folds(task, draw):
            a, b = row_space(*standardised(features[train], features[test]))
            few.add(test, logistic(a, labels[train], b, FEW_SHOT_C), np.unique(labels[train]))
        right, tries = few.right - right, few.tries - tries
        recalls = [
            right[labels == v].sum() / tries[labels == v].sum()
            for v in few.classes
            if tries[labels == v].sum()
        ]
        per_draw.append(np.mean(recalls))
    few.details["deviation over draws"] = float(np.std(per_draw))
    return tallies


def _few_shot_folds(task: Task, draw: int) -> list[Fold]:
    everything = np.arange(len(task.labels))
    if not task.given:
        train = drawn(task.labels, everything, f"{task.items} {draw}")
        return [(train, np.setdiff1d(everything, train))]
    return [
        (drawn(task.labels, train, f"{task.items} {draw} {i}"), test)
        for i, (train, test) in enumerate(task.folds)
    ]
