"""What can be asked about: places, regions, words and pictures, for and against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import SlideError
from ...geometry import Box
from ...slides import Slide
from ...slides.slide import Pixels

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

Point = tuple[float, float]

#: A picture counts as the mean of at most so many tiles; more is a slide.
PICTURE_TILES = 64


@dataclass(frozen=True)
class Spot:
    """A place on the slide, level-0 pixels."""

    x: float
    y: float

    @property
    def title(self) -> str:
        """What lists call it."""
        return f"Place {self.x:,.0f}, {self.y:,.0f}"


@dataclass(frozen=True)
class Area:
    """A region of the slide, which counts as the mean of what lies in it.

    Parameters
    ----------
    geometry : shapely geometry
        Level-0 pixels.
    name : str
    """

    geometry: BaseGeometry
    name: str = ""

    @property
    def title(self) -> str:
        """What lists call it."""
        return f"Region {self.name}".strip()

    @property
    def inside(self) -> Spot:
        """A place in it."""
        point = self.geometry.representative_point()
        return Spot(point.x, point.y)


@dataclass(frozen=True)
class Words:
    """A text, for encoders that read."""

    text: str

    @property
    def title(self) -> str:
        """What lists call it."""
        return f"“{self.text}”"


@dataclass(frozen=True)
class Picture:
    """Pixels that are not of the slide: an image file, or a place on another slide.

    They are read again for every encoder and scale they are compared at.

    Parameters
    ----------
    name : str
    fingerprint : str
        Of the slide: what makes two pictures the same.
    at : (x, y) or None
        The centre of the tile that is meant, level-0 pixels; None for all of it.
    mpp : float or None
        µm per pixel, None where nobody says.
    slide : Slide
    """

    name: str
    fingerprint: str
    at: Point | None
    mpp: float | None
    slide: Slide = field(compare=False, repr=False)

    @classmethod
    def of(cls, slide: Slide, at: Point | None = None) -> Picture:
        """All of an image, or a place on a slide."""
        return cls(slide.name, slide.fingerprint, at, slide.mpp, slide)

    @property
    def title(self) -> str:
        """What lists call it."""
        return self.name if self.at is None else f"{self.name} {self.at[0]:,.0f}, {self.at[1]:,.0f}"

    def tiles(self, mpp: float, tile_px: int) -> tuple[Pixels, str]:
        """The pixels as tiles (n, px, px, 3) at a resolution, and in words what was done.

        One whose file does not say how many µm a pixel is, is taken to be at that resolution. One
        smaller than a tile is mirrored at its edges; of a larger one whole tiles are taken, as
        many as there is room for, around its middle.

        Raises
        ------
        SlideError
            If it cannot be read, or has more tiles than a picture can have.
        """
        own = self.mpp
        if self.at is not None:
            side = tile_px * mpp / self.slide.require_mpp()
            pixels = self.slide.read(Box.around(self.at, side, side), size=(tile_px, tile_px))
            return pixels[None], f"{self.name} read at {mpp:.3g} µm/px"
        scale = 1.0 if own is None else mpp / own
        w, h = (max(1, round(side / scale)) for side in self.slide.dimensions)
        if w * h > 2 * PICTURE_TILES * tile_px**2:
            raise SlideError(
                f"{self.name} has {w:,} × {h:,} pixels at {mpp:.3g} µm/px: no example is so large.",
                "Crop what you look for, or ask about a place on that slide.",
            )
        pixels = self.slide.read(self.slide.box, size=(w, h))
        said = (
            f"{self.name} taken to be at {mpp:.3g} µm/px, as it does not say"
            if own is None
            else f"{self.name} brought from {own:.3g} to {mpp:.3g} µm/px"
        )
        if min(w, h) < tile_px:
            short = [max(0, tile_px - side) for side in (h, w)]
            pad = [(n // 2, n - n // 2) for n in short]
            pixels = np.pad(pixels, (*pad, (0, 0)), mode="symmetric")
            said += f", mirrored to fill a tile of {tile_px} px"
        rows, cols = pixels.shape[0] // tile_px, pixels.shape[1] // tile_px
        while rows * cols > PICTURE_TILES:
            rows, cols = (rows - 1, cols) if rows >= cols else (rows, cols - 1)
        y, x = ((n - k * tile_px) // 2 for n, k in zip(pixels.shape[:2], (rows, cols), strict=True))
        kept = pixels[y : y + rows * tile_px, x : x + cols * tile_px]
        cut = kept.reshape(rows, tile_px, cols, tile_px, 3).swapaxes(1, 2)
        if rows * cols > 1:
            said += f", the mean of {rows * cols} tiles"
        return np.ascontiguousarray(cut.reshape(-1, tile_px, tile_px, 3)), said


Example = Spot | Area | Words | Picture


@dataclass(frozen=True)
class Question:
    """What looks like these, and not like those?

    Parameters
    ----------
    positives : tuple of Example
        What is looked for: being like one of them is enough.
    negatives : tuple of Example
        What is not: see `analysis.similarity`.
    """

    positives: tuple[Example, ...] = ()
    negatives: tuple[Example, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.positives)

    @property
    def examples(self) -> tuple[Example, ...]:
        """All of them."""
        return self.positives + self.negatives

    @property
    def place(self) -> Point | None:
        """The first place on the slide it asks about, None where there is none."""
        return next(((e.x, e.y) for e in self.positives if isinstance(e, Spot)), None)

    @property
    def text(self) -> str:
        """The first text it asks about, "" where there is none."""
        return next((e.text for e in self.positives if isinstance(e, Words)), "")

    @property
    def title(self) -> str:
        """A few words for it, as the class of regions that were found."""
        first = self.positives[0].title if self.positives else "nothing"
        more = len(self.examples) - 1
        return f"Like {first}" + (f" and {more} more" if more else "")

    def also(self, example: Example) -> Question:
        """With one more example; it is no counter-example any more."""
        left = self.without(example)
        return replace(left, positives=(*left.positives, example))

    def unlike(self, example: Example) -> Question:
        """With one more counter-example; it is no example any more."""
        left = self.without(example)
        return replace(left, negatives=(*left.negatives, example))

    def without(self, example: Example) -> Question:
        """Without one of them."""
        return Question(
            tuple(e for e in self.positives if e != example),
            tuple(e for e in self.negatives if e != example),
        )
