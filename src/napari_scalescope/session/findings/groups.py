"""Groups of tiles that look alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from ...analysis import ClusterRow, Clusters, Known, as_known, cluster, keep_names
from ...analysis.together import slide_of
from ...embeddings import EmbeddingSet
from ...errors import AnalysisError
from ...regions import Colour
from ...worker import NewestOnly
from ..look import Look
from ..overlays import ClusterOverlay
from .finding import Finding

Sets = tuple[EmbeddingSet, ...]


class Groups(Finding[Clusters]):
    """The clusters of what is encoded, and what the user calls them.

    Clusters that are found again, with more tiles, other options or at another scale, keep the
    names and colours of those that lay where they lie. Names the user gave are remembered even
    while there is no such cluster.

    Parameters
    ----------
    sets : callable
        What is encoded now: ``sets(every)``, at all scales that are open or at the one shown.
    look : callable
        How it is to be clustered, and whether somebody looks at it.
    thread : NewestOnly
        Where that is done: it takes its time, and must not delay maps.
    then : callable
        Called when they have been found.
    failed : callable
        Told why they cannot be found.
    """

    def __init__(
        self,
        sets: Callable[[bool], Sets],
        look: Callable[[], Look],
        thread: NewestOnly,
        then: Callable[[], None],
        failed: Callable[[AnalysisError], None],
    ) -> None:
        super().__init__()
        self._then, self._failed = then, failed
        self._sets, self._look, self._thread = sets, look, thread
        self._wanted: ClusterOverlay | None = None
        self._naming = threading.RLock()
        # As they were found, under names of ours, which tell them from each other for good; and
        # what the user calls them. Several of one name are shown as one.
        self._own: Clusters | None = None
        self._called: dict[str, str] = {}
        self._known: list[Known] = []

    def find(self) -> None:
        """Cluster the encoded tiles, in the background, unless they are clustered already."""
        self._thread.submit("clusters", self._find)

    def forget(self) -> None:
        """Something else is looked at now: group that, where groups are looked at."""
        super().forget()
        if self._look().overlay == "clusters":
            self.find()

    def table(self) -> tuple[ClusterRow, ...]:
        """One row per cluster, the largest first: size, area in mm², name, colour, a tile."""
        return () if self.found is None else self.found.table()

    def rename(self, label: int, name: str) -> None:
        """Call a cluster something else; an empty name gives it back its own.

        A cluster that gets the name of another becomes one with it.
        """
        name = " ".join(name.split())
        self._call(self._members([label]), name)

    def recolour(self, label: int, colour: Colour) -> None:
        """Give a cluster another colour."""
        members = self._members([label])
        with self._naming:
            if self._own is None:
                return
            own = zip(self._own.names, self._own.colours, strict=True)
            colours = tuple(colour if name in members else before for name, before in own)
            self._own = replace(self._own, colours=colours)
            self._remember(self._own)
        self._show()

    def merge(self, labels: Iterable[int], name: str = "") -> None:
        """Show clusters as one, under a name, or else that of the largest of them."""
        labels = sorted(set(labels))
        members, shown = self._members(labels), self.found
        if len(labels) < 2 or shown is None:
            return
        largest = max(labels, key=lambda label: int(shown.sizes[label - 1]))
        self._call(members, " ".join(name.split()) or shown.names[largest - 1])

    def separate(self, label: int) -> None:
        """Show what was merged as several again, under names of ours."""
        self._call(self._members([label]), "")

    def _members(self, labels: Iterable[int]) -> list[str]:
        """Our names of what is shown under these labels.

        Raises
        ------
        IndexError
            If there is no such cluster.
        """
        with self._naming:
            if self.found is None or self._own is None:
                return []
            for label in labels:
                if not 1 <= label <= self.found.k:
                    raise IndexError(f"there is no cluster {label}")
            shown = {self.found.names[label - 1] for label in labels}
            return [name for name in self._own.names if self._called.get(name, name) in shown]

    def _call(self, members: list[str], name: str) -> None:
        with self._naming:
            if self._own is None or not members:
                return
            for own in members:
                if name and name != own:
                    self._called[own] = name
                else:
                    self._called.pop(own, None)
        self._show()

    def _show(self) -> None:
        with self._naming:
            if self._own is None or self.found is None:
                return
            kept = self.keep(self._own.renamed(self._called), self.generation)
        if kept:
            self._then()

    def _find(self) -> None:
        generation, options = self.generation, self._look().clusters
        sets = tuple(emb for emb in self._sets(options.together) if len(emb))
        if not sets:
            return
        if options == self._wanted and self.found is not None and same(self.found.sets, sets):
            return
        try:
            found = cluster(sets, options.k, method=options.method, resolution=options.resolution)
        except AnalysisError as error:
            self._wanted = None
            if self.keep(None, generation):
                self._failed(error)
                self._then()
            return
        with self._naming:
            if not {known.slide for known in self._known} & {slide_of(emb) for emb in sets}:
                self._called, self._known = {}, []  # of another slide
            found = keep_names(found, self._known, self._called.values())
            if not self.keep(found.renamed(self._called), generation):
                return
            self._wanted, self._own = options, found
            self._remember(found)
        self._then()

    def _remember(self, found: Clusters) -> None:
        """Where the clusters lie, and those the user named that are not among them."""
        new = as_known(found)
        slides = {known.slide for known in new}
        away = frozenset(self._called) - set(found.names)
        self._known = new + [
            replace(known, names=known.names & away)
            for known in self._known
            if known.slide in slides and known.names & away
        ]


def same(some: Sets, others: Sets) -> bool:
    """Whether sets have the same tiles, in whatever order."""
    if len(some) != len(others):
        return False
    by_key = {emb.key: emb for emb in some}
    return all(emb.key in by_key and by_key[emb.key].same_tiles(emb) for emb in others)
