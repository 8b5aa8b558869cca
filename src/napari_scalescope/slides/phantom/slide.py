"""The phantom as a slide: levels that are painted when they are read."""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import SlideError
from ...geometry import Box
from ..resolution import Resolution
from ..slide import Pixels, Slide
from .classes import BACKGROUND
from .lattice import Grid, key
from .paint import Painter
from .plan import Plan
from .stain import SCANNERS, STAINS
from .world import World

if TYPE_CHECKING:
    from ...regions import Regions

#: Of the generator: raise it whenever a pixel changes, since slides are told apart by it.
VERSION = 1
#: Side in pixels of what is painted at once.
BLOCK = 512
#: Painted blocks that are kept.
KEPT = 48
#: The coarsest level is at most this long.
COARSEST = 1000
#: The largest slide, px on a side.
LARGEST = 200_000
#: Range of resolutions, µm per level-0 pixel.
FINEST_MPP, COARSEST_MPP = 0.1, 2.0


class PhantomReader:
    """Paints windows of the levels of a phantom. A `Reader`.

    Parameters
    ----------
    size : (int, int)
        Width and height of level 0 in px.
    seed : int
    mpp : float
        µm per level-0 pixel.
    stain, scanner : str
        Names in `STAINS` and `SCANNERS`.

    Attributes
    ----------
    world : World
        Where everything is: what is painted, and what is true.
    """

    format = "phantom"
    associated: tuple[str, ...] = ()

    def __init__(
        self, size: tuple[int, int], seed: int, mpp: float, stain: str, scanner: str
    ) -> None:
        self.mpp = mpp
        depth = max(0, math.ceil(math.log2(max(size) / COARSEST)))
        self.sizes = tuple((-(-size[0] // 2**k), -(-size[1] // 2**k)) for k in range(depth + 1))
        self.chunks = tuple((BLOCK, BLOCK) for _ in self.sizes)
        self.doubts: list[str] = []
        self.properties: Mapping[str, Any] = {
            "phantom.width": size[0],
            "phantom.height": size[1],
            "phantom.seed": seed,
            "phantom.mpp": mpp,
            "phantom.stain": stain,
            "phantom.scanner": scanner,
            "phantom.version": VERSION,
        }
        self.world = World(Plan(size[0] * mpp, size[1] * mpp, seed))
        self._painter = Painter(self.world, STAINS[stain])
        self._scanner = SCANNERS[scanner]
        self._seed = seed
        self._blocks: OrderedDict[tuple[int, int, int], Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, level: int, x: int, y: int, w: int, h: int) -> Pixels:
        """The pixels (h, w, 3) of a window that lies inside a level, in level pixels."""
        out = np.empty((h, w, 3), np.uint8)
        for row in range(y // BLOCK, -(-(y + h) // BLOCK)):
            for col in range(x // BLOCK, -(-(x + w) // BLOCK)):
                block = self._block(level, row, col)
                bx, by = col * BLOCK, row * BLOCK
                x0, x1 = max(x, bx), min(x + w, bx + BLOCK)
                y0, y1 = max(y, by), min(y + h, by + BLOCK)
                out[y0 - y : y1 - y, x0 - x : x1 - x] = block[y0 - by : y1 - by, x0 - bx : x1 - bx]
        return out

    def _block(self, level: int, row: int, col: int) -> Pixels:
        name = (level, row, col)
        with self._lock:
            block = self._blocks.get(name)
            if block is not None:
                self._blocks.move_to_end(name)
                return block
        block = self._paint(level, row, col)
        with self._lock:
            self._blocks[name] = block
            while len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
        return block

    def _paint(self, level: int, row: int, col: int) -> Pixels:
        """A whole block: always the same one, so that overlapping windows agree to the bit."""
        step = self.mpp * 2**level
        ix, iy = col * BLOCK + np.arange(BLOCK), row * BLOCK + np.arange(BLOCK)
        # One pixel more on every side for the blur.
        grid = Grid((ix[0] - 0.5) * step, (iy[0] - 0.5) * step, step, BLOCK + 2, BLOCK + 2)
        return self._scanner.store(
            self._painter.light(grid), step, ix, iy, key(self._seed, "grain", level), 0.5**level
        )

    def close(self) -> None:
        """Forget the painted blocks."""
        with self._lock:
            self._blocks.clear()


class PhantomSlide(Slide):
    """A made-up H&E slide whose every point has a known class. Made by `phantom`."""

    reader: PhantomReader

    def truth(self, box: tuple[float, float, float, float], mpp: float) -> npt.NDArray[np.uint8]:
        """The class at the centre of every pixel of a box, as an id of `CLASSES`.

        Parameters
        ----------
        box : (x, y, w, h)
            Level-0 pixels, floats. What lies outside the slide is background.
        mpp : float
            Resolution of the answer in µm per pixel.

        Returns
        -------
        (h', w') uint8
            The size that ``read(box, mpp)`` has.
        """
        box = Box(*box)
        native = self.require_mpp()
        w, h = (max(1, round(side * native / mpp)) for side in (box.w, box.h))
        dx, dy = box.w * native / w, box.h * native / h
        x0, y0 = box.x * native + dx / 2, box.y * native + dy / 2
        out = np.empty((h, w), np.uint8)
        for j in range(0, h, BLOCK):
            for i in range(0, w, BLOCK):
                part = out[j : j + BLOCK, i : i + BLOCK]
                grid = Grid(x0 + i * dx, y0 + j * dy, dx, part.shape[1], part.shape[0], row_step=dy)
                part[:] = self.reader.world.classes(grid)
        x, y = x0 + np.arange(w) * dx, y0 + np.arange(h) * dy
        width, height = self.dimensions
        out[:, (x < 0) | (x > width * native)] = BACKGROUND
        out[(y < 0) | (y > height * native)] = BACKGROUND
        return out

    def truth_regions(self, min_area_mm2: float = 0.005, mpp: float = 4.0) -> Regions:
        """The ground truth as polygons, every class but the background.

        Parameters
        ----------
        min_area_mm2 : float
            Smaller pieces are left out; holes of any size are kept.
        mpp : float
            Resolution at which the outlines are traced, µm per pixel. The time it takes goes
            with the area in such pixels, about a second per million.

        Returns
        -------
        Regions
            Level-0 pixels; label and colour are those of the class.
        """
        from .outlines import outlines

        raster = self.truth(self.box, mpp)
        cell = (self.box.w / raster.shape[1], self.box.h / raster.shape[0])
        native = self.require_mpp() / 1000
        return outlines(raster, cell, min_area_mm2 / native**2)


def phantom(
    size: tuple[int, int] = (20_000, 20_000),
    seed: int = 0,
    mpp: float = 0.25,
    stain: str = "standard",
    scanner: str = "A",
) -> PhantomSlide:
    """Make up an H&E slide with ground truth at every point.

    Nothing is painted before it is read, so that a slide of any size opens at once. The same
    parameters give the same pixels. Structures have their sizes in µm: the resolution decides
    only how many pixels show them.

    Parameters
    ----------
    size : (int, int)
        Width and height in level-0 pixels, up to 200,000 each.
    seed : int
        Another seed gives another slide.
    mpp : float
        µm per level-0 pixel, 0.1 to 2.
    stain : str
        A protocol of `STAINS`: "standard", "pale" or "blue-shift".
    scanner : str
        A scanner of `SCANNERS`: "A" or "B". Stain and scanner change colours, never the truth.

    Returns
    -------
    PhantomSlide

    Raises
    ------
    SlideError
        If a parameter is out of range.
    """
    w, h = size
    if not (1 <= w <= LARGEST and 1 <= h <= LARGEST):
        raise SlideError(
            f"A phantom of {w} × {h} px cannot be made.", f"Give 1 to {LARGEST} px a side."
        )
    if not FINEST_MPP <= mpp <= COARSEST_MPP:
        raise SlideError(
            f"A phantom at {mpp:g} µm/px cannot be made.",
            f"Give {FINEST_MPP:g} to {COARSEST_MPP:g} µm per pixel.",
        )
    for kind, name, known in (("stain", stain, STAINS), ("scanner", scanner, SCANNERS)):
        if name not in known:
            raise SlideError(f"There is no {kind} {name!r}.", f"Take one of {', '.join(known)}.")
    reader = PhantomReader((int(w), int(h)), int(seed), float(mpp), stain, scanner)
    facts = json.dumps(dict(reader.properties), sort_keys=True)
    return PhantomSlide(
        name=f"phantom-{seed}",
        path=None,
        reader=reader,
        resolution=Resolution(float(mpp), "phantom parameters"),
        fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
    )
