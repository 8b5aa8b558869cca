"""Scales: whether a place is recognised at another magnification."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_scalescope.analysis.probe.bootstrap import Score, mean_of, mean_score, resample
from napari_scalescope.analysis.probe.classifiers import unit
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import Slide
from napari_scalescope.slides.tissue import tissue_mask

from . import data
from .features import Bank, Features, say

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

PAIRS = ((1, 2), (1, 4), (2, 4))
MPPS = (1, 2, 4)
#: What is done to each scale's set of vectors before cosines are taken.
TREATMENTS = ("raw", "centred", "standardised")
TOPS = (1, 5)


def treated(vectors: Floats, treatment: str) -> Floats:
    """Unit vectors of a set, each feature first centred, or centred and scaled, over the set."""
    out = vectors.astype(np.float64)
    if treatment != "raw":
        out = out - out.mean(0)
    if treatment == "standardised":
        deviation = out.std(0)
        out = out / np.where(deviation > 1e-9, deviation, np.inf)
    return unit(out)


def ranks(queries: Floats, keys: Floats, own: Ints) -> Ints:
    """How many keys are at least as similar to each query as its own: 0 where it comes first.

    Parameters
    ----------
    queries : (n, d) float, of length 1
    keys : (m, d) float, of length 1
    own : (n,) int
        Which key belongs to each query.
    """
    similarity = queries @ keys.T
    mine = similarity[np.arange(len(queries)), own]
    # Equals count against it: an encoder that sees no difference recognises nothing.
    at_least: Ints = (similarity >= mine[:, None] - 1e-12).sum(1)
    return at_least - 1


def agreement(fine: Floats, coarse: Floats) -> tuple[Floats, Floats, float]:
    """Cosines of matched pairs (n,), each place's mean with others (n,), and that of all."""
    similarity = treated(fine, "raw") @ treated(coarse, "raw").T
    n = len(similarity)
    matched = np.diag(similarity).copy()
    others = (similarity.sum(1) - matched) / (n - 1)
    return matched, others, float(others.mean())


def overlap(cells: int, start: float, stop: float) -> npt.NDArray[np.float64]:
    """Share that each of ``cells`` equal parts of 0 to 1 has in a span; they add up to 1."""
    edges = np.arange(cells + 1) / cells
    inside = np.minimum(edges[1:], stop) - np.maximum(edges[:-1], start)
    inside = np.maximum(inside, 0)
    return inside / inside.sum()


def pooled(tokens: Floats, factor: int, row: int, col: int) -> Floats:
    """Mean token over one of factor × factor equal parts of a tile (g, g, d), by exact area."""
    down = overlap(tokens.shape[0], row / factor, (row + 1) / factor)
    across = overlap(tokens.shape[1], col / factor, (col + 1) / factor)
    return np.einsum("i,j,ijd->d", down, across, tokens)


