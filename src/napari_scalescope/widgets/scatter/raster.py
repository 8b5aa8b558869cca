"""Points to pixels.

A million points are cheap as long as every step is one pass over flat arrays: nothing in here
loops over points, and where they are many `kernels` does the same in compiled loops.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from . import kernels
from .arrays import Indices, Packed, Positions
from .camera import Camera
from .cloud import PointCloud, pack

#: Diameter of an automatically sized point (logical px).
MIN_SIZE, MAX_SIZE = 1.0, 4.0
#: How much of its colour a point keeps that is not selected while others are.
FADED = 0.25
#: How much larger than the others a selected point is drawn.
SELECTED_GROWTH = 1.25
#: Points in view per logical pixel from which single points say less than their density.
DENSE = 0.5
#: Pixels written, and pixels in the picture, up to which smooth round dots are affordable.
SMOOTH_WRITES, SMOOTH_PIXELS = 800_000, 2_000_000
#: Scatter writes done at once: bounds the memory that a frame needs.
CHUNK = 2_000_000


def automatic_size(n: int, area: float) -> float:
    """Diameter (logical px) at which ``n`` points in ``area`` are seen without covering it."""
    return float(np.clip(0.65 * math.sqrt(area / max(n, 1)), MIN_SIZE, MAX_SIZE))


def rasterise(
    cloud: PointCloud,
    camera: Camera,
    *,
    background: tuple[int, int, int],
    point_size: float | None = None,
    ratio: float = 1.0,
) -> Packed:
    """Draw the points.

    Parameters
    ----------
    cloud : PointCloud
        The points.
    camera : Camera
        The part of the data to show.
    background : tuple of int
        Colour where there are no points; unselected points fade towards it.
    point_size : float, optional
        Diameter in logical pixels (default: chosen from the number of points in view).
    ratio : float
        Device pixels per logical pixel.

    Returns
    -------
    uint32 array (height, width)
        ``0xFFRRGGBB``, in device pixels.
    """
    empty = pack(np.array([background], np.uint8))[0]
    shape = max(round(camera.height * ratio), 1), max(round(camera.width * ratio), 1)
    picture = np.full(shape, empty, np.uint32)
    reach = math.ceil((MAX_SIZE if point_size is None else point_size) * ratio) + 2
    layers = []
    for part in (slice(None, cloud.n_behind), slice(cloud.n_behind, None)):
        points = cloud.x[part], cloud.y[part], cloud.colour[part]
        layers.append(_in_view(camera, *points, ratio, reach))
    n = sum(len(px) for px, _, _ in layers)
    area = camera.width * camera.height
    crowding = n / (DENSE * area)
    size = (automatic_size(n, area) if point_size is None else point_size) * ratio
    for front, (px, py, colour) in enumerate(layers):
        # A few selected points among very many must neither be averaged away nor be searched for.
        if crowding > 1 and len(px) > (DENSE / 4 * area if front else 0):
            # Nothing jumps where dots turn into density: at the threshold all of it is opaque.
            faintest = float(np.clip(1 - 0.3 * math.log2(crowding), 0.7 if front else 0.3, 1))
            _shade(picture, px, py, colour, max(round(size), 1), faintest)
        elif len(px):
            least = 2 * ratio if crowding > 1 and point_size is None else 0.0
            diameter = max(size * SELECTED_GROWTH, least) if front else size
            picture = _dots(picture, px, py, colour, diameter)
        if not front and cloud.n_selected:
            # Fading the picture costs less than fading every point, and gives the same.
            picture = _between(_between(picture, empty), empty)  # half of a half: FADED
    return picture


def _in_view(
    camera: Camera, x: Positions, y: Positions, colour: Packed, ratio: float, reach: int
) -> tuple[Positions, Positions, Packed]:
    """Screen positions (device px) and colours of the points in view or up to ``reach`` beyond."""
    if not kernels.fit(len(x)):
        px, py, kept = camera.project(x, y, ratio, reach)
        return px, py, colour[kept]
    width, height = camera.width * ratio, camera.height * ratio
    edges = (-reach, width + reach, -reach, height + reach)
    view = (camera.x, camera.y, camera.scale * ratio, width / 2, height / 2, *edges)
    px, py, seen = np.empty_like(x), np.empty_like(y), np.empty_like(colour)
    n = kernels.cull(x, y, colour, np.array(view, np.float32), px, py, seen)
    return px[:n], py[:n], seen[:n]


def _disc(diameter: int) -> tuple[Indices, Indices]:
    """Row and column offsets of the pixels of a disc, from the corner of its square."""
    if diameter <= 2:  # a cross or a square with no corners would be no dot at this size
        rows, columns = np.indices((diameter, diameter)).reshape(2, -1)
        return rows, columns
    centre = np.arange(diameter) - (diameter - 1) / 2
    rows, columns = np.nonzero(
        centre[:, None] ** 2 + centre[None, :] ** 2 <= (diameter / 2) ** 2 + 0.01
    )
    return rows, columns


def _dots(picture: Packed, px: Positions, py: Positions, colour: Packed, size: float) -> Packed:
    """The picture with one opaque dot per point, later points over earlier ones."""
    fine = round(2 * size)
    writes = len(px) * len(_disc(fine)[0])
    affordable = writes <= SMOOTH_WRITES and picture.size <= SMOOTH_PIXELS
    if affordable and size >= 2:  # smaller dots would get faint where they lie between pixels
        # Drawn twice as large and halved, dots get smooth edges and sizes of half a pixel.
        doubled = np.repeat(np.repeat(picture, 2, axis=0), 2, axis=1)
        return _halved(_stamped(doubled, 2 * px, 2 * py, colour, fine))
    return _stamped(picture, px, py, colour, max(round(size), 1))


def _stamped(
    picture: Packed, px: Positions, py: Positions, colour: Packed, diameter: int
) -> Packed:
    """The picture with a disc of one colour per point."""
    height, width = picture.shape
    shift = np.float32(0.5 - diameter / 2)
    rows, columns = _disc(diameter)
    if kernels.fit(len(px)):
        picture = np.ascontiguousarray(picture)
        offsets = np.ascontiguousarray(rows), np.ascontiguousarray(columns)
        kernels.stamp(px, py, colour, shift, *offsets, picture)
        return picture
    outermost = max(0, -px.min(), -py.min(), px.max() - width, py.max() - height)
    pad = math.ceil(float(outermost)) + diameter
    padded = np.empty((height + 2 * pad, width + 2 * pad), np.uint32)
    inner = padded[pad : pad + height, pad : pad + width]
    inner[...] = picture
    flat = padded.reshape(-1)
    top, left = (np.floor(p + shift).astype(np.intp) + pad for p in (py, px))
    corner = top * padded.shape[1] + left
    disc = rows * padded.shape[1] + columns
    step = max(CHUNK // len(disc), 1)
    for i in range(0, len(corner), step):
        # Point by point, not offset by offset: of two writes to a pixel the later point's stays.
        where = (corner[i : i + step, None] + disc).reshape(-1)
        flat[where] = np.repeat(colour[i : i + step], len(disc))
    return inner


def _shade(
    picture: Packed, px: Positions, py: Positions, colour: Packed, size: int, faintest: float
) -> None:
    """Paint the mean colour of the points on every pixel, the more opaque the more they are.

    A pixel is here what a point covers, ``size`` device pixels wide. What is under it must have
    one colour: the background, or points shaded before at the same size.
    """
    height, width = (-(-side // size) for side in picture.shape)
    histogram = np.zeros(4096, np.int64)
    cells = np.zeros((height * width, 4), np.uint32)
    if kernels.fit(len(px)):
        kernels.gather(px, py, colour, width, height, np.float32(1 / size), cells)
        kernels.tally(cells, histogram)
        kernels.shade(cells, width, _opacities(histogram, faintest), picture, size)
        return
    column, row = px * np.float32(1 / size), py * np.float32(1 / size)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cell = row[inside].astype(np.intp) * width + column[inside].astype(np.intp)
    cells[:, 0] = np.bincount(cell, minlength=len(cells))
    for channel, bits in enumerate((16, 8, 0), 1):
        value = ((colour[inside] >> np.uint32(bits)) & np.uint32(255)).astype(np.float64)
        cells[:, channel] = np.bincount(cell, value, len(cells))
    some = np.flatnonzero(cells[:, 0])
    count = cells[some, 0].astype(np.intp)
    histogram += np.bincount(np.minimum(cells[:, 0], 4095), minlength=4096)
    steps = _opacities(histogram, faintest)
    opacity = steps[np.minimum(count, len(steps)) - 1]
    flat = np.ascontiguousarray(picture[::size, ::size]).reshape(-1)  # a copy if size > 1
    under = flat[some]
    painted = np.full(len(some), 0xFF, np.uint32)
    for channel, bits in enumerate((16, 8, 0), 1):
        below = ((under >> np.uint32(bits)) & np.uint32(255)).astype(np.float64)
        mixed = below + (cells[some, channel] / count - below) * opacity
        painted <<= np.uint32(8)
        painted |= (mixed + 0.5).astype(np.uint32)
    flat[some] = painted
    if size > 1:
        wide = np.repeat(flat.reshape(height, width), size, axis=1)[:, : picture.shape[1]]
        picture[...] = np.repeat(wide, size, axis=0)[: picture.shape[0]]


def _opacities(histogram: npt.NDArray[np.int64], faintest: float) -> npt.NDArray[np.float64]:
    """How opaque a pixel with one point is, with two and so on, to that of full strength.

    ``histogram`` says how many pixels have how many points. Full strength is what one pixel in a
    hundred exceeds: a single crowded spot says nothing.
    """
    filled = np.cumsum(histogram[1:])
    full = max(int(np.searchsorted(filled, 0.99 * filled[-1])) + 1, 2)
    steps: npt.NDArray[np.float64] = np.log(np.arange(1, full + 1)) / math.log(full)
    return faintest + (1 - faintest) * steps


def _between(a: Packed, b: Packed | np.uint32) -> Packed:
    """The colour half way between two, all channels at once and equal colours unchanged."""
    return (a & b) + (((a ^ b) & np.uint32(0xFEFEFEFE)) >> np.uint32(1))


def _halved(picture: Packed) -> Packed:
    """The picture at half its size, each pixel the mean of four."""
    rows = _between(picture[0::2], picture[1::2])
    return _between(rows[:, 0::2], rows[:, 1::2])
