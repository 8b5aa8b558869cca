"""What is trained on: slides and tiles, held in memory as pyramids, with their licences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..errors import SlideError
from ..slides import open_slide
from ..slides.resample import resample
from ..slides.slide import Pixels


class SourceEntry(BaseModel):
    """One line of a list of sources.

    Parameters
    ----------
    name : str
    files : str
        A glob relative to the data folder.
    licence, credit : str
        Why its pixels may train weights that are given away, and who is thanked.
    mpp : float, optional
        µm per pixel, where the files do not say. Training does not need it: without it the
        continuum of scales counts from the pixels as they are.
    organ : str
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    files: str
    licence: str
    credit: str = ""
    mpp: float | None = None
    organ: str = ""


@dataclass(frozen=True)
class Picture:
    """One slide or tile in memory: level 0 and its halvings.

    Parameters
    ----------
    levels : tuple of (h, w, 3) uint8
        Each half the one before, by the mean of 2 × 2 pixels.
    mpp : float or None
        µm per pixel of level 0.
    """

    levels: tuple[Pixels, ...]
    mpp: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0."""
        h, w = self.levels[0].shape[:2]
        return w, h

    def read(self, x: float, y: float, side: float, px: int) -> Pixels:
        """A square, resampled with antialiasing: (px, px, 3) uint8.

        Parameters
        ----------
        x, y, side : float
            In level-0 pixels; the square lies inside the picture.
        px : int
            Pixels of the answer; never more than the square has.
        """
        down = side / px
        level = min(max(0, int(np.log2(max(down, 1.0)))), len(self.levels) - 1)
        pixels = self.levels[level]
        h, w = pixels.shape[:2]
        scale = 2.0**level
        x, y, side = x / scale, y / scale, min(side / scale, float(w), float(h))
        x, y = min(max(x, 0.0), w - side), min(max(y, 0.0), h - side)
        reach = 3 * int(np.ceil(side / px)) + 1
        x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
        x1, y1 = min(w, int(x + side) + reach + 1), min(h, int(y + side) + reach + 1)
        box = (x - x0, y - y0, min(x + side - x0, x1 - x0), min(y + side - y0, y1 - y0))
        return resample(pixels[y0:y1, x0:x1], box, (px, px))


@dataclass(frozen=True)
class Source:
    """Pictures of one origin.

    Parameters
    ----------
    entry : SourceEntry
    pictures : tuple of Picture
    """

    entry: SourceEntry
    pictures: tuple[Picture, ...]

    @property
    def megapixels(self) -> float:
        """How much there is of it, in millions of level-0 pixels."""
        return sum(p.size[0] * p.size[1] for p in self.pictures) / 1e6


def halvings(pixels: Pixels, smallest: int = 64) -> tuple[Pixels, ...]:
    """The picture and its halvings down to ``smallest`` pixels on the shorter side."""
    levels = [np.ascontiguousarray(pixels)]
    while min(levels[-1].shape[:2]) >= 2 * smallest:
        h, w = (n // 2 * 2 for n in levels[-1].shape[:2])
        quads = levels[-1][:h, :w].reshape(h // 2, 2, w // 2, 2, 3)
        # uint16 sums are exact; + 2 rounds to the nearest
        mean = (quads.sum(axis=(1, 3), dtype=np.uint16) + 2) // 4
        levels.append(mean.astype(np.uint8))
    return tuple(levels)


def load_picture(path: Path, mpp: float | None = None) -> Picture:
    """Read a slide or a picture into memory, whole, at its full resolution.

    Raises
    ------
    SlideError
        If it cannot be read, or is fluorescence.
    """
    with open_slide(path, mpp=mpp) as slide:
        slide.require_brightfield()
        w, h = slide.dimensions
        pixels = np.empty((h, w, 3), np.uint8)
        for y in range(0, h, 1024):
            rows = min(1024, h - y)
            pixels[y : y + rows] = slide.read_level(0, 0, y, w, rows)
        return Picture(halvings(pixels), slide.mpp)


def load_sources(entries: Sequence[SourceEntry], folder: Path) -> list[Source]:
    """Load every source of a list, in its order, files by name.

    Raises
    ------
    SlideError
        If a line finds no file under ``folder``, or a file cannot be read.
    """
    sources = []
    for entry in entries:
        paths = sorted(folder.glob(entry.files))
        if not paths:
            raise SlideError(
                f"There is no {entry.files} in {folder}.",
                "Give the folder that holds the training data with --data.",
            )
        pictures = tuple(load_picture(path, entry.mpp) for path in paths)
        sources.append(Source(entry, pictures))
    return sources


def read_source_list(path: Path) -> list[SourceEntry]:
    """The lines of a YAML list of sources."""
    import yaml

    items = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [SourceEntry.model_validate(item) for item in items]


def packaged_sources() -> list[SourceEntry]:
    """The list the built-in encoder was trained from."""
    return read_source_list(Path(__file__).parent / "recipes" / "_sources.yaml")
