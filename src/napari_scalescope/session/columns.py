"""What is known of every tile: the columns that the embedding map is coloured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..analysis import Clusters, TileMap
from ..analysis.tile_map import MapClass, spread
from ..embeddings import EmbeddingSet
from ..geometry import IntArray
from ..regions import Regions, palette
from .overlays import Overlay, SimilarityOverlay
from .scene import Scene

Kind = Literal["number", "class", "colour"]
Sets = Sequence[EmbeddingSet]


@dataclass(frozen=True, eq=False)
class Column:
    """One value for each of n tiles.

    Parameters
    ----------
    name : str
    kind : "number", "class" or "colour"
    values : array
        number: (n,) float32, NaN where it is not known. class: (n,) int, 0 where not known.
        colour: (n, 3) uint8.
    unit : str
        Of numbers.
    limits : (float, float)
        Numbers at both ends of the colour bar.
    colormap : str
        Name of a colour map napari knows.
    classes : tuple of MapClass
    legend : str
        What was done to the numbers, or why there is nothing to show.
    """

    name: str
    kind: Kind
    values: npt.NDArray[Any]
    unit: str = ""
    limits: tuple[float, float] = (0.0, 1.0)
    colormap: str = "viridis"
    classes: tuple[MapClass, ...] = ()
    legend: str = ""

    @classmethod
    def unknown(cls, name: str, n: int, why: str) -> Column:
        """Nothing is known of any of n tiles."""
        return cls(name, "class", np.zeros(n, np.int64), legend=why)


@dataclass(frozen=True, eq=False)
class Facts:
    """What columns are made from.

    Parameters
    ----------
    scene : Scene or None
        The slide that is looked at, and what is known of it.
    painted : TileMap or None
        What lies over the slide.
    question : SimilarityOverlay
        How similarity is to be measured.
    regions : Regions
    maps : mapping of str to TileMap
        Further maps of the slide, by name.
    """

    scene: Scene | None
    painted: TileMap | None
    question: SimilarityOverlay
    regions: Regions
    maps: Mapping[str, TileMap]


class NothingKnownError(Exception):
    """There is no such column now; the text says what to do for it."""


#: The columns there always are, in the order a chooser lists them.
TITLES = {
    "clusters": "Cluster",
    "similarity": "Similarity",
    "overlay": "Overlay on the slide",
    "region": "Region",
    "scale": "Scale",
    "slide": "Slide",
    "encoder": "Encoder",
    "tissue": "Tissue share",
    "x": "Position, x",
    "y": "Position, y",
    "plain": "One colour",
}


def titles(maps: Mapping[str, TileMap]) -> dict[str, str]:
    """Every column by its key, with its title."""
    return TITLES | {f"map:{name}": name for name in maps}


def column(key: str, sets: Sets, facts: Facts) -> Column:
    """A column over the tiles of some sets, which follow each other.

    Where there is none yet it is empty, and its ``legend`` says what to do for it.
    """
    n = sum(len(emb) for emb in sets)
    try:
        if key.startswith("map:"):
            return _of_map(facts.maps[key[4:]], sets, facts)
        return _MAKERS[key](sets, facts)
    except NothingKnownError as said:
        return Column.unknown(TITLES.get(key, key), n, str(said))


# --- of the tiles themselves ---


def _named(name: str, labels: Sequence[str], sets: Sets, legend: str = "") -> Column:
    """A class for each set: (label of each)."""
    names = list(dict.fromkeys(labels))
    values = np.repeat([names.index(label) + 1 for label in labels], [len(emb) for emb in sets])
    classes = [
        MapClass(i + 1, n, c)
        for i, (n, c) in enumerate(zip(names, palette(len(names)), strict=True))
    ]
    return Column(name, "class", values, classes=tuple(classes), legend=legend)


def _scale(sets: Sets, facts: Facts) -> Column:
    labels = [f"{emb.grid.mpp:.3g} µm/px" for emb in sorted(sets, key=lambda e: e.grid.mpp)]
    made = _named("Scale", labels, sorted(sets, key=lambda e: e.grid.mpp))
    order = {c.name: c.value for c in made.classes}
    values = np.repeat(
        [order[f"{emb.grid.mpp:.3g} µm/px"] for emb in sets], [len(emb) for emb in sets]
    )
    return replace(made, values=values, legend="Resolution of the tiles.")


def _slide(sets: Sets, facts: Facts) -> Column:
    names = [str(emb.provenance.get("slide", {}).get("name", "")) or "unnamed" for emb in sets]
    return _named("Slide", names, sets)


def _encoder(sets: Sets, facts: Facts) -> Column:
    names = [str(emb.provenance.get("encoder", {}).get("name", "")) or "unnamed" for emb in sets]
    return _named("Encoder", names, sets)


def _number(
    name: str, parts: Sequence[npt.NDArray[Any]], unit: str, legend: str, **look: Any
) -> Column:
    values = np.concatenate([np.asarray(part, np.float32) for part in parts])
    return Column(name, "number", values, unit, legend=legend, **look)


def _position(axis: int) -> Callable[[Sets, Facts], Column]:
    def made(sets: Sets, facts: Facts) -> Column:
        parts = [emb.centres[:, axis] * emb.grid.slide_mpp / 1000 for emb in sets]
        far = max((float(part.max()) for part in parts if len(part)), default=0.0)
        side = "left" if axis == 0 else "upper"
        return _number(
            f"Position, {'xy'[axis]}",
            parts,
            "mm",
            f"Distance of a tile's centre from the slide's {side} edge.",
            limits=(0.0, far or 1.0),
        )

    return made


# --- of the slide that is looked at ---


def _own(emb: EmbeddingSet, facts: Facts) -> bool:
    """Whether a set is of the slide that is looked at."""
    if facts.scene is None:
        return False
    slide = emb.provenance.get("slide", {}).get("fingerprint")
    return slide is None or slide == facts.scene.slide.fingerprint


def _tissue(sets: Sets, facts: Facts) -> Column:
    mask = None if facts.scene is None else facts.scene.tissue
    if mask is None:
        raise NothingKnownError("Where tissue is has not been looked for yet: encode something.")
    parts = []
    for emb in sets:
        share = np.full(len(emb), np.nan, np.float32)
        if _own(emb, facts):
            share = mask.share(emb.grid)[tuple(emb.tiles.T)] * 100
        parts.append(share)
    return _number(
        "Tissue share", parts, "%", "Share of a tile's area that is tissue.", limits=(0.0, 100.0)
    )


def _region(sets: Sets, facts: Facts) -> Column:
    import shapely

    regions = facts.regions
    if not len(regions):
        raise NothingKnownError("Draw regions and give them classes first.")
    names = list(dict.fromkeys(region.label or "Region" for region in regions))
    colours = dict(zip(names, palette(len(names)), strict=True))
    colours |= {r.label or "Region": r.colour for r in regions if r.colour is not None}
    parts = []
    for emb in sets:
        values = np.zeros(len(emb), np.int64)
        if _own(emb, facts):
            centres = emb.centres
            for region in regions:
                inside = shapely.contains_xy(region.geometry, *centres.T)
                values[inside] = names.index(region.label or "Region") + 1
        parts.append(values)
    classes = tuple(MapClass(i + 1, name, colours[name]) for i, name in enumerate(names))
    legend = "Class of the region that a tile's centre lies in, of several the last."
    return Column("Region", "class", np.concatenate(parts), classes=classes, legend=legend)


def _clusters(sets: Sets, facts: Facts) -> Column:
    clusters = None if facts.scene is None else facts.scene.clusters
    if clusters is None:
        raise NothingKnownError("No clusters yet: choose the overlay Clusters.")
    values = np.concatenate([labels_of(clusters, emb) for emb in sets])
    if not values.any():
        raise NothingKnownError("The clusters are of other tiles: choose the overlay Clusters.")
    classes = [
        MapClass(i + 1, name, colour)
        for i, (name, colour) in enumerate(zip(clusters.names, clusters.colours, strict=True))
    ]
    return Column("Cluster", "class", values, classes=tuple(classes), legend=clusters.legend)


def labels_of(clusters: Clusters, emb: EmbeddingSet) -> IntArray:
    """Cluster of each tile of a set, 0 for those in none."""
    return clusters.labels_of(emb) if clusters.has(emb) else np.zeros(len(emb), np.int64)


def _similarity(sets: Sets, facts: Facts) -> Column:
    nothing = NothingKnownError("Click on the tissue to find what looks like it.")
    if facts.scene is None or facts.scene.question is None:
        raise nothing
    whole = replace(facts.question, tokens=False)
    maps = [_painted(whole, emb, facts) for emb in sets]
    first = next((made for made in maps if made is not None), None)
    if first is None:
        raise nothing
    return _from_maps(first, maps, sets, "Similarity")


def _painted(overlay: Overlay, emb: EmbeddingSet, facts: Facts) -> TileMap | None:
    if facts.scene is None or not _own(emb, facts) or not _same_encoder(emb, facts.scene.emb):
        return None
    return overlay.paint(replace(facts.scene, emb=emb))


def _same_encoder(a: EmbeddingSet, b: EmbeddingSet) -> bool:
    said = [emb.provenance.get("encoder", {}) for emb in (a, b)]
    return all(said[0].get(key) == said[1].get(key) for key in ("encoder", "weights_sha256"))


# --- of maps ---


def _overlay(sets: Sets, facts: Facts) -> Column:
    if facts.painted is None:
        raise NothingKnownError("Nothing lies over the slide yet.")
    return _of_map(facts.painted, sets, facts)


def _of_map(tile_map: TileMap, sets: Sets, facts: Facts) -> Column:
    return _from_maps(tile_map, [tile_map if _own(emb, facts) else None for emb in sets], sets)


def _from_maps(
    first: TileMap, maps: Sequence[TileMap | None], sets: Sets, name: str = ""
) -> Column:
    """What each set's map says at its tiles."""
    parts = []
    for made, emb in zip(maps, sets, strict=True):
        empty = np.full((1, 1, *first.values.shape[2:]), _unknown(first), first.values.dtype)
        values = np.repeat(empty[0], len(emb), axis=0) if made is None else at_tiles(made, emb)
        parts.append(values)
    values = np.concatenate(parts)
    if first.kind == "colour":
        known = values[:, 3:] > 0
        colours = np.where(known, values[:, :3], 128).astype(np.uint8)
        return Column(name or first.name, "colour", colours, legend=first.legend)
    if first.kind == "class":
        return Column(
            name or first.name,
            "class",
            values.astype(np.int64),
            classes=first.classes,
            legend=first.legend,
        )
    several = sum(made is not None for made in maps) > 1
    return Column(
        name or first.name,
        "number",
        values.astype(np.float32),
        first.unit,
        spread(values, 2.0, 99.8) if several else first.limits,
        first.colormap,
        legend=first.legend,
    )


