"""What is asked of an aggregator."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class Aggregator(Protocol):
    """A head that was trained on the tiles of whole slides, and says which of them it looks at.

    Anything with these four members can be laid over a slide.
    """

    @property
    def name(self) -> str:
        """What it is, in words for a legend."""

    @property
    def dim(self) -> int:
        """Length of the vectors it was trained on."""

    @property
    def branches(self) -> tuple[str, ...]:
        """What each of its attentions is for: a class, a head, or "attention" if there is one."""

    def attention(self, vectors: npt.NDArray[np.floating]) -> Array:
        """How much each tile counts in each branch, before the softmax over tiles.

        Parameters
        ----------
        vectors : (n, dim) float16 or float32
            All tiles of a slide, n at least 1.

        Returns
        -------
        (n, branches) float32
        """
