"""Clusters that were known before keep their names and colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...geometry import FloatArray, IntArray
from ...regions import Colour, palette
from ..tile_map import TileMap
from ..together import slide_of
from .clusters import Clusters

#: A cluster goes on under a name if at least this share of it, or of what had the name, is common
#: to both.
SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Known:
    """Clusters as they lay on a slide once.

    Parameters
    ----------
    map : TileMap
        Of classes.
    names : frozenset of str
        Those of the classes that are to be remembered.
    slide : str
        The slide's fingerprint.
    """

    map: TileMap
    names: frozenset[str]
    slide: str = ""


def as_known(found: Clusters) -> list[Known]:
    """Clusters to be remembered: where they lie, and nothing of their vectors."""
    names = frozenset(found.names)
    return [Known(found.map(emb), names, slide_of(emb)) for emb in found.sets if len(emb)]


def keep_names(found: Clusters, known: Sequence[Known], taken: Iterable[str] = ()) -> Clusters:
    """The same clusters, under the names and colours of those that lay where they lie.

    Names are given so that as many tiles as possible keep theirs (assignment by Kuhn 1955, the
    "Hungarian method", on the table of tiles in common). Tiles are compared by their place on the
    slide, so that names also outlive another resolution or encoder. Clusters that were not there
    before get names and colours not in use on the slide; nor do they get names that are ``taken``.
    """
    slides = {slide_of(emb) for emb in found.sets}
    known = [one for one in known if one.slide in slides]
    names = list(dict.fromkeys(name for one in known for name in sorted(one.names)))
    if not names or not found.k:
        return found
    common, before = _in_common(found, known, names)
    from scipy.optimize import linear_sum_assignment

    share = np.maximum(
        common / np.maximum(found.sizes[:, None], 1), common / np.maximum(before[None], 1)
    )
    fits = np.where(share >= SHARE, common, 0.0)
    old = dict.fromkeys(names, (0, 0, 0))
    for one in known:
        old.update({c.name: c.colour for c in one.map.classes if c.name in one.names})
    given: dict[int, str] = {
        int(i): names[j]
        for i, j in zip(*linear_sum_assignment(-fits), strict=True)
        if fits[i, j] > 0
    }
    colours = {i: old[name] for i, name in given.items()}
    return _named(found, given, colours, {*names, *taken}, old.values())


def _in_common(
    found: Clusters, known: Sequence[Known], names: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    """Tiles in common of every cluster and name (k, names), and tiles that had each name."""
    common = np.zeros((found.k, len(names)))
    before = np.zeros(len(names))
    for i, emb in enumerate(found.sets):
        labels, centres = found.labels[found.of == i], emb.centres
        for name_map in _nearest_scale(known, slide_of(emb), emb.grid.mpp):
            at = _values_at(name_map.map, centres)
            table = np.full(max((c.value for c in name_map.map.classes), default=0) + 1, -1)
            for c in name_map.map.classes:
                if c.name in name_map.names:
                    table[c.value] = names.index(c.name)
            name = table[at]
            before += np.bincount(name[name >= 0], minlength=len(names))
            both = (name >= 0) & (labels > 0)
            np.add.at(common, (labels[both] - 1, name[both]), 1)
    return common, before


def _nearest_scale(known: Sequence[Known], slide: str, mpp: float) -> list[Known]:
    """For every name what is known of it at the resolution most like this one."""
    nearest: dict[str, Known] = {}
    for one in known:
        if one.slide != slide:
            continue
        for name in one.names:
            now = nearest.get(name)
            if now is None or _apart(one, mpp) < _apart(now, mpp):
                nearest[name] = one
    kept: dict[int, tuple[Known, set[str]]] = {}
    for name, one in nearest.items():
        kept.setdefault(id(one), (one, set()))[1].add(name)
    return [replace(one, names=frozenset(own)) for one, own in kept.values()]


def _apart(one: Known, mpp: float) -> float:
    return abs(float(np.log(max(one.map.mpp, 1e-9) / mpp)))


def _values_at(tile_map: TileMap, places: FloatArray) -> IntArray:
    """The class at each of places (n, 2); 0 outside."""
    row, col = tile_map.placement.index(places).T
    rows, cols = tile_map.values.shape[:2]
    inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    out = np.zeros(len(places), np.int64)
    out[inside] = tile_map.values[row[inside], col[inside]]
    return out


def _named(
    found: Clusters,
    taken: dict[int, str],
    colours: dict[int, Colour],
    reserved: set[str],
    old: Iterable[Colour],
) -> Clusters:
    """Names and colours for all: those that were taken over, and new ones for the rest."""
    numbers = {int(m[1]) for name in reserved if (m := re.fullmatch(r"Cluster (\d+)", name))}
    in_use = {*colours.values(), *old}
    free_colours = [c for c in palette(found.k + len(in_use)) if c not in in_use]
    free_numbers = [n for n in range(1, found.k + len(numbers) + 1) if n not in numbers]
    names, shown = [], []
    for i in range(found.k):
        if i in taken:
            names.append(taken[i])
            shown.append(colours[i])
        else:
            names.append(f"Cluster {free_numbers.pop(0)}")
            shown.append(free_colours.pop(0))
    return replace(found, names=tuple(names), colours=tuple(shown))
