"""Where the tissue is: glass, dust, air bubbles and pen are not worth encoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import SlideError, UnreachableError
from ..geometry import Box, FloatArray, Placement, TileGrid
from .slide import Pixels, Slide

#: Resolution of the mask. Nuclei vanish here, strands of stroma do not.
MASK_MPP = 8.0
#: No mask is finer than the slide at this many pixels on its longer side.
MASK_PX = 4096
#: Of the threshold for tissue, this share suffices beside tissue.
LOW_SHARE = 0.3
#: Around a damaged piece, squares of this side in cells of the mask are given up: 128 µm.
DAMAGE_PX = 16


@dataclass(frozen=True)
class TissueMask:
    """Tissue and pen at low resolution.

    Parameters
    ----------
    mask : (h, w) bool
        True where there is tissue (folds included, pen excluded).
    pen : (h, w) bool
        True where there is ink.
    placement : Placement
        Where the mask lies over the slide.
    cell_um : float
        Side of a cell of the mask in µm.
    warnings : tuple of str
        What is doubtful about it, in words: parts of the slide that could not be read.
    """

    mask: npt.NDArray[np.bool_]
    pen: npt.NDArray[np.bool_]
    placement: Placement
    cell_um: float
    warnings: tuple[str, ...] = ()

    def near(self, distance_um: float) -> npt.NDArray[np.bool_]:
        """The mask (h, w) grown by a distance in µm."""
        from scipy import ndimage

        steps = round(distance_um / self.cell_um)
        if steps < 1:
            return self.mask
        return np.asarray(ndimage.binary_dilation(self.mask, iterations=steps), bool)

    def holds(self, xy: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether points (..., 2) of level-0 ``(x, y)`` lie on tissue: (...) bool."""
        return held(self.mask, self.placement, xy)

    def share(self, grid: TileGrid) -> npt.NDArray[np.float32]:
        """Share of each tile's footprint that is tissue: (rows, cols) float32, 0 to 1.

        Exact for fractional footprints; the part of a tile outside the slide counts as glass.
        """
        total = np.zeros((self.mask.shape[0] + 1, self.mask.shape[1] + 1))
        np.cumsum(np.cumsum(self.mask, 0), 1, out=total[1:, 1:])
        p, side = self.placement, grid.footprint

        def edges(n: int, origin: float, limit: int) -> tuple[FloatArray, FloatArray]:
            lo = (np.arange(n) * grid.pitch - origin) / p.cell
            return np.clip(lo, 0, limit), np.clip(lo + side / p.cell, 0, limit)

        y0, y1 = edges(grid.rows, p.y, self.mask.shape[0])
        x0, x1 = edges(grid.cols, p.x, self.mask.shape[1])
        at = _bilinear(total)
        area = at(y1, x1) - at(y0, x1) - at(y1, x0) + at(y0, x0)
        return np.asarray(np.clip(area / (side / p.cell) ** 2, 0, 1), np.float32)

    @property
    def area_mm2(self) -> float:
        """Area of the tissue in mm²."""
        return float(self.mask.sum()) * (self.cell_um / 1000) ** 2

    @property
    def box(self) -> Box | None:
        """The smallest level-0 box that holds all tissue, None where there is none."""
        rows, cols = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        if not len(rows):
            return None
        p = self.placement
        return Box.from_corners(
            p.x + cols[0] * p.cell,
            p.y + rows[0] * p.cell,
            p.x + (cols[-1] + 1) * p.cell,
            p.y + (rows[-1] + 1) * p.cell,
        )


def held(
    mask: npt.NDArray[np.bool_], placement: Placement, xy: npt.ArrayLike
) -> npt.NDArray[np.bool_]:
    """Whether a mask that lies there is True at points (..., 2) of level-0 ``(x, y)``."""
    at = placement.index(xy)
    inside = ((at >= 0) & (at < mask.shape)).all(-1)
    row, col = np.moveaxis(np.clip(at, 0, np.array(mask.shape) - 1), -1, 0)
    return np.asarray(inside & mask[row, col], bool)


