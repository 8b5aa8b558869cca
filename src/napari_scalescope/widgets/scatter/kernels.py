"""Loops over points for when they are very many, compiled in the background and kept on disk.

Each does what a few lines of numpy beside its caller do, to the bit, in one pass over the points
and without temporary arrays: those lines are what runs for fewer points and until these are
compiled, and what the tests compare them with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

#: From so many points on compiled loops are worth it.
MANY = 30_000
#: Sums of colours are 32 bits wide: more points than this in one pixel could overflow them.
MOST = 2**24

_ready = threading.Event()
_begun = threading.Lock()


def _compiled(function: Callable[..., Any]) -> Any:
    # Without fast-math, so that the results are numpy's.
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # there is no folder to keep it in
        return njit(nogil=True)(function)


def fit(n: int) -> bool:
    """Whether these loops are to be used for n points."""
    return MANY <= n <= MOST and _ready.is_set()


def warm_up() -> threading.Thread | None:
    """Compile everything in the background, once in a process: seconds at the very first time."""
    if not _begun.acquire(blocking=False):
        return None
    thread = threading.Thread(target=_warm_up, name="scalescope-scatter", daemon=True)
    thread.start()
    return thread


def _warm_up() -> None:
    x, colour, index = np.zeros(1, np.float32), np.zeros(1, np.uint32), np.zeros(1, np.intp)
    out = np.zeros(1, np.float32), np.zeros(1, np.float32), np.zeros(1, np.uint32)
    cull(x, x, colour, np.zeros(9, np.float32), *out)
    cells = np.zeros((1, 4), np.uint32)
    gather(x, x, colour, 1, 1, np.float32(1), cells)
    tally(cells, np.zeros(4096, np.int64))
    shade(cells, 1, np.ones(1), np.zeros((1, 1), np.uint32), 1)
    stamp(x, x, colour, np.float32(0), index, index, np.zeros((1, 1), np.uint32))
    mask, corners = np.zeros(1, np.bool_), np.zeros((3, 2))
    inside(x, x, corners, 1.0, np.zeros((3, 3), np.bool_), np.zeros((3, 3), np.bool_), mask)
    part(mask, index, index, x, x, colour, index, *out)
    colours(np.zeros((1, 3), np.uint8), index, colour)
    _ready.set()


@_compiled
def cull(x, y, colour, view, px, py, seen):  # type: ignore[no-untyped-def]
    """Screen positions and colours of the points in view, in their order; returns how many.

    ``view`` is float32: place in the middle, pixels per unit, half of the size, and the first and
    last position that counts as in view, in x and in y.
    """
    middle_x, middle_y, scale, half_w, half_h = view[0], view[1], view[2], view[3], view[4]
    left, right, top, bottom = view[5], view[6], view[7], view[8]
    n = 0
    for i in range(len(x)):
        u = (x[i] - middle_x) * scale + half_w
        v = (middle_y - y[i]) * scale + half_h
        px[n], py[n], seen[n] = u, v, colour[i]
        n += (u >= left) & (u < right) & (v >= top) & (v < bottom)
    return n


@_compiled
def gather(px, py, colour, width, height, per_pixel, cells):  # type: ignore[no-untyped-def]
    """Count the points in every cell of a picture and add up their colours.

    ``cells`` (height * width, 4) uint32 holds the count and the sums of red, green and blue.
    """
    zero = np.float32(0)
    for i in range(len(px)):
        u, v = px[i] * per_pixel, py[i] * per_pixel
        if zero <= u < width and zero <= v < height:
            cell = cells[np.int64(v) * width + np.int64(u)]
            c = colour[i]
            cell[0] += np.uint32(1)
            cell[1] += (c >> np.uint32(16)) & np.uint32(255)
            cell[2] += (c >> np.uint32(8)) & np.uint32(255)
            cell[3] += c & np.uint32(255)


@_compiled
def tally(cells, histogram):  # type: ignore[no-untyped-def]
    """Add to a histogram how many cells have how many points, the last bin for all beyond."""
    last = len(histogram) - 1
    for i in range(len(cells)):
        histogram[min(np.int64(cells[i, 0]), last)] += 1


@_compiled
def shade(cells, width, opacity, picture, size):  # type: ignore[no-untyped-def]
    """Paint the mean colour of every cell, ``size`` pixels wide, over what is in the picture.

    ``opacity`` (k,) belongs to 1 to k points, the last to all beyond.
    """
    rows, columns = picture.shape
    full = len(opacity)
    for i in range(len(cells)):
        count = np.int64(cells[i, 0])
        if count == 0:
            continue
        top, left = i // width * size, i % width * size
        strength = opacity[count - 1 if count < full else full - 1]
        under = picture[top, left]
        painted = np.uint32(0xFF)
        for channel in range(3):
            below = np.float64((under >> np.uint32(16 - 8 * channel)) & np.uint32(255))
            mixed = below + (np.float64(cells[i, channel + 1]) / count - below) * strength
            painted = (painted << np.uint32(8)) | np.uint32(mixed + 0.5)
        for row in range(top, min(top + size, rows)):
            for column in range(left, min(left + size, columns)):
                picture[row, column] = painted


@_compiled
def stamp(px, py, colour, shift, rows, columns, picture):  # type: ignore[no-untyped-def]
    """Paint the pixels at some offsets of each point, later points over earlier ones."""
    height, width = picture.shape
    for i in range(len(px)):
        left, top = np.int64(np.floor(px[i] + shift)), np.int64(np.floor(py[i] + shift))
        for j in range(len(rows)):
            row, column = top + rows[j], left + columns[j]
            if 0 <= row < height and 0 <= column < width:
                picture[row, column] = colour[i]


@_compiled
def inside(x, y, vertices, scale, filled, border, found):  # type: ignore[no-untyped-def]
    """Mark in ``found`` the points in a polygon; see `picking.inside_polygon` for the rasters."""
    n = len(vertices)
    left, bottom = vertices[:, 0].min(), vertices[:, 1].min()
    right, top = vertices[:, 0].max(), vertices[:, 1].max()
    for i in range(len(x)):
        px, py = np.float64(x[i]), np.float64(y[i])
        if not (left <= px <= right and bottom <= py <= top):
            continue
        row, column = np.int64((py - bottom) * scale + 1), np.int64((px - left) * scale + 1)
        if not border[row, column]:
            found[i] = filled[row, column]
            continue
        turns = 0
        ax, ay = vertices[n - 1]
        for j in range(n):
            bx, by = vertices[j]
            if ay <= py < by:
                turns += (bx - ax) * (py - ay) - (px - ax) * (by - ay) > 0
            elif by <= py < ay:
                turns -= (bx - ax) * (py - ay) - (px - ax) * (by - ay) < 0
            ax, ay = bx, by
        found[i] = turns != 0


@_compiled
def part(mask, order, index, x, y, colour, at, out_x, out_y, out_colour):  # type: ignore[no-untyped-def]
    """Put the points whose index is not in ``mask`` before those whose is; returns how many.

    ``order``, ``x``, ``y`` and ``colour`` are in drawing order, and so are those put out.
    """
    behind = 0
    for i in range(len(order)):
        behind += not mask[order[i]]
    back, front = 0, behind
    for i in range(len(order)):
        chosen = mask[order[i]]
        j = front if chosen else back
        at[j], out_x[j], out_y[j], out_colour[j] = index[i], x[i], y[i], colour[i]
        front += chosen
        back += not chosen
    return behind


@_compiled
def colours(table, index, packed):  # type: ignore[no-untyped-def]
    """Colours (n, 3) uint8 of some points as ``0xFFRRGGBB``."""
    for i in range(len(index)):
        j = index[i]
        red, green, blue = np.uint32(table[j, 0]), np.uint32(table[j, 1]), np.uint32(table[j, 2])
        packed[i] = np.uint32(0xFF000000) | (red << np.uint32(16)) | (green << np.uint32(8)) | blue
