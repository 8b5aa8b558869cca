"""What a whole-slide job will do, decided before it starts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..encoders.encoder import Encoder
from ..geometry import IntArray, TileGrid
from ..slides import MIN_TISSUE, TissueMask
from ..slides.tiles import block_order
from .embedding_set import Part
from .stored_set import StoredSet


@dataclass(frozen=True)
class Plan:
    """The blocks and batches of one set.

    Batches are cut from all tissue tiles of a block, before those that are done are left out.
    An interrupted job therefore goes on with the very batches it would have had, and its vectors
    come out the same to the last bit.

    Parameters
    ----------
    blocks : tuple of (corner, background, batches)
        For each block of the store: its first row and column, its background tiles (n, 2), and
        its batches of tissue tiles.
    tissue : int
        Tiles with enough tissue.
    background : int
        The others.
    """

    blocks: tuple[tuple[tuple[int, int], IntArray, tuple[IntArray, ...]], ...]
    tissue: int
    background: int


def make_plan(
    grid: TileGrid, block: int, batch: int, mask: TissueMask | None, min_tissue: float = MIN_TISSUE
) -> Plan:
    """Cut a slide into blocks and batches; ``mask`` None takes every tile for tissue."""
    share = np.ones(grid.shape, np.float32) if mask is None else mask.share(grid)
    wanted = share >= min_tissue
    blocks = []
    for y in range(0, grid.rows, block):
        for x in range(0, grid.cols, block):
            part = wanted[y : y + block, x : x + block]
            corner = np.array([y, x])
            tissue = block_order(np.argwhere(part) + corner)
            rest = np.argwhere(~part) + corner
            batches = tuple(tissue[i : i + batch] for i in range(0, len(tissue), batch))
            blocks.append(((y, x), rest, batches))
    tissue_count = int(wanted.sum())
    return Plan(tuple(blocks), tissue_count, wanted.size - tissue_count)


@dataclass(frozen=True, eq=False)
class Work:
    """One encoder on one grid of a slide, and what to keep of it.

    Parameters
    ----------
    encoder : Encoder
    stored : StoredSet
    plan : Plan
    keep : collection of "patch_tokens" and "attention"
    """

    encoder: Encoder
    stored: StoredSet
    plan: Plan
    keep: Collection[Part] = field(default=())


@dataclass(frozen=True, eq=False)
class Piece:
    """A batch of a work.

    Parameters
    ----------
    work : Work
    corner : (int, int)
        First row and column of the block it lies in.
    tiles : (n, 2) int64
    """

    work: Work
    corner: tuple[int, int]
    tiles: IntArray


def pieces(works: Sequence[Work]) -> list[Piece]:
    """Batches that are left to do of several works on one slide, in the order to read them.

    What lies at one place of the slide is read one after the other, whichever encoder and
    resolution it is for: pieces of the file that several of them need are decoded once, while
    they are at hand.
    """
    reach = max((work.stored.block * work.stored.grid.pitch for work in works), default=1.0)
    found: list[tuple[tuple[int, int, int], Piece]] = []
    for n, work in enumerate(works):
        pitch = work.stored.grid.pitch
        for (row, col), _, batches in work.plan.blocks:
            place = int(row * pitch / reach + 1e-9), int(col * pitch / reach + 1e-9)
            for tiles in batches:
                left = work.stored.missing(tiles, work.keep)
                if len(left):
                    found.append(((*place, n), Piece(work, (row, col), left)))
    return [piece for _, piece in sorted(found, key=lambda item: item[0])]
