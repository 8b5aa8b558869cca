"""Groups of tiles that look alike."""

from __future__ import annotations

from collections.abc import Callable

from ...analysis import Clusters, cluster
from ...embeddings import EmbeddingSet
from ...worker import NewestOnly
from ..overlays import ClusterOverlay
from .finding import Finding


class Groups(Finding[Clusters]):
    """The clusters of what is encoded.

    Parameters
    ----------
    embeddings : callable
        What is encoded now, None while nothing is.
    options : callable
        How it is to be clustered.
    thread : NewestOnly
        Where that is done: it takes its time, and must not delay maps.
    then : callable
        Called when they have been found.
    """

    def __init__(
        self,
        embeddings: Callable[[], EmbeddingSet | None],
        options: Callable[[], ClusterOverlay],
        thread: NewestOnly,
        then: Callable[[], None],
    ) -> None:
        super().__init__()
        self._then = then
        self._embeddings, self._options, self._thread = embeddings, options, thread
        self._wanted: ClusterOverlay | None = None

    def find(self) -> None:
        """Cluster the encoded tiles, in the background, unless they are clustered already."""
        self._thread.submit("clusters", self._find)

    def _find(self) -> None:
        generation, options, emb = self.generation, self._options(), self._embeddings()
        if emb is None or not len(emb):
            return
        now = self.found
        if now is not None and options == self._wanted and now.emb.same_tiles(emb):
            return
        self._wanted = options
        if self.keep(cluster(emb, options.k), generation):
            self._then()