def _unknown(tile_map: TileMap) -> float:
    return np.nan if tile_map.kind == "score" else 0


def at_tiles(tile_map: TileMap, emb: EmbeddingSet) -> npt.NDArray[Any]:
    """What a map says of each tile (n, …): the mean of its scores, else what is in its middle.

    NaN, or 0, where it says nothing.
    """
    values, place = tile_map.values, tile_map.placement
    rows, cols = values.shape[:2]
    if (rows, cols) == emb.grid.shape and place == emb.grid.placement:
        found: npt.NDArray[Any] = values[tuple(emb.tiles.T)]
        return found
    if tile_map.kind != "score":
        at = place.index(emb.centres)
        inside = ((at >= 0) & (at < (rows, cols))).all(1)
        out = np.zeros((len(emb), *values.shape[2:]), values.dtype)
        out[inside] = values[tuple(at[inside].T)]
        return out
    known = np.isfinite(values)
    sums, counts = (
        np.pad(table.cumsum(0, np.float64).cumsum(1), ((1, 0), (1, 0)))
        for table in (np.where(known, values, 0), known)
    )
    half = emb.grid.footprint / 2
    low, high = place.index(emb.centres - half + 1e-6), place.index(emb.centres + half - 1e-6) + 1
    low, high = (np.clip(edge, 0, (rows, cols)) for edge in (low, high))
    total, number = (
        table[high[:, 0], high[:, 1]]
        - table[low[:, 0], high[:, 1]]
        - table[high[:, 0], low[:, 1]]
        + table[low[:, 0], low[:, 1]]
        for table in (sums, counts)
    )
    out = np.full(len(emb), np.nan, np.float32)
    np.divide(total, number, out=out, where=number > 0.5, casting="unsafe")
    return out


def _plain(sets: Sets, facts: Facts) -> Column:
    n = sum(len(emb) for emb in sets)
    return Column("One colour", "class", np.zeros(n, np.int64))


_MAKERS: dict[str, Callable[[Sets, Facts], Column]] = {
    "clusters": _clusters,
    "similarity": _similarity,
    "overlay": _overlay,
    "region": _region,
    "scale": _scale,
    "slide": _slide,
    "encoder": _encoder,
    "tissue": _tissue,
    "x": _position(0),
    "y": _position(1),
    "plain": _plain,
}
