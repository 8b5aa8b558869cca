"""Maps: whether attention and PCA colours show the tissue or the lattice of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr
from skimage.color import rgb2hed

from napari_scalescope.analysis.pca import colours_of
from napari_scalescope.analysis.probe.bootstrap import Score, mean_of, resample
from napari_scalescope.geometry import TileGrid
from napari_scalescope.sample import sample_slide_path
from napari_scalescope.slides import Slide, open_slide
from napari_scalescope.slides.slide import Pixels

from . import data
from .describers import Describer, EncoderDescriber
from .features import BATCH, say

Floats = npt.NDArray[np.floating]

MPP = 1.0
#: Along a tile, for the seams of the tissue itself.
PATCHES = data.TILE_PX // 16
#: At most so many adjoining tiles of a slide, from the middle of its tissue outwards.
TILES = 120


def run(describers: list[Describer]) -> dict[str, Any]:
    """Of every encoder with tokens, on blocks of adjoining tiles.

    attention and haematoxylin
        Spearman's correlation, within each tile, of the attention of CLS (mean of heads) with the
        density of haematoxylin, patch by patch.
    attention at the border
        Mean attention of the outermost patches of a tile over that of the others.
    seams of PCA colours
        Mean difference of neighbouring patches' colours where a seam lies between them, over that
        where none does; the same of the patches' own mean colours is what the tissue gives.
    """
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        for title, slide in _slides():
            stack.callback(slide.close)
            pixels, tiles = _block(slide)
            found[title] = {
                "n": len(tiles),
                "seams of the tissue": seams(_patch_means(pixels, PATCHES), tiles),
            }
            weights = resample(np.zeros(len(tiles)), f"maps {title}")
            for describer in describers:
                if isinstance(describer, EncoderDescriber):
                    found[title][describer.name] = _of(describer, pixels, tiles, weights)
                    say(f"maps of {title}: {len(tiles)} tiles by {describer.name}")
    return found


def _of(
    describer: EncoderDescriber, pixels: Pixels, tiles: npt.NDArray[np.int64], weights: Floats
) -> dict[str, Score | float]:
    parts = [describer.encoder.encode(pixels[i : i + BATCH]) for i in range(0, len(pixels), BATCH)]
    attention = np.concatenate([p.attention.mean(1) for p in parts if p.attention is not None])
    tokens = np.concatenate([p.patch_tokens for p in parts if p.patch_tokens is not None])
    dye = haematoxylin(pixels, tokens.shape[1])
    colours = colours_of(tokens.reshape(-1, tokens.shape[-1]))(tokens)
    return {
        "attention and haematoxylin": mean_of(
            [
                spearmanr(a.ravel(), b.ravel()).statistic
                for a, b in zip(attention, dye, strict=True)
            ],
            weights,
        ),
        "attention at the border": mean_of(border(attention), weights),
        "seams of PCA colours": seams(colours, tiles),
    }


def haematoxylin(pixels: Pixels, side: int) -> Floats:
    """Mean density in each patch: (n, side, side)."""
    return _patch_means(np.stack([rgb2hed(tile)[..., 0] for tile in pixels]), side)


def border(attention: Floats) -> Floats:
    """Mean of the outermost patches over the mean of the others: (n,), from (n, g, g)."""
    inner = attention[:, 1:-1, 1:-1]
    outer = attention.sum((1, 2)) - inner.sum((1, 2))
    share: Floats = outer / (attention[0].size - inner[0].size) / inner.mean((1, 2))
    return share


def seams(maps: Floats, tiles: npt.NDArray[np.int64]) -> float:
    """How much more neighbours differ across seams than inside tiles.

    Parameters
    ----------
    maps : (n, g, g, c)
    tiles : (n, 2)
        Row and column of each tile.

    Returns
    -------
    float
        1 where seams cannot be told, nan where no two tiles adjoin.
    """
    where = {(int(r), int(c)): i for i, (r, c) in enumerate(tiles)}
    across = []
    for (r, c), i in where.items():
        right, below = where.get((r, c + 1)), where.get((r + 1, c))
        if right is not None:
            across.append(_apart(maps[i][:, -1], maps[right][:, 0]))
        if below is not None:
            across.append(_apart(maps[i][-1], maps[below][0]))
    inside = [_apart(maps[:, :, 1:], maps[:, :, :-1]), _apart(maps[:, 1:], maps[:, :-1])]
    return float(np.mean(across) / np.mean(inside)) if across else float("nan")


def _apart(a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(a.astype(np.float64) - b, axis=-1).mean())


def _patch_means(values: npt.NDArray[np.number], side: int) -> Floats:
    """Mean of each of side × side patches: (n, side, side, …), from (n, px, px, …)."""
    n, px = values.shape[:2]
    patch = px // side
    means: Floats = values.reshape(n, side, patch, side, patch, *values.shape[3:]).mean((2, 4))
    return means


def _slides() -> Iterator[tuple[str, Slide]]:
    yield "sample slide", open_slide(sample_slide_path())
    if data.SHARED.is_dir():
        yield "HER2ST C3", data.her2st_slide("C3")


def _block(slide: Slide) -> tuple[Pixels, npt.NDArray[np.int64]]:
    grid = TileGrid.cover(slide, MPP, data.TILE_PX)
    tiles = data.tissue_tiles(slide, grid)
    order = np.argsort(np.linalg.norm(tiles - np.median(tiles, 0), axis=1), kind="stable")
    tiles = tiles[order[:TILES]]
    return data.read_boxes(slide, grid.boxes(tiles)), tiles
