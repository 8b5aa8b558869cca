"""The tiles as points in the plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...analysis import project
from ...analysis.projection import UMAP_MIN
from ...embeddings import EmbeddingSet
from ...worker import NewestOnly
from .finding import Finding


@dataclass(frozen=True, eq=False)
class Projection:
    """The tiles of an `EmbeddingSet` as points in the plane.

    Parameters
    ----------
    xy : (n, 2) float32
    method : "pca" or "umap"
    emb : EmbeddingSet
        The tiles, in the order of the points.
    """

    xy: npt.NDArray[np.float32]
    method: Literal["pca", "umap"]
    emb: EmbeddingSet


class Points(Finding[Projection]):
    """The projection of what is encoded: PCA at once, then UMAP.

    Parameters
    ----------
    embeddings : callable
        What is encoded now, None while nothing is.
    thread : NewestOnly
        Where it is projected: it takes its time, and must not delay maps.

    Attributes
    ----------
    followed : bool
        Whether somebody looks at it.
    """

    def __init__(self, embeddings: Callable[[], EmbeddingSet | None], thread: NewestOnly) -> None:
        super().__init__()
        self._embeddings, self._thread = embeddings, thread
        self.followed = False

    def find(self) -> None:
        """Project the encoded tiles to the plane, in the background."""
        self._thread.submit("pca", partial(self._find, "pca"))
        self._thread.submit("umap", partial(self._find, "umap"))

    def follow(self, followed: bool) -> None:
        """Project again whenever encoding comes to rest, because somebody looks at it."""
        self.followed = followed
        if followed:
            self.find()

    def _find(self, method: Literal["pca", "umap"]) -> None:
        generation, emb = self.generation, self._embeddings()
        if emb is None or not len(emb) or (method == "umap" and len(emb) < UMAP_MIN):
            return
        now = self.found
        if now is not None and now.method == "umap" and now.emb.key == emb.key:
            if now.emb.same_tiles(emb):
                return
            if method == "pca":
                return  # do not fall back to PCA while UMAP places the new tiles
        self.keep(Projection(project(emb, method), method, emb), generation)
