"""Which tiles a probe learns from and which it is tested on."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.str_]
Ints = npt.NDArray[np.int64]
Fold = tuple[Ints, Ints]

FOLDS = 5
SHOTS = 10


def cross_validation(labels: Labels, folds: int = FOLDS, seed: int = 0) -> list[Fold]:
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


class Blocks(NamedTuple):
    """Folds of one slide in which no tile is tested beside one that was learnt from.

    Attributes
    ----------
    folds : list of (train, test)
        Positions.
    left_out : tuple of str
        Classes that cannot be tested: all their tiles lie in one block, so that whoever is tested
        on them has not learnt them.
    """

    folds: list[Fold]
    left_out: tuple[str, ...]


def spatial_blocks(
    centres_um: npt.ArrayLike,
    labels: Labels,
    *,
    block_um: float = 1000.0,
    gap_um: float = 0.0,
    folds: int = FOLDS,
    seed: int = 0,
) -> Blocks:
    """Cross validation by squares of tissue.

    Neighbouring tiles show the same gland. Where they are shared out at random a probe is tested
    on what it has all but seen, and every encoder looks better than it is (Roberts et al. 2017,
    doi:10.1111/ecog.02881). Here squares are shared out, classes as evenly as they allow, and what
    lies within a gap of a tested tile is not learnt from.

    Parameters
    ----------
    centres_um : (n, 2) floats
        Centres of the tiles, µm.
    labels : (n,) str
    block_um : float
        Side of a square.
    gap_um : float
        Least distance between the centres of a tile that is tested and one that is learnt from.
    folds : int
        At most; fewer where a class has fewer squares.
    seed : int

    Raises
    ------
    ValueError
        If fewer than two classes lie in more than one square each.
    """
    from scipy.spatial import cKDTree
    from sklearn.model_selection import StratifiedGroupKFold

    at = np.asarray(centres_um, np.float64).reshape(-1, 2)
    _, block = np.unique(np.floor(at / block_um).astype(np.int64), axis=0, return_inverse=True)
    block = block.ravel()
    squares = {str(v): len(np.unique(block[labels == v])) for v in np.unique(labels)}
    lone = tuple(v for v, n in squares.items() if n < 2)
    kept = np.flatnonzero(~np.isin(labels, lone))
    if len(squares) - len(lone) < 2:
        raise ValueError(
            f"classes have to lie in two squares of {block_um:g} µm or more each to be tested on "
            "tissue that was not learnt from: label more places, or take smaller squares"
        )
    n = min(folds, min(c for v, c in squares.items() if v not in lone))
    split = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    found = []
    for train, test in split.split(np.zeros(len(kept)), labels[kept], block[kept]):
        a, b = kept[train], kept[test]
        if gap_um > 0 and len(b):
            far, _ = cKDTree(at[b]).query(at[a])
            a = a[far >= gap_um]
        # A class that is not learnt in this fold is not asked for either.
        b = b[np.isin(labels[b], labels[a])]
        if len(np.unique(labels[a])) > 1 and len(b):
            found.append((a, b))
    return Blocks(found, lone)


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
