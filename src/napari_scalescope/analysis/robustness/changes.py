"""The same tissue seen in another way: turned, dyed, blurred, compressed, moved, rescaled."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...slides.slide import Pixels
from ...slides.stains import stained

Change = Callable[[Pixels], Pixels]


def rotated(quarters: int) -> Change:
    """Turns a tile by quarters of a turn: exact, no pixel changes its value."""
    return lambda tile: np.ascontiguousarray(np.rot90(tile, quarters))


def restained(haematoxylin: float, eosin: float) -> Change:
    """Makes the dyes of a tile stronger or weaker by a factor (Tellez et al. 2018)."""
    return lambda tile: stained(tile, (haematoxylin, eosin, 1.0), (0.0, 0.0, 0.0))


def brighter(factor: float) -> Change:
    """Multiplies the light by a factor; what is brighter than white is white."""

    def change(tile: Pixels) -> Pixels:
        out: Pixels = np.clip(tile * np.float32(factor) + 0.5, 0, 255).astype(np.uint8)
        return out

    return change


def blurred(sigma: float) -> Change:
    """Puts a tile out of focus: a Gaussian, its deviation in pixels."""

    def change(tile: Pixels) -> Pixels:
        from scipy import ndimage

        smooth = ndimage.gaussian_filter(tile.astype(np.float32), (sigma, sigma, 0))
        out: Pixels = np.clip(np.round(smooth), 0, 255).astype(np.uint8)
        return out

    return change


def as_jpeg(quality: int) -> Change:
    """Compresses a tile as JPEG, 1 to 95, and back."""

    def change(tile: Pixels) -> Pixels:
        from PIL import Image

        file = io.BytesIO()
        Image.fromarray(tile).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))

    return change


@dataclass(frozen=True)
class Version:
    """One other way to see a tile.

    Parameters
    ----------
    change : callable, optional
        Of its pixels, (px, px, 3) uint8.
    shift : (float, float)
        Its field moved in x and y, in sides of a tile.
    scale : float
        Its resolution, in times of what it was: above 1 coarser, with a wider field.
    """

    change: Change | None = None
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0

    @property
    def elsewhere(self) -> bool:
        """Whether it has to be read from the slide anew."""
        return self.shift != (0.0, 0.0) or self.scale != 1.0


@dataclass(frozen=True)
class Perturbation:
    """A change that a good encoder should take little notice of.

    Parameters
    ----------
    name : str
    meaning : str
        In one sentence.
    versions : tuple of Version
        Ways in which it occurs; their mean is taken.
    """

    name: str
    meaning: str
    versions: tuple[Version, ...]


def _of(*changes: Change) -> tuple[Version, ...]:
    return tuple(Version(change) for change in changes)


PERTURBATIONS: dict[str, Perturbation] = {
    "rotation": Perturbation(
        "Rotation",
        "Turned by 90°, 180° and 270°: a slide has no up.",
        _of(*(rotated(k) for k in (1, 2, 3))),
    ),
    "flip": Perturbation(
        "Flip", "Mirrored: tissue has no left and right.", _of(np.fliplr, np.flipud)
    ),
    "stain": Perturbation(
        "Stain ±20 %",
        "One dye a fifth stronger and the other a fifth weaker, as another laboratory dyes.",
        _of(restained(1.2, 0.8), restained(0.8, 1.2)),
    ),
    "brightness": Perturbation(
        "Brightness ±10 %", "A lamp a tenth brighter or darker.", _of(brighter(1.1), brighter(0.9))
    ),
    "blur": Perturbation("Blur 1 px", "A little out of focus.", _of(blurred(1.0))),
    "jpeg": Perturbation(
        "JPEG 40", "Compressed hard, as scanners with small files do.", _of(as_jpeg(40))
    ),
    "shift": Perturbation(
        "Half-tile shift",
        "The grid half a tile further: half of the tissue is new, so that some change is right.",
        (Version(shift=(0.5, 0.0)), Version(shift=(0.0, 0.5))),
    ),
    "mpp": Perturbation(
        "Resolution ±10 %",
        "A tenth finer or coarser, as a wrong or rounded resolution makes it.",
        (Version(scale=0.9), Version(scale=1.1)),
    ),
}
"""Every perturbation by its key."""