class Places:
    """Places of one slide: a grid of tissue tiles at each scale, their corners in common.

    Attributes
    ----------
    tissue : dict of (n, 2) int
        By µm/px, tiles that are mostly tissue and lie inside the slide, as row and column.
    coarse : dict of (n, 2) int
        By µm/px, the same and every tile that holds one of a finer scale.
    centred : (n,) int
        Which of the finest tiles also have room for the coarsest tile around their centre.
    """

    def __init__(self, slide: Slide) -> None:
        mask = tissue_mask(slide)
        self.slide = slide
        self.grids = {mpp: TileGrid.cover(slide, mpp, data.TILE_PX) for mpp in MPPS}
        self.tissue: dict[int, Ints] = {}
        self.coarse: dict[int, Ints] = {}
        for mpp, grid in self.grids.items():
            tiles = data.tissue_tiles(slide, grid, mask)
            self.tissue[mpp] = tiles[self._inside(grid.boxes(tiles))]
            held = [self.tissue[mpp]]
            held += [self.tissue[f] // (mpp // f) for f in MPPS if f < mpp]
            tiles = np.unique(np.concatenate(held), axis=0)
            self.coarse[mpp] = tiles[self._inside(grid.boxes(tiles))]
        self.centred = np.flatnonzero(self._inside(self.around(MPPS[-1])))

    def around(self, mpp: int) -> Floats:
        """Boxes (n, 4) of tiles at one scale around the centres of the finest tissue tiles."""
        centres = self.grids[MPPS[0]].centres(self.tissue[MPPS[0]])
        side = self.grids[mpp].footprint
        return np.concatenate([centres - side / 2, np.full_like(centres, side)], 1)

    def _inside(self, boxes: Floats) -> npt.NDArray[np.bool_]:
        w, h = self.slide.dimensions
        return (boxes[:, :2] >= 0).all(1) & (boxes[:, :2] + boxes[:, 2:] <= (w, h)).all(1)


class _Hits:
    """Ranks by pair, direction and treatment, slide after slide."""

    def __init__(self) -> None:
        self.ranks: dict[tuple[str, ...], list[Ints]] = {}
        self.slides: dict[tuple[str, ...], list[npt.NDArray[np.str_]]] = {}
        self.keys: dict[tuple[str, ...], list[int]] = {}

    def add(self, key: tuple[str, ...], slide: str, found: Ints, keys: int) -> None:
        self.ranks.setdefault(key, []).append(found)
        self.slides.setdefault(key, []).append(np.repeat(slide, len(found)))
        self.keys.setdefault(key, []).append(keys)

    def score(self, key: tuple[str, ...], top: int, items: str) -> Score:
        weights = resample(np.concatenate(self.slides[key]), items)
        return mean_of(np.concatenate(self.ranks[key]) < top, weights)

    def chance(self, key: tuple[str, ...], top: int) -> float:
        n = [len(found) for found in self.ranks[key]]
        return float(np.average([min(1, top / k) for k in self.keys[key]], weights=n))


def run(bank: Bank, final: bool) -> dict[str, Any]:
    """Retrieval across scales, of whole tiles and of parts of tiles, and agreement."""
    sections = data.FINAL if final else data.DEVELOPMENT
    whole: dict[str, _Hits] = {d.name: _Hits() for d in bank.describers}
    local: dict[str, _Hits] = {d.name: _Hits() for d in bank.describers}
    cosines: dict[str, dict[str, list[tuple[Floats, Floats, float]]]] = {}
    counts: dict[str, dict[str, int]] = {}
    for section in sections:
        with data.her2st_slide(section) as slide:
            places = Places(slide)
            counts[section] = {
                "places": len(places.centred),
                **{f"tiles at {m} µm/px": len(places.tissue[m]) for m in MPPS},
            }
            say(f"HER2ST {section}: {counts[section]}")
            fine = data.read_boxes(slide, places.around(MPPS[0]))
            at = {MPPS[0]: bank.all(f"{section} at {MPPS[0]} µm/px", fine)}
            for mpp in MPPS[1:]:
                tiles = data.read_boxes(slide, places.around(mpp)[places.centred])
                at[mpp] = bank.all(f"{section} at {mpp} µm/px", tiles)
            _whole(section, places, at, whole, cosines)
            grids = {}
            for mpp in MPPS[1:]:
                tiles = data.read_boxes(slide, places.grids[mpp].boxes(places.coarse[mpp]))
                grids[mpp] = bank.all(f"{section} grid at {mpp} µm/px", tiles, tokens=True)
            _local(section, places, at[MPPS[0]], grids, local)
    names = [d.name for d in bank.describers]
    return {
        "sections": list(sections),
        "counts": counts,
        "tile": {name: _summary(whole[name], "her2st places", True) for name in names},
        "part": {
            name: _summary(local[name], "her2st parts", False)
            for name in names
            if local[name].ranks
        },
        "agreement": {name: _agreement(cosines[name]) for name in names},
    }


def _whole(
    section: str,
    places: Places,
    at: dict[int, dict[str, Features]],
    hits: dict[str, _Hits],
    cosines: dict[str, dict[str, list[tuple[Floats, Floats, float]]]],
) -> None:
    own = np.arange(len(places.centred))
    for name in hits:
        vectors = {mpp: at[mpp][name].embedding for mpp in MPPS}
        vectors[MPPS[0]] = vectors[MPPS[0]][places.centred]
        for fine, coarse in PAIRS:
            pair = f"{fine}–{coarse}"
            for treatment in TREATMENTS:
                a, b = treated(vectors[fine], treatment), treated(vectors[coarse], treatment)
                hits[name].add((pair, "up", treatment), section, ranks(a, b, own), len(b))
                hits[name].add((pair, "down", treatment), section, ranks(b, a, own), len(a))
            found = agreement(vectors[fine], vectors[coarse])
            cosines.setdefault(name, {}).setdefault(pair, []).append(found)


def _local(
    section: str,
    places: Places,
    finest: dict[str, Features],
    grids: dict[int, dict[str, Features]],
    hits: dict[str, _Hits],
) -> None:
    for name in hits:
        if (finest_tokens := finest[name].mean_token) is None:
            continue
        for fine, coarse in PAIRS:
            factor = coarse // fine
            position = {tuple(t): i for i, t in enumerate(places.coarse[coarse].tolist())}
            tokens = grids[coarse][name].tokens
            assert tokens is not None
            tiles = places.tissue[fine]
            own = [i for i, t in enumerate((tiles // factor).tolist()) if tuple(t) in position]
            queries = np.stack(
                [
                    pooled(
                        tokens[position[tuple(tiles[i] // factor)]], factor, *(tiles[i] % factor)
                    )
                    for i in own
                ]
            )
            if fine == MPPS[0]:
                keys: Floats | None = finest_tokens
            else:
                stored = {tuple(t): i for i, t in enumerate(places.coarse[fine].tolist())}
                keys = grids[fine][name].mean_token
                assert keys is not None
                keys = keys[[stored[tuple(t)] for t in tiles.tolist()]]
            for treatment in TREATMENTS:
                found = ranks(treated(queries, treatment), treated(keys, treatment), np.array(own))
                hits[name].add((f"{fine}–{coarse}", treatment), section, found, len(keys))


def _summary(hits: _Hits, items: str, same_places: bool) -> dict[str, Any]:
    """Every score, and its mean over pairs and directions for each treatment."""
    out: dict[str, Any] = {"scores": {}, "means": {}}
    for top in TOPS:
        grouped: dict[str, list[Score]] = {}
        for key in hits.ranks:
            # Where every pair is about the same places, they are resampled together.
            score = hits.score(key, top, items if same_places else f"{items} {key[0]}")
            entry = out["scores"].setdefault(" ".join(key), {})
            entry["n"] = sum(len(r) for r in hits.ranks[key])
            entry[f"top-{top}"], entry[f"chance {top}"] = score, hits.chance(key, top)
            grouped.setdefault(key[-1], []).append(score)
        for treatment, scores in grouped.items():
            out["means"].setdefault(treatment, {})[f"top-{top}"] = mean_score(scores)
        chances = [e[f"chance {top}"] for e in out["scores"].values()]
        out["means"].setdefault("chance", {})[f"top-{top}"] = float(np.mean(chances))
    return out


def _agreement(pairs: dict[str, list[tuple[Floats, Floats, float]]]) -> dict[str, Any]:
    out = {}
    for pair, slides in pairs.items():
        matched = float(np.mean(np.concatenate([m for m, _, _ in slides])))
        # Each slide against its own random pairs, or a difference in stain would count.
        relative = np.concatenate([(m - base) / (1 - base) for m, _, base in slides])
        strata = np.repeat(np.arange(len(slides)), [len(m) for m, _, _ in slides])
        out[pair] = {
            "matched": matched,
            "random": float(np.mean(np.concatenate([o for _, o, _ in slides]))),
            "relative": mean_of(relative, resample(strata, "her2st places")),
        }
    return out
