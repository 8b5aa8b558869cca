"""The places that score highest, none of them beside another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...geometry import Box
from ..tile_map import TileMap


@dataclass(frozen=True)
class Hit:
    """A place that scores higher than everything around it.

    Parameters
    ----------
    box : Box
        Level-0 pixels.
    score : float
        In the unit of the map it was found on.
    rank : int
        1 for the best.
    """

    box: Box
    score: float
    rank: int


def find_hits(
    tile_map: TileMap,
    k: int = 20,
    *,
    apart: float = 0.0,
    side: float | None = None,
    leave_out: Iterable[tuple[float, float]] = (),
) -> list[Hit]:
    """The k best cells of a map of scores, whose centres lie so far apart from one another.

    Tissue that is alike lies together: the ten best tiles of a slide are mostly one place. So the
    best is taken, everything near it is left out, and so on (greedy non-maximum suppression).

    Parameters
    ----------
    tile_map : TileMap
        Of kind "score".
    k : int
    apart : float
        Smallest distance between centres, level-0 pixels.
    side : float, optional
        Side of the boxes, level-0 pixels; default: a cell.
    leave_out : iterable of (x, y)
        Places (level-0 pixels) to find nothing near to: what was asked about.

    Returns
    -------
    list of Hit
        Best first; fewer where there are no more. Equal scores: from the top, then from the left.
    """
    if tile_map.kind != "score":
        raise ValueError(f"hits are found on scores, not on a map of {tile_map.kind}")
    place = tile_map.placement
    left = np.where(np.isfinite(tile_map.values), tile_map.values, -np.inf).astype(np.float32)
    side = place.cell if side is None else side
    reach = apart / place.cell
    for x, y in leave_out:
        at = (y - place.y) / place.cell - 0.5, (x - place.x) / place.cell - 0.5
        # Its own cell in any case, however close places may lie.
        _clear(left, at, max(reach, 0.75))
    found: list[Hit] = []
    while len(found) < k:
        row, col = np.unravel_index(int(left.argmax()), left.shape) if left.size else (0, 0)
        if not left.size or left[row, col] == -np.inf:
            break
        centre = (place.x + (col + 0.5) * place.cell, place.y + (row + 0.5) * place.cell)
        score = float(left[row, col])
        found.append(Hit(Box.around(centre, side, side), score, len(found) + 1))
        _clear(left, (float(row), float(col)), reach)
        left[row, col] = -np.inf
    return found


def _clear(left: np.ndarray, at: tuple[float, float], reach: float) -> None:
    """Take out the cells whose centre is nearer than so many cells."""
    (y0, y1), (x0, x1) = (
        (max(0, int(p - reach)), min(n, int(p + reach) + 2))
        for p, n in zip(at, left.shape, strict=True)
    )
    if y1 <= y0 or x1 <= x0:
        return
    y, x = np.ogrid[y0:y1, x0:x1]
    left[y0:y1, x0:x1][(y - at[0]) ** 2 + (x - at[1]) ** 2 < reach**2 - 1e-9] = -np.inf
