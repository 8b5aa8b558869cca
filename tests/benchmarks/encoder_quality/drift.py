"""Drift: how far a vector moves when a tile changes in what does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_scalescope.analysis.probe.bootstrap import Score, mean_of, mean_score, resample
from napari_scalescope.analysis.robustness import (
    as_jpeg,
    blurred,
    drift,
    restained,
    rotated,
    spread,
)
from napari_scalescope.slides.slide import Pixels

from . import data
from .features import Bank

TILES_PER_SET = 80
SEED = 0
JITTER = (0.1, 0.2)
JPEG_QUALITY = 40
BLUR_SIGMA = 1.0

Change = Callable[[Pixels], Pixels]


#: Every change by its name; drift is the mean over the versions of one change.
CHANGES: dict[str, tuple[Change, ...]] = {
    "rotation": tuple(rotated(k) for k in (1, 2, 3)),
    "flip": (np.fliplr, np.flipud),
    **{
        f"stain ±{100 * s:.0f} %": (restained(1 + s, 1 - s), restained(1 - s, 1 + s))
        for s in JITTER
    },
    f"JPEG {JPEG_QUALITY}": (as_jpeg(JPEG_QUALITY),),
    f"blur {BLUR_SIGMA:g} px": (blurred(BLUR_SIGMA),),
}
ROTATION = "rotation"
STAINS = tuple(name for name in CHANGES if name.startswith("stain"))


def run(bank: Bank) -> dict[str, Any]:
    """1 − cosine between a tile and its changed version, and as a share of `spread`."""
    sets = {title: _chosen(pixels) for title, pixels in _tiles()}
    per_set: dict[str, Any] = {title: {"n": len(tiles)} for title, tiles in sets.items()}
    collected: dict[str, dict[str, list[tuple[Score, float]]]] = {}
    for title, tiles in sets.items():
        weights = resample(np.zeros(len(tiles)), f"drift {title}")
        plain = bank.all(f"drift {title}, unchanged", tiles)
        between = {name: spread(found.embedding) for name, found in plain.items()}
        per_set[title]["between tiles"] = between
        for change, versions in CHANGES.items():
            moved = {name: np.zeros(len(tiles)) for name in plain}
            changed = np.concatenate([np.stack([v(t) for t in tiles]) for v in versions])
            for name, found in bank.features(f"drift {title}, {change}", changed):
                for part in np.split(found.embedding, len(versions)):
                    moved[name] += drift(plain[name].embedding, part) / len(versions)
            for name, values in moved.items():
                score = mean_of(values, weights)
                per_set[title].setdefault(change, {})[name] = score
                collected.setdefault(change, {}).setdefault(name, []).append((score, between[name]))
    return {
        "sets": per_set,
        "raw": {
            change: {name: mean_score([s for s, _ in found]) for name, found in of.items()}
            for change, of in collected.items()
        },
        "relative": {
            change: {
                name: mean_score([s.scaled(1 / between) for s, between in found])
                for name, found in of.items()
            }
            for change, of in collected.items()
        },
    }


def _tiles() -> list[tuple[str, Pixels]]:
    return [
        ("LC25000 lung", data.stored_tiles("lc25000_lung_224")[0]),
        ("HER2ST C3", data.her2st_spots("C3", 1.0)[0]),
    ]


def _chosen(pixels: Pixels) -> Pixels:
    dice = np.random.default_rng(SEED)
    n = min(TILES_PER_SET, len(pixels))
    return pixels[np.sort(dice.choice(len(pixels), n, replace=False))]
