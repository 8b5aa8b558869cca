"""Loops over pixels, compiled when they are first needed and kept on disk.

They run without the interpreter's lock: whoever draws meanwhile does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

#: Rows that are turned at once: a strip of a wide window then stays in the processor's cache.
STRIP = 64


def _compiled(function: Callable[..., Any]) -> Any:
    # Without fast-math: the same pixels give the same bits, whatever is computed beside them.
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # there is no folder to keep it in
        return njit(nogil=True)(function)


@_compiled
def mix_rows(src, first, weights, out):  # type: ignore[no-untyped-def]
    """Rows of ``out`` (n, w) uint8 as weighted sums of rows of ``src`` (h, w) uint8.

    ``first`` (n,) int64 is the row the first weight belongs to. ``weights`` (n, k) float32, k a
    multiple of 4; weights of rows beyond the last are 0.
    """
    last = src.shape[0] - 1
    width = src.shape[1]
    total = np.empty(width, np.float32)
    zero, half, top = np.float32(0), np.float32(0.5), np.float32(255)
    for y in range(len(out)):
        for k in range(0, weights.shape[1], 4):
            w0, w1, w2, w3 = weights[y, k], weights[y, k + 1], weights[y, k + 2], weights[y, k + 3]
            row = first[y] + k
            r0, r1 = src[min(row, last)], src[min(row + 1, last)]
            r2, r3 = src[min(row + 2, last)], src[min(row + 3, last)]
            for i in range(width):
                part = w0 * np.float32(r0[i]) + w1 * np.float32(r1[i])
                part += w2 * np.float32(r2[i]) + w3 * np.float32(r3[i])
                total[i] = part if k == 0 else total[i] + part
        row_out = out[y]
        for i in range(width):
            row_out[i] = np.uint8(np.int32(min(max(total[i] + half, zero), top)))


@_compiled
def turn(src, out):  # type: ignore[no-untyped-def]
    """``out`` (w, h, 3) as ``src`` (h, w, 3), rows for columns, in blocks that stay in cache."""
    block = np.uint64(16)
    h, w = np.uint64(src.shape[0]), np.uint64(src.shape[1])
    for y0 in range(np.uint64(0), h, block):
        for x0 in range(np.uint64(0), w, block):
            for x in range(x0, min(x0 + block, w)):
                for y in range(y0, min(y0 + block, h)):
                    out[x, y, 0] = src[y, x, 0]
                    out[x, y, 1] = src[y, x, 1]
                    out[x, y, 2] = src[y, x, 2]


@_compiled
def mix(src, first_x, weights_x, first_y, weights_y):  # type: ignore[no-untyped-def]
    """(h, w, 3) uint8 mixed along x, rounded, and then along y, each as `mix_rows` does."""
    h, w = src.shape[:2]
    w_out, h_out = len(first_x), len(first_y)
    turned = np.zeros((w, STRIP, 3), np.uint8)
    mixed = np.empty((w_out, STRIP, 3), np.uint8)
    half = np.empty((h, w_out, 3), np.uint8)
    for y in range(0, h, STRIP):
        n = min(STRIP, h - y)
        turn(src[y : y + n], turned)
        mix_rows(turned.reshape(w, -1), first_x, weights_x, mixed.reshape(w_out, -1))
        turn(mixed[:, :n], half[y : y + n])
    out = np.empty((h_out, w_out, 3), np.uint8)
    mix_rows(half.reshape(h, -1), first_y, weights_y, out.reshape(h_out, -1))
    return out


@_compiled
def shrink(src, by):  # type: ignore[no-untyped-def]
    """(h, w, 3) uint8 made ``by`` times smaller: each pixel the mean of those it covers.

    h and w are multiples of ``by``.
    """
    h, w = src.shape[0] // by, src.shape[1] // by
    out = np.empty((h, w, 3), np.uint8)
    total = np.empty(src.shape[1] * 3, np.uint32)
    rows = src.reshape(src.shape[0], -1)
    half, n = np.uint32(by * by // 2), np.uint32(by * by)
    for y in range(h):
        total[:] = 0
        for j in range(by):
            row = rows[y * by + j]
            for i in range(len(total)):
                total[i] += np.uint32(row[i])
        for x in range(w):
            for c in range(3):
                value = half
                for i in range(by):
                    value += total[(x * by + i) * 3 + c]
                out[y, x, c] = value // n
    return out
