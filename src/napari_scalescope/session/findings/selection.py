"""Tiles somebody chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...geometry import IntArray
from .finding import Finding


@dataclass(frozen=True, eq=False)
class Selection:
    """Some tiles of the grid at one resolution.

    Parameters
    ----------
    mpp : float
    tiles : (n, 2) int
        Row and column of each.
    """

    mpp: float
    tiles: IntArray

    def __len__(self) -> int:
        return len(self.tiles)


class Selected(Finding[Selection]):
    """The tiles that are selected."""

    def choose(self, tiles: npt.ArrayLike, mpp: float) -> None:
        """Select tiles (n, 2) of the grid at a resolution; an empty list selects nothing."""
        chosen = Selection(mpp, np.asarray(tiles, np.int64).reshape(-1, 2))
        self.keep(chosen, self.generation)
