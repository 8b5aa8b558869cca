"""Views: fields of tissue at a continuum of resolutions, in pairs of a coarse field and a fine one.

A *place* is a square of a picture seen twice: as a coarse field, and as a fine field somewhere
inside it, ``ratio`` times finer. Both have the same number of pixels. What is sampled how:

- resolution log-uniform, from one group of places to the next, between the finest a picture holds
  and the coarsest it has room for, never finer than its own pixels (DaX: continuous
  magnification);
- ratio log-uniform within the recipe's bounds (DaX: cross-scale view pairs);
- turned by a multiple of 90° and mirrored, for a slide has no up (DaX: orientation robustness);
- haematoxylin, eosin and residual stain scaled and shifted (Midnight, after Tellez et al. 2018),
  mildly blurred, compressed as JPEG (DaX: acquisition robustness);
- fields that show little stained tissue left out by Midnight's HSV rule, save a small share, for
  an encoder meets glass and fat as well.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from ..slides.slide import Pixels
from ..slides.stains import stained
from ..slides.tissue import informative
from .sources import Picture, Source

Floats = npt.NDArray[np.float32]


class FieldRule(BaseModel):
    """Which fields are drawn.

    ``concentric`` is the share of fine fields that lie in the middle of the coarse one, as when the
    scale changes around one point; the others lie anywhere in it. ``informative`` is the share of
    stained pixels a coarse field needs, ``unfiltered`` the share of places spared that rule.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    finest_mpp: Annotated[float, Field(gt=0)] = 0.25
    coarsest_mpp: Annotated[float, Field(gt=0)] = 8.0
    ratio: tuple[float, float] = (2.0, 4.0)
    concentric: Annotated[float, Field(ge=0, le=1)] = 0.5
    informative: Annotated[float, Field(ge=0, le=1)] = 0.6
    unfiltered: Annotated[float, Field(ge=0, le=1)] = 0.1


class Disturbance(BaseModel):
    """How a student's view is disturbed.

    ``stain_scale`` and ``stain_shift`` are the half-widths of the uniform factors and offsets of
    the three stain densities; ``blur`` the largest Gaussian sigma in pixels; ``jpeg`` the lowest
    quality. ``chance`` is how often a view is blurred, and how often compressed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stain_scale: float = 0.25
    stain_shift: float = 0.04
    blur: float = 1.2
    jpeg: int = 40
    chance: float = 0.3


@dataclass(frozen=True)
class Places:
    """A batch of places.

    Parameters
    ----------
    views : tuple of (n, px, px, 3) uint8
        The fields as the student sees them, disturbed and turned: the coarse ones, the fine ones
        and, where asked for, the coarse ones a second time, disturbed and turned otherwise.
    turns : (n, number of views) int64
        How each was turned: argument of `turned`.
    box : (n, 3) float32
        x, y and side of the fine field, before turning, as shares of the coarse field's side.
    clean_coarse : (n, grid * px, grid * px, 3) uint8
        The coarse field ``grid`` times finer, neither disturbed nor turned.
    clean_fine : (n, px, px, 3) uint8
        The fine field, likewise.
    downsample : (n,) float32
        Level-0 pixels per pixel of the coarse field.
    same : (n, n) bool
        Which coarse fields show the same tissue, wholly or in part: each itself and those it
        overlaps.
    """

    views: tuple[Pixels, ...]
    turns: npt.NDArray[np.int64]
    box: Floats
    clean_coarse: Pixels
    clean_fine: Pixels
    downsample: Floats
    same: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.box)


TURNS = 8
#: Draws in a picture before another is taken, and such pictures before tissue is given up on.
TRIES = 20

Lattice = TypeVar("Lattice", bound=npt.NDArray[np.generic])


def turned(pixels: Lattice, turn: int) -> Lattice:
    """A square turned by ``turn % 4`` quarter turns, mirrored left to right first if >= 4."""
    if turn >= 4:
        pixels = pixels[..., :, ::-1, :]  # type: ignore[assignment]
    out: Lattice = np.rot90(pixels, turn % 4, axes=(-3, -2))
    return out


def turn_indices(side: int) -> npt.NDArray[np.int64]:
    """Where each token of an unturned lattice lies in the turned one: (8, side²) int64.

    ``turned_tokens[turn_indices[t]]`` has the order of the tokens before turn ``t``.
    """
    lattice = np.arange(side * side).reshape(side, side, 1)
    out = np.empty((TURNS, side * side), np.int64)
    for t in range(TURNS):
        # the turned lattice holds, at each place, the index the token had before
        out[t] = np.argsort(turned(lattice, t).ravel())
    return out


def token_overlap(box: Floats, side: int) -> Floats:
    """How much of each coarse token each fine token covers: the exact map between the two.

    Parameters
    ----------
    box : (n, 3) float32
        x, y and side of the fine field as shares of the coarse field's side.
    side : int
        Tokens along one side of either field.

    Returns
    -------
    (n, side², side²) float32
        Area of coarse token i under fine token j, in areas of a coarse token; rows and columns
        in row-major order. Sums to (box side × side)².
    """

    def along(start: Floats, length: Floats) -> npt.NDArray[np.float64]:
        coarse = np.arange(side, dtype=np.float64)[None, :, None]
        fine = start[:, None, None] * side + length[:, None, None] * np.arange(side)[None, None]
        upper = np.minimum(coarse + 1, fine + length[:, None, None])
        shared: npt.NDArray[np.float64] = np.maximum(upper - np.maximum(coarse, fine), 0)
        return shared

    x, y = along(box[:, 0], box[:, 2]), along(box[:, 1], box[:, 2])
    area = y[:, :, None, :, None] * x[:, None, :, None, :]
    n = len(box)
    return area.reshape(n, side * side, side * side).astype(np.float32)


def overlapping(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which squares of side 1 overlap: (n, n) bool, from their x, y and plane (n, 3)."""
    apart = np.abs(corners[:, None] - corners[None])
    return np.asarray((apart < 1).all(-1), np.bool_)


