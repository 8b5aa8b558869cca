"""The tiles as points in the plane."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ...analysis import Projection, lay_out, warm_up
from ...analysis.projection import LEAST, Method
from ...embeddings import EmbeddingSet
from ...worker import NewestOnly, yield_to_others
from .finding import Finding
from .groups import same

log = logging.getLogger(__name__)

#: UMAP is compiled so long after somebody began to look, if it was not needed before: a window
#: that has just opened has more urgent things to do, and one that closes again needs it not.
WARM_UP_S = 5.0
#: Up to so many tiles a map is made anew for every one that came; above it once there are more
#: by this share. Until then they are placed in the map there is.
FEW, MORE = 5_000, 0.05

Sets = tuple[EmbeddingSet, ...]


class Points(Finding[Projection]):
    """The projection of what is encoded: PCA at once, then UMAP.

    New tiles are placed in the map there is; when encoding has come to rest it is refined, and
    stays where it is as far as it can.

    Parameters
    ----------
    sets : callable
        What is encoded now: ``sets(every)``, at all scales that are open or at the one shown.
    thread : NewestOnly
        Where PCA is done and tiles are placed, seconds at most.
    slow : NewestOnly
        Where the rest is done: that may take a minute, and must delay nothing else.

    Attributes
    ----------
    followed : bool
        Whether somebody looks at it.
    method : "umap", "tsne" or "pca"
        What is wanted; "pca" stands in for the others until they are there.
    together : bool
        Whether the tiles of all scales that are open are put into one map.
    seed : int
    """

    def __init__(self, sets: Callable[[bool], Sets], thread: NewestOnly, slow: NewestOnly) -> None:
        super().__init__()
        self._sets, self._thread, self._slow = sets, thread, slow
        self._warming: threading.Timer | None = None
        self.followed = False
        self.method: Method = "umap"
        self.together = False
        self.seed = 0
        self._laid_out = 0  # how many tiles there were when the map was last made

    def choose(
        self,
        method: Method | None = None,
        together: bool | None = None,
        seed: int | None = None,
    ) -> None:
        """Project in this way from now on; what is not given stays as it is."""
        wanted = (
            self.method if method is None else method,
            self.together if together is None else together,
            self.seed if seed is None else seed,
        )
        if wanted != (self.method, self.together, self.seed):
            self.method, self.together, self.seed = wanted
            self._laid_out = 0
            self.find()

    def find(self) -> None:
        """Project the encoded tiles to the plane, in the background."""
        self._thread.submit("points", lambda: self._place(then=True))

    def place(self) -> None:
        """Add new tiles to the map, in the background, if somebody looks; refine nothing."""
        if self.followed:
            self._thread.submit("place", self._place)

    def follow(self, followed: bool) -> None:
        """Keep it up to date, because somebody looks at it."""
        self.followed = followed
        self._cancel()
        if followed:
            self._warming = threading.Timer(WARM_UP_S, _warm_up)
            self._warming.daemon = True
            self._warming.start()
            self.find()

    def close(self) -> None:
        """Accept nothing any more."""
        self._cancel()
        super().close()

    def _cancel(self) -> None:
        if self._warming is not None:
            self._warming.cancel()
            self._warming = None

    def _encoded(self) -> Sets:
        return tuple(emb for emb in self._sets(self.together) if len(emb))

    def _fits(self, now: Projection | None, sets: Sets) -> bool:
        """Whether a map is of such sets, made in the way that is wanted; PCA is made anew."""
        return (
            now is not None
            and now.method != "pca"
            and (now.method, now.seed) == (self.method, self.seed)
            and {emb.key for emb in now.sets} == {emb.key for emb in sets}
        )

    def _place(self, then: bool = False) -> None:
        generation, sets, now = self.generation, self._encoded(), self.found
        if not sets:
            return
        if now is None or not self._fits(now, sets):
            # While another map is made, that of two axes is there already.
            known = now is not None and now.method == "pca" and same(now.sets, sets)
            if not known:
                self.keep(lay_out(sets, "pca", seed=self.seed), generation)
        elif not same(now.sets, sets):
            self.keep(now.with_more(sets), generation, lambda: self.found is now)
        if then and self.method != "pca" and sum(len(emb) for emb in sets) >= LEAST:
            self._slow.submit("map", self._refine)

    def _refine(self, every: bool = False) -> None:
        generation, sets, now = self.generation, self._encoded(), self.found
        n, method = sum(len(emb) for emb in sets), self.method
        start = now if self._fits(now, sets) else None
        if n < LEAST or (start is not None and not every and not self._outgrown(n)):
            return
        made = lay_out(sets, method, seed=self.seed, start=start, every=every)
        # Tiles that came meanwhile.
        latest = self._encoded()
        if not same(made.sets, latest) and self._fits(made, latest):
            made = made.with_more(latest)
        if not self.keep(made, generation, lambda: self._fits(made, made.sets)):
            return
        self._laid_out = n
        if method == "umap" and not every and not made.complete:
            self._slow.submit("every", lambda: self._refine(every=True))

    def _outgrown(self, n: int) -> bool:
        new = n - self._laid_out
        return new > 0 and (n <= FEW or new > MORE * n)


def _warm_up() -> None:
    """Compile UMAP before it is needed, as far as others leave processor time for it."""
    yield_to_others()
    try:
        warm_up()
    except Exception:
        # It is tried again when it is needed, and then somebody is told.
        log.exception("UMAP could not be compiled")
