"""What can be read off frozen features: by neighbours, or by a plane between classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .folds import cross_validation

Vectors = npt.NDArray[np.floating]
Labels = npt.NDArray[np.str_]

NEIGHBOURS = 20
INNER_FOLDS = 3
GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MAX_ITER = 5000


def standardised(train: Vectors, test: Vectors) -> tuple[Vectors, Vectors]:
    """Both by the mean and deviation of the training part; constant features become 0."""
    train, test = train.astype(np.float64), test.astype(np.float64)
    mean, deviation = train.mean(0), train.std(0)
    # Rounding makes the deviation of a constant feature tiny rather than 0.
    constant = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-6)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    return (train - mean) * scale, (test - mean) * scale


def neighbours(
    train: Vectors, labels: Labels, test: Vectors, k: int = NEIGHBOURS
) -> npt.NDArray[np.float64]:
    """Votes of the k nearest by cosine, of equals for that of the greater sum.

    Parameters
    ----------
    train : (n, D) floats
    labels : (n,) str
    test : (m, D) floats
    k : int

    Returns
    -------
    (m, c) float64
        Share of each class in the order of ``np.unique(labels)``; rows sum to about 1.
    """
    similarity = unit(test) @ unit(train).T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    classes, codes = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(test), len(classes)))
    weight = np.take_along_axis(similarity, nearest, 1)
    # Similarities are at most 1, so that k of them never outweigh a whole vote.
    rows = np.broadcast_to(np.arange(len(test))[:, None], nearest.shape)
    np.add.at(votes, (rows, codes[nearest]), 1 + weight / (2 * k))
    return np.asarray(votes / votes.sum(1, keepdims=True), np.float64)


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


def logistic(train: Vectors, labels: Labels, test: Vectors, c: float) -> npt.NDArray[np.float64]:
    """Probabilities of multinomial logistic regression, classes weighted to count alike.

    Parameters
    ----------
    train : (n, D) floats
    labels : (n,) str
    test : (m, D) floats
    c : float
        Inverse strength of the squared penalty.

    Returns
    -------
    (m, classes) float64
        In the order of ``np.unique(labels)``.
    """
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, max_iter=MAX_ITER, class_weight="balanced")
    return np.asarray(model.fit(train, labels).predict_proba(test), np.float64)


def best_c(train: Vectors, labels: Labels) -> float:
    """The strongest of the penalties that do best in cross validation on the training part."""
    scores = []
    classes, codes = np.unique(labels, return_inverse=True)
    # A class of which there is one member is learnt from or tested, never both.
    n = min(INNER_FOLDS, int(np.bincount(codes).min()))
    if n < 2:
        return GRID[len(GRID) // 2]
    folds = cross_validation(labels, n)
    for c in GRID:
        right = np.zeros(len(labels), bool)
        for inner, held_out in folds:
            found = logistic(train[inner], labels[inner], train[held_out], c)
            right[held_out] = found.argmax(1) == codes[held_out]
        scores.append(np.mean([right[codes == value].mean() for value in range(len(classes))]))
    return GRID[int(np.argmax(scores))]