# --- drawing places ---------------------------------------------------------------------------


class Sampler:
    """Draws places from sources.

    A source is drawn with a chance proportional to the square root of its size, so that one
    large slide does not outweigh many small pictures, and a picture within it by its size.

    Parameters
    ----------
    sources : sequence of Source
    rule : FieldRule
    disturbance : Disturbance
    px : int
        Pixels along a field.
    grid : int
        How many times finer ``clean_coarse`` is than the coarse field.
    together : int
        Up to so many places follow each other from one picture at one resolution, at most twice as
        many as it has room for side by side: where a place is to be told from others of its own
        slide and not only from other slides.
    twice : bool
        Whether each coarse field is seen a second time.

    Raises
    ------
    ValueError
        If no picture has room for a pair of fields.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        rule: FieldRule,
        disturbance: Disturbance,
        px: int,
        grid: int = 1,
        together: int = 1,
        twice: bool = False,
    ) -> None:
        self.rule, self.disturbance, self.px, self.grid = rule, disturbance, px, grid
        self.together, self.twice = together, twice
        self._pool = ThreadPoolExecutor(os.cpu_count(), "views")
        kept = [(s, [p for p in s.pictures if self._range(p) is not None]) for s in sources]
        kept = [(s, pictures) for s, pictures in kept if pictures]
        if not kept:
            raise ValueError(f"no picture has room for a field of {px} px and a finer one in it")
        self._pictures = [pictures for _, pictures in kept]
        weight = np.sqrt([s.megapixels for s, _ in kept])
        self._weight = weight / weight.sum()
        self._within = []
        for pictures in self._pictures:
            areas = np.array([p.size[0] * p.size[1] for p in pictures], np.float64)
            self._within.append(areas / areas.sum())

    def _range(self, picture: Picture) -> tuple[float, float] | None:
        """Finest and coarsest downsample of a coarse field, None where there is no room."""
        rule = self.rule
        # Where the resolution is unknown, the pixels stand for the finest there is.
        coarsest = rule.coarsest_mpp / (picture.mpp or rule.finest_mpp)
        coarsest = min(coarsest, min(picture.size) / self.px)
        finest = self._finest(picture) * max(rule.ratio[0], self.grid)
        return (finest, coarsest) if coarsest >= finest else None

    def _finest(self, picture: Picture) -> float:
        """Downsample of the finest field that may be drawn from a picture."""
        return 1.0 if picture.mpp is None else max(1.0, self.rule.finest_mpp / picture.mpp)

    def _ground(self, rng: np.random.Generator) -> tuple[Picture, float]:
        """A picture, and level-0 pixels per pixel of a coarse field in it."""
        source = int(rng.choice(len(self._weight), p=self._weight))
        within = self._within[source]
        picture = self._pictures[source][int(rng.choice(len(within), p=within))]
        bounds = self._range(picture)
        assert bounds is not None
        return picture, float(np.exp(rng.uniform(*np.log(bounds))))

    def draw(self, rng: np.random.Generator, n: int) -> Places:
        """Draw ``n`` places; the same generator state gives the same places."""
        found: list[tuple[int, Picture, float, float, float]] = []
        corners: list[tuple[float, float, int]] = []
        barren = 0
        while len(found) < n:
            picture, down = self._ground(rng)
            group = len(found)
            w, h = (max(1, round(length / (down * self.px))) for length in picture.size)
            for _ in range(min(self.together, 2 * w * h, n - group)):
                at = self._find(rng, picture, down)
                if at is None and barren < TRIES:
                    barren += 1
                    break
                x, y = at or (0.0, 0.0)
                found.append((int(rng.integers(2**63)), picture, down, x, y))
                corners.append((x / down / self.px, y / down / self.px, group))
        parts = self._pool.map(lambda place: self._one(*place), found)
        views, turns, boxes, clean, clean_fine, downs = zip(*parts, strict=True)
        return Places(
            tuple(np.stack(v) for v in zip(*views, strict=True)),
            np.array(turns, np.int64),
            np.array(boxes, np.float32),
            np.stack(clean),
            np.stack(clean_fine),
            np.array(downs, np.float32),
            overlapping(np.array(corners)),
        )

    def _find(
        self, rng: np.random.Generator, picture: Picture, down: float
    ) -> tuple[float, float] | None:
        """Where a coarse field lies that shows enough tissue, None if none was found."""
        unfiltered = rng.random() < self.rule.unfiltered
        side = down * self.px
        w, h = picture.size
        for _ in range(TRIES):
            x, y = float(rng.uniform(0, w - side)), float(rng.uniform(0, h - side))
            if unfiltered:
                return x, y
            glance = picture.read(x, y, side, self.px // 2)
            if informative(glance[None], self.rule.informative)[0]:
                return x, y
        return None

    def _one(
        self, seed: int, picture: Picture, down: float, x: float, y: float
    ) -> tuple[list[Pixels], list[int], tuple[float, float, float], Pixels, Pixels, float]:
        rng = np.random.default_rng(seed)
        side = down * self.px
        coarse = picture.read(x, y, side, self.px)
        most = min(self.rule.ratio[1], down / self._finest(picture))
        ratio = float(np.exp(rng.uniform(np.log(min(self.rule.ratio[0], most)), np.log(most))))
        share = 1 / ratio
        u, v = rng.uniform(0, 1 - share, 2)
        if rng.random() < self.rule.concentric:
            u = v = (1 - share) / 2
        fine = picture.read(x + u * side, y + v * side, side * share, self.px)
        clean = coarse if self.grid == 1 else picture.read(x, y, side, self.px * self.grid)
        fields = (coarse, fine, coarse) if self.twice else (coarse, fine)
        turns = rng.integers(TURNS, size=len(fields)).tolist()
        views = [
            np.ascontiguousarray(turned(disturbed(field, self.disturbance, rng), turn))
            for field, turn in zip(fields, turns, strict=True)
        ]
        box = (float(u), float(v), share)
        return views, turns, box, clean, fine, down


# --- disturbing views -------------------------------------------------------------------------


def disturbed(pixels: Pixels, by: Disturbance, rng: np.random.Generator) -> Pixels:
    """A view as another laboratory and another scanner would have made it: stain, focus, JPEG."""
    from PIL import Image, ImageFilter

    scale = rng.uniform(1 - by.stain_scale, 1 + by.stain_scale, 3)
    shift = rng.uniform(-by.stain_shift, by.stain_shift, 3)
    blur, compress = rng.random(2) < by.chance
    sigma, quality = float(rng.uniform(0.2, max(by.blur, 0.2))), int(rng.integers(by.jpeg, 96))
    pixels = stained(pixels, scale.tolist(), shift.tolist())
    if blur and by.blur > 0:
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))
    if compress:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "jpeg", quality=quality)
        pixels = np.asarray(Image.open(file))
    return pixels
