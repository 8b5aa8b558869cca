"""Drift: how far a vector moves when a tile changes in what does not matter."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_scalescope.pretraining.views import stained
from napari_scalescope.slides.slide import Pixels

from . import data
from .bootstrap import Score, mean_of, mean_score, resample
from .features import Bank
from .probes import unit

TILES_PER_SET = 80
SEED = 0
JITTER = (0.1, 0.2)
JPEG_QUALITY = 40
BLUR_SIGMA = 1.0

Change = Callable[[Pixels], Pixels]


def stain_jitter(tile: Pixels, haematoxylin: float, eosin: float) -> Pixels:
    """A tile with its dyes made stronger or weaker by a factor; (1, 1) gives it back."""
    return stained(tile, (haematoxylin, eosin, 1.0), (0.0, 0.0, 0.0))


def as_jpeg(tile: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(tile).save(file, "JPEG", quality=JPEG_QUALITY)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def blurred(tile: Pixels) -> Pixels:
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(tile.astype(np.float32), (BLUR_SIGMA, BLUR_SIGMA, 0))
    return np.clip(np.round(smooth), 0, 255).astype(np.uint8)


def _rotated(quarters: int) -> Change:
    return lambda tile: np.rot90(tile, quarters)


def _jittered(haematoxylin: float, eosin: float) -> Change:
    return lambda tile: stain_jitter(tile, haematoxylin, eosin)


#: Every change by its name; drift is the mean over the versions of one change.
CHANGES: dict[str, tuple[Change, ...]] = {
    "rotation": tuple(_rotated(k) for k in (1, 2, 3)),
    "flip": (np.fliplr, np.flipud),
    **{
        f"stain ±{100 * s:.0f} %": (_jittered(1 + s, 1 - s), _jittered(1 - s, 1 + s))
        for s in JITTER
    },
    f"JPEG {JPEG_QUALITY}": (as_jpeg,),
    f"blur {BLUR_SIGMA:g} px": (blurred,),
}
ROTATION = "rotation"
STAINS = tuple(name for name in CHANGES if name.startswith("stain"))


def distances(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """1 − cosine of each row of one set with the same row of the other: (n,)."""
    return 1 - (unit(a.astype(np.float64)) * unit(b.astype(np.float64))).sum(1)


def spread(vectors: npt.NDArray[np.floating]) -> float:
    """Mean 1 − cosine of different rows of a set."""
    ones = unit(vectors.astype(np.float64))
    n = len(ones)
    total = (ones.sum(0) ** 2).sum() - (ones**2).sum()
    return float(1 - total / (n * (n - 1)))


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
                    moved[name] += distances(plain[name].embedding, part) / len(versions)
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
