"""The regions somebody drew, and how they leave together with what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from psygnal import Signal

from ..analysis import Clusters
from ..exchange import export
from ..regions import Regions


class Annotations:
    """Annotated regions of one slide.

    Parameters
    ----------
    clusters : callable
        The groups of tiles that were found, None where none were.
    """

    changed = Signal()

    def __init__(self, clusters: Callable[[], Clusters | None]) -> None:
        self.regions = Regions()
        self._clusters = clusters

    def set(self, regions: Regions) -> None:
        """The annotated regions are these now."""
        self.regions = regions
        self.changed.emit()

    def export(
        self, path: str | Path, what: Literal["annotations", "clusters", "all"] = "all"
    ) -> int:
        """Write annotated regions, cluster outlines or both; returns how many were written."""
        found = [] if what == "clusters" else list(self.regions)
        clusters = self._clusters()
        if what != "annotations" and clusters is not None:
            found += list(clusters.regions())
        export(Regions(found), path)
        return len(found)
