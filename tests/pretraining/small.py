"""A student, a teacher, a slide and a recipe small enough to train within a test."""

from __future__ import annotations

import numpy as np

from napari_scalescope.pretraining.recipes import Network, Phase, Recipe, Weights
from napari_scalescope.pretraining.sources import Picture, Source, SourceEntry, halvings
from napari_scalescope.pretraining.views import FieldRule
from napari_scalescope.slides.phantom import phantom

SMALL = Network(dim=64, depth=2, heads=2, registers=2)


class Colours:
    """A teacher that knows the mean and spread of each colour, on a 4 × 4 lattice."""

    name = "colours"

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n, px = len(pixels), pixels.shape[1]
        cells = pixels.reshape(n, 4, px // 4, 4, px // 4, 3).astype(np.float32) / 255
        lattice = np.concatenate([cells.mean((2, 4)), cells.std((2, 4))], axis=-1)
        return lattice.mean((1, 2)), lattice


def tissue(side: int) -> tuple[Source, np.ndarray]:
    """A phantom of some µm at 1 µm/px in memory, and its ground truth (h, w) at 8 µm."""
    slide = phantom((side, side), seed=11, mpp=1.0)
    pixels = slide.read_level(0, 0, 0, side, side)
    entry = SourceEntry(name="phantom", files="-", licence="BSD-3-Clause")
    return Source(entry, (Picture(halvings(pixels), 1.0),)), slide.truth(slide.box, 8.0)


def recipe(steps: int = 6, **changes: object) -> Recipe:
    everything = Weights(
        distill_global=1,
        distill_local=0.5,
        dino=1,
        stable=0.5,
        cross_contrast=0.1,
        cross_global=0.5,
        cross_local=0.5,
        kde=0.05,
        gram=1,
    )
    values: dict[str, object] = {
        "name": "test",
        "summary": "",
        "network": SMALL,
        "fields": FieldRule(finest_mpp=1.0, coarsest_mpp=4.0, informative=0.3),
        "phases": (
            Phase(share=0.5, px=64, batch=6, losses=everything.model_copy(update={"gram": 0})),
            Phase(share=0.5, px=96, batch=4, together=2, losses=everything),
        ),
        "steps": steps,
        "warmup": 2,
        "prototypes": 32,
    }
    return Recipe.model_validate(values | changes)
