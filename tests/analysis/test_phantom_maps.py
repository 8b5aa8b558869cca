"""Maps of the built-in encoder against the truth of a phantom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from napari_scalescope.analysis import TileMap, fit_pca, pca_map
from napari_scalescope.embeddings import EmbeddingSet, embed
from napari_scalescope.encoders import load_encoder
from napari_scalescope.slides import TissueMask, tissue_mask
from napari_scalescope.slides.phantom import PhantomSlide, phantom


class Seen(NamedTuple):
    slide: PhantomSlide
    emb: EmbeddingSet
    tissue: TissueMask


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    slide = phantom((2400, 2400), seed=9, mpp=0.5)
    encoder = load_encoder("builtin", device="cpu", precision="fp32")
    store = tmp_path_factory.mktemp("store")
    emb = embed(slide, encoder, mpp=1.0, store=store, keep=("patch_tokens",))
    return Seen(slide, emb, tissue_mask(slide))


def truth_of(slide: PhantomSlide, made: TileMap) -> np.ndarray:
    """The class at the centre of each cell of a map, 0 outside the slide."""
    raster = slide.truth(slide.box, 4.0)
    rows, cols = np.indices(made.values.shape[:2])
    place, scale = made.placement, slide.require_mpp() / 4.0
    y, x = ((o + (i + 0.5) * place.cell) * scale for o, i in ((place.y, rows), (place.x, cols)))
    inside = (y < raster.shape[0]) & (x < raster.shape[1])
    y, x = (np.clip(v.astype(int), 0, raster.shape[0] - 1) for v in (y, x))
    return np.where(inside, raster[y, x], 0)


def separation(made: TileMap, truth: np.ndarray) -> float:
    """Mean distance of the classes' mean colours, over the mean distance to one's own."""
    shown = made.values[..., 3] > 0
    colours = {
        c: made.values[shown & (truth == c), :3].astype(float) for c in np.unique(truth[shown])
    }
    colours = {c: v for c, v in colours.items() if c and len(v) > 60}
    assert len(colours) >= 5
    means = [v.mean(0) for v in colours.values()]
    within = np.mean(
        [np.linalg.norm(v - m, axis=1).mean() for v, m in zip(colours.values(), means, strict=True)]
    )
    between = [np.linalg.norm(a - b) for i, a in enumerate(means) for b in means[:i]]
    return float(np.mean(between) / within)


def test_colours_tell_the_classes_of_tissue_apart(seen: Seen, rng: np.random.Generator) -> None:
    made = pca_map(seen.emb, tokens=True)
    truth = truth_of(seen.slide, made)
    everything = separation(made, truth)
    fitted = fit_pca(seen.emb, tokens=True, foreground=seen.tissue)
    tissue = separation(pca_map(seen.emb, tokens=True, colours=fitted), truth)
    assert everything > 1
    assert tissue > everything  # glass took up some of the colours
    elsewhere = rng.permutation(truth.ravel()).reshape(truth.shape)
    assert separation(made, elsewhere) < 0.3
