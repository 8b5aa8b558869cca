"""The clusters as rows of a table, and what can be changed there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from ..analysis import Clusters
from ..embeddings import EmbeddingSet
from ..geometry import Box
from ..regions import Colour
from .session import Session

T = TypeVar("T")


@dataclass(frozen=True)
class ClusterRow:
    """What a table says of one cluster: its size, its area in mm², and a typical tile."""

    label: int
    name: str
    colour: Colour
    tiles: int
    area_mm2: float
    emb: EmbeddingSet
    box: Box


def rows(found: Clusters | None) -> tuple[ClusterRow, ...]:
    """One row per cluster."""
    if found is None:
        return ()
    sizes, areas, emb = found.sizes, found.areas_mm2, found.emb
    made = []
    for i in range(found.k):
        row, col = (int(v) for v in emb.tiles[found.representatives[i]])
        look = (i + 1, found.names[i], found.colours[i])
        made.append(ClusterRow(*look, int(sizes[i]), float(areas[i]), emb, emb.grid.box(row, col)))
    return tuple(made)


def rename(session: Session, label: int, name: str) -> None:
    """Call a cluster something else."""
    found = session.groups.found
    if found is not None:
        names = _with(found.names, label, " ".join(name.split()))
        _keep(session, replace(found, names=names))


def recolour(session: Session, label: int, colour: Colour) -> None:
    """Give a cluster another colour."""
    found = session.groups.found
    if found is not None:
        _keep(session, replace(found, colours=_with(found.colours, label, colour)))


def _with(values: tuple[T, ...], label: int, value: T) -> tuple[T, ...]:
    return (*values[: label - 1], value, *values[label:])


def _keep(session: Session, found: Clusters) -> None:
    if session.groups.keep(found, session.groups.generation):
        session.map.refresh()
