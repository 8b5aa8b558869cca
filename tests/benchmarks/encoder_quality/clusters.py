"""Clusters: whether k-means of tile vectors finds the classes painted into phantoms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_scalescope.analysis.probe.classifiers import unit
from napari_scalescope.geometry import TileGrid
from napari_scalescope.sample import sample_slide_path
from napari_scalescope.slides import Slide, open_slide
from napari_scalescope.slides.phantom import CLASSES, PhantomSlide, phantom

from . import data
from .features import Bank, say

MPP = 1.0
STRIDE_PX = 112
SEEDS = 10
STARTS = 4
#: As the tool clusters, and with every feature scaled alike first, which colour statistics need.
TREATMENTS = ("cosine", "standardised, cosine")
#: Of the truth; tiles and strides are whole multiples of it.
TRUTH_MPP = 4.0
#: What the sample slide was rendered with.
SAMPLE_SEED = 3
#: Phantoms of the same size that no choice was made by.
OTHER_SEEDS = (11, 12, 13, 14)


def majority(truth: npt.NDArray[np.uint8]) -> int:
    """The commonest class of a raster."""
    return int(np.bincount(truth.ravel()).argmax())


def _slides() -> Iterator[tuple[str, Slide, PhantomSlide]]:
    """The sample slide as a user opens it, then others; each with what was painted."""
    with open_slide(sample_slide_path()) as slide:
        size, mpp = slide.dimensions, slide.require_mpp()
        yield "sample slide", slide, phantom(size, seed=SAMPLE_SEED, mpp=mpp)
    for seed in OTHER_SEEDS:
        painted = phantom(size, seed=seed, mpp=mpp)
        yield f"phantom {seed}", painted, painted


def run(bank: Bank) -> dict[str, Any]:
    """Adjusted Rand index of k-means against the majority class of each tile, by slide."""
    found = {name: _of_slide(bank, name, *slides) for name, *slides in _slides()}
    names = list(found["sample slide"]["ari"][TREATMENTS[0]])
    return {
        "slides": found,
        "seeds": SEEDS,
        "means": {
            treatment: {
                name: float(np.mean([f["ari"][treatment][name]["mean"] for f in found.values()]))
                for name in names
            }
            for treatment in TREATMENTS
        },
    }


def _of_slide(bank: Bank, name: str, slide: Slide, painted: PhantomSlide) -> dict[str, Any]:
    grid = TileGrid.cover(slide, MPP, data.TILE_PX, STRIDE_PX)
    tiles = data.tissue_tiles(slide, grid)
    truth = painted.truth(painted.box, TRUTH_MPP)
    cells = np.round(grid.boxes(tiles) * slide.require_mpp() / TRUTH_MPP).astype(int)
    classes = np.array([majority(truth[y : y + h, x : x + w]) for x, y, w, h in cells])
    # Tissue by the mask that is glass by the truth has no class to find.
    tiles, classes = tiles[classes > 0], classes[classes > 0]
    present = np.unique(classes)
    class_names = {c.id: c.name for c in CLASSES}
    counts = {class_names[c]: int((classes == c).sum()) for c in present.tolist()}
    say(f"{name}: {len(tiles)} tiles, {counts}")
    features = bank.all(name, data.read_boxes(slide, grid.boxes(tiles)))
    return {
        "n": len(tiles),
        "classes": counts,
        "k": len(present),
        "ari": {
            treatment: {
                by: _indices(found.embedding, classes, treatment) for by, found in features.items()
            }
            for treatment in TREATMENTS
        },
    }


def _indices(
    vectors: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], treatment: str
) -> dict[str, Any]:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    if treatment != TREATMENTS[0]:
        deviation = vectors.std(0)
        vectors = (vectors - vectors.mean(0)) / np.where(deviation > 1e-9, deviation, np.inf)
    vectors = unit(vectors)
    k = len(np.unique(classes))
    found = [
        adjusted_rand_score(
            classes, KMeans(k, n_init=STARTS, random_state=seed).fit(vectors).labels_
        )
        for seed in range(SEEDS)
    ]
    return {"mean": float(np.mean(found)), "sd": float(np.std(found)), "values": found}
