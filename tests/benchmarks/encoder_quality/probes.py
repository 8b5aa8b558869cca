"""What can be read off frozen features: neighbours, a linear probe, a probe from few labels."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.floating]
Labels = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]
Fold = tuple[Ints, Ints]

NEIGHBOURS = 20
OUTER_FOLDS, INNER_FOLDS = 5, 3
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
SHOTS, DRAWS = 10, 50
#: Where the baselines, not the encoder under test, do best on average.
FEW_SHOT_C = 1e-1
MAX_ITER = 5000
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
    """How often each item was predicted rightly, and at all."""

    right: Ints
    tries: Ints
    details: dict[str, object] = field(default_factory=dict)

    @classmethod
    def empty(cls, n: int) -> Tally:
        return cls(np.zeros(n, np.int64), np.zeros(n, np.int64))

    def add(self, test: Ints, right: npt.NDArray[np.bool_]) -> None:
        self.right[test] += right
        self.tries[test] += 1


def cross_validation(labels: Labels, folds: int = OUTER_FOLDS, seed: int = 0) -> list[Fold]:
    """Stratified folds."""
    from sklearn.model_selection import StratifiedKFold

    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return list(split.split(np.zeros(len(labels)), labels))


def leave_slides_out(labels: Labels, groups: Labels) -> list[Fold]:
    """Every choice of one slide per class to learn from, all other slides to test on."""
    from itertools import product

    per_class = [np.unique(groups[labels == value]) for value in np.unique(labels)]
    return [
        (np.flatnonzero(np.isin(groups, chosen)), np.flatnonzero(~np.isin(groups, chosen)))
        for chosen in product(*per_class)
    ]


def standardised(train: Vectors, test: Vectors) -> tuple[Vectors, Vectors]:
    """Both by the mean and deviation of the training part; constant features become 0."""
    train, test = train.astype(np.float64), test.astype(np.float64)
    mean, deviation = train.mean(0), train.std(0)
    # Rounding makes the deviation of a constant feature tiny rather than 0.
    constant = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-6)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    return (train - mean) * scale, (test - mean) * scale


def neighbours(train: Vectors, labels: Labels, test: Vectors, k: int = NEIGHBOURS) -> Labels:
    """The commonest class among the k nearest by cosine; of equals, that of the greater sum."""
    similarity = unit(test) @ unit(train).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    classes, codes = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(test), len(classes)))
    weight = np.take_along_axis(similarity, nearest, 1)
    # Similarities are at most 1, so that k of them never outweigh a whole vote.
    rows = np.broadcast_to(np.arange(len(test))[:, None], nearest.shape)
    np.add.at(votes, (rows, codes[nearest]), 1 + weight / (2 * k))
    return classes[votes.argmax(1)]


def unit(vectors: Vectors) -> Vectors:
    """Vectors of length 1; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def row_space(train: Vectors, test: Vectors) -> tuple[Vectors, Vectors]:
    """Both in the coordinates that the training part spans.

    A probe with a squared penalty has no weight outside of these, so that it predicts the same
    and is found much faster where there are fewer items than features.
    """
    if len(train) >= train.shape[1]:
        return train, test
    _, size, axes = np.linalg.svd(train, full_matrices=False)
    axes = axes[size > 1e-9 * max(size[0], 1e-30)] if len(size) else axes
    return train @ axes.T, test @ axes.T


def logistic(train: Vectors, labels: Labels, test: Vectors, c: float) -> Labels:
    """Predictions of multinomial logistic regression, classes weighted to count alike."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, max_iter=MAX_ITER, class_weight="balanced")
    return np.asarray(model.fit(train, labels).predict(test))


def best_c(train: Vectors, labels: Labels) -> float:
    """The strongest of the penalties that do best in cross validation on the training part."""
    scores = []
    folds = cross_validation(labels, INNER_FOLDS)
    for c in GRID:
        tally = Tally.empty(len(labels))
        for inner, held_out in folds:
            predicted = logistic(train[inner], labels[inner], train[held_out], c)
            tally.add(held_out, predicted == labels[held_out])
        recalls = [tally.right[labels == value].mean() for value in np.unique(labels)]
        scores.append(np.mean(recalls))
    return GRID[int(np.argmax(scores))]


def drawn(labels: Labels, among: Ints, key: str, shots: int = SHOTS) -> Ints:
    """Items to learn from: ``shots`` of each class, or all of a class that has fewer.

    The same key draws the same items, whichever encoder asks.
    """
    dice = np.random.default_rng(zlib.crc32(key.encode()))
    chosen = []
    for value in np.unique(labels[among]):
        members = among[labels[among] == value]
        chosen.append(dice.choice(members, min(shots, len(members)), replace=False))
    return np.sort(np.concatenate(chosen))


def evaluate(features: Vectors, task: Task) -> dict[str, Tally]:
    """Predictions of every test item from frozen features, by the name of the metric."""
    labels = task.labels
    tallies = {metric: Tally.empty(len(labels)) for metric in METRICS}
    chosen = []
    for train, test in task.folds:
        a, b = standardised(features[train], features[test])
        truth = labels[test]
        tallies["kNN"].add(test, neighbours(a, labels[train], b) == truth)
        a, b = row_space(a, b)
        chosen.append(best_c(a, labels[train]))
        tallies["logistic"].add(test, logistic(a, labels[train], b, chosen[-1]) == truth)
    tallies["logistic"].details["C"] = chosen
    per_draw = []
    for draw in range(DRAWS):
        one = Tally.empty(len(labels))
        for train, test in _few_shot_folds(task, draw):
            a, b = row_space(*standardised(features[train], features[test]))
            one.add(test, logistic(a, labels[train], b, FEW_SHOT_C) == labels[test])
        tallies["few-shot"].right += one.right
        tallies["few-shot"].tries += one.tries
        per_draw.append(
            np.mean(
                [
                    one.right[labels == v].sum() / one.tries[labels == v].sum()
                    for v in np.unique(labels)
                ]
            )
        )
    tallies["few-shot"].details["deviation over draws"] = float(np.std(per_draw))
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