def _bilinear(table: FloatArray) -> Callable[[FloatArray, FloatArray], FloatArray]:
    """A summed-area table that may be asked between its points (separable in y and x)."""

    def at(y: FloatArray, x: FloatArray) -> FloatArray:
        iy = np.minimum(y.astype(int), table.shape[0] - 2)
        ix = np.minimum(x.astype(int), table.shape[1] - 2)
        fy, fx = (y - iy)[:, None], (x - ix)[None, :]
        rows = table[iy] * (1 - fy) + table[iy + 1] * fy
        out: FloatArray = rows[:, ix] * (1 - fx) + rows[:, ix + 1] * fx
        return out

    return at


def tissue_mask(
    slide: Slide, *, min_speck_mm2: float = 0.005, max_hole_mm2: float = 0.02
) -> TissueMask:
    """Find the tissue of a slide.

    Optical density is measured against the slide's own glass, so that tinted glass is glass.
    Tissue is what is dense *and* coloured or textured, with the threshold by Otsu (1979) inside
    bounds that keep an empty slide empty and a slide without glass full; uniform grey (dust,
    air bubbles) and smooth tints (stain that bled into the mounting medium) fail. Ink is what is
    strongly coloured in a hue no stain has, over an area without texture.

    Parameters
    ----------
    slide : Slide
        Read at `MASK_MPP` µm per pixel, or coarser where that would exceed `MASK_PX`.
    min_speck_mm2, max_hole_mm2 : float
        Smaller pieces are dropped, smaller holes filled. On a slide of unknown resolution,
        0.5 µm/px is assumed for these two alone.

    Returns
    -------
    TissueMask
        Damaged places count as glass, and its `warnings` say so.

    Raises
    ------
    SlideError
        If nothing of the slide can be read, or it is fluorescence.
    """
    slide.require_brightfield()
    from scipy import ndimage
    from skimage.filters import apply_hysteresis_threshold, threshold_otsu
    from skimage.morphology import remove_small_holes, remove_small_objects

    mpp = slide.mpp or 0.5
    w, h = slide.dimensions
    cell = max(MASK_MPP / mpp, max(w, h) / MASK_PX, 1.0)
    size = (max(1, round(w / cell)), max(1, round(h / cell)))
    pixels, known = _overview(slide, cell, 0, 0, *size)
    doubts = _doubts(slide, known)
    density = optical_density(pixels, glass_colour(pixels, known))
    density[~known] = 0
    mean = density.mean(-1)
    chroma = density.max(-1) - density.min(-1)
    window = 5
    spread = np.sqrt(
        np.maximum(
            ndimage.uniform_filter(mean**2, window) - ndimage.uniform_filter(mean, window) ** 2, 0
        )
    )
    pen = _ink(density, mean, spread)
    # A faint tint counts only where something is going on in it.
    worth = np.clip(np.maximum(spread / 0.02, (mean - 0.04) / 0.06), 0, 1)
    score = ndimage.gaussian_filter(np.minimum(mean, 1.0) * worth, 1.0)
    score[pen] = 0
    values = score[~pen]
    level = float(threshold_otsu(values)) if values.size and np.ptp(values) > 1e-6 else 1.0
    high = float(np.clip(level, 0.02, 0.05))
    coloured = ndimage.gaussian_filter(chroma, 1.0) > 0.012
    # Fat and loose collagen are mostly glass: they count where they hang on to tissue.
    tissue = apply_hysteresis_threshold(np.where(coloured, score, 0), LOW_SHARE * high, high)
    cell_mm2 = (cell * mpp / 1000) ** 2
    tissue = ndimage.binary_closing(np.pad(tissue, 3), iterations=2)[3:-3, 3:-3]
    tissue = remove_small_objects(tissue, max_size=int(min_speck_mm2 / cell_mm2))
    tissue = remove_small_holes(tissue, max_size=int(max_hole_mm2 / cell_mm2))
    return TissueMask(tissue & ~pen, pen, Placement(0.0, 0.0, cell), cell * mpp, doubts)


def _overview(
    slide: Slide, cell: float, x: int, y: int, w: int, h: int
) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Cells (h, w, 3) of the mask from column x and row y on, and which of them could be read.

    What cannot be read is halved until the damage is narrowed down to `DAMAGE_PX`; it is black.
    """
    try:
        box = Box(x * cell, y * cell, w * cell, h * cell)
        return slide.read(box, size=(w, h)), np.ones((h, w), bool)
    except UnreachableError:
        raise
    except SlideError:
        if max(w, h) <= DAMAGE_PX:
            return np.zeros((h, w, 3), np.uint8), np.zeros((h, w), bool)
    if w >= h:
        cut = w // 2
        halves = (x, y, cut, h), (x + cut, y, w - cut, h)
    else:
        cut = h // 2
        halves = (x, y, w, cut), (x, y + cut, w, h - cut)
    pixels, known = zip(*(_overview(slide, cell, *half) for half in halves), strict=True)
    axis = int(w >= h)
    return np.concatenate(pixels, axis), np.concatenate(known, axis)


def _doubts(slide: Slide, known: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    if known.all():
        return ()
    if not known.any():
        raise SlideError(
            f"{slide.name} is damaged: no part of it can be decoded.",
            "Copy the file again from its source.",
        )
    share = 100 * (1 - known.mean())
    return (f"{slide.name} is damaged: {share:.2g} % cannot be decoded and is taken for glass.",)


def glass_colour(pixels: Pixels, known: npt.NDArray[np.bool_] | None = None) -> FloatArray:
    """The colour of the glass (3,): what is brightest over some area.

    Where that is plainly coloured or dark, there is no glass in the picture, and white stands in.
    Pixels that are not ``known`` (h, w) are left out.
    """
    from scipy import ndimage

    smooth = ndimage.uniform_filter(pixels.astype(np.float32), (5, 5, 1))
    if known is not None:
        smooth = smooth[known]
    bright = smooth.sum(-1)
    colour = np.median(smooth[bright >= np.percentile(bright, 97)], axis=0)
    if np.ptp(colour) > 25 or colour.min() < 180:
        return np.full(3, 245.0)
    return np.asarray(colour, np.float64)


def optical_density(pixels: Pixels, glass: FloatArray) -> npt.NDArray[np.float32]:
    """-log10 of the light let through, per channel, 0 where it is as bright as the glass."""
    light = (pixels.astype(np.float32) + 1) / (glass.astype(np.float32) + 1)
    out: npt.NDArray[np.float32] = np.maximum(-np.log10(light), 0)
    return out


def _ink(
    density: npt.NDArray[np.float32],
    mean: npt.NDArray[np.float32],
    spread: npt.NDArray[np.float32],
) -> npt.NDArray[np.bool_]:
    """Marker strokes: blue, green, red or black, dense and without texture."""
    from scipy import ndimage

    r, g, b = np.moveaxis(density, -1, 0)
    # Haematoxylin absorbs green at least as well as red and blue light; eosin absorbs red hardly
    # and blue far less than green; DAB absorbs blue most. Inks do otherwise.
    blue = (r > 1.15 * g) & (r > 2 * b)
    green = (r > 1.4 * g) & (b > 0.9 * g)
    red = (r < 0.25 * g) & (b > 0.85 * g)
    black = (density.min(-1) > 0.8) & (density.max(-1) < 1.25 * density.min(-1))
    inky = (blue | green | red | black) & (mean > 0.12)
    # A stroke is wide, full and without texture; a blue nucleus in an IHC slide is not.
    smooth = inky & (spread < 0.12)
    seeds = smooth & (ndimage.uniform_filter(smooth.astype(np.float32), 9) > 0.6)
    if not seeds.any():
        return np.asarray(seeds, bool)
    grown = ndimage.binary_dilation(seeds, iterations=8, mask=inky)
    # The rim of a stroke is half ink, half glass, and looks like anything.
    return np.asarray(ndimage.binary_dilation(grown, iterations=3), bool)


def informative(pixels: Pixels, share: float = 0.6) -> npt.NDArray[np.bool_]:
    """Whether tiles show enough stained tissue, by the rule Midnight was trained with.

    At least 60 % of the pixels have hue 90 to 180, saturation 8 to 255 and value 103 to 255 on
    OpenCV's scale (Karasikov et al. 2025, "Training state-of-the-art pathology foundation models
    with orders of magnitude less data", section on data).

    Parameters
    ----------
    pixels : (n, h, w, 3) uint8
    share : float
        Share of pixels that must lie in the range, 0 to 1.

    Returns
    -------
    (n,) bool
    """
    from skimage.color import rgb2hsv

    hsv = rgb2hsv(pixels)
    hue, saturation, value = hsv[..., 0] * 180, hsv[..., 1] * 255, hsv[..., 2] * 255
    inside = (hue >= 90) & (saturation >= 8) & (value >= 103)
    out: npt.NDArray[np.bool_] = inside.reshape(len(pixels), -1).mean(1) >= share
    return out
