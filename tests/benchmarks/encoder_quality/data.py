"""The tiles everything is measured on."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_scalescope.geometry import IntArray, TileGrid
from napari_scalescope.slides import Slide, open_slide
from napari_scalescope.slides.slide import Pixels
from napari_scalescope.slides.tissue import TissueMask, tissue_mask

#: Beside the checkout, where there is one.
SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
TILE_PX = 224
#: Share of a tile that has to be tissue.
MIN_TISSUE = 0.5
#: Sections of one breast tumour; C6 is touched by the final figure only.
DEVELOPMENT = ("C3", "C4")
FINAL = ("C6",)


def stored_tiles(dataset: str) -> tuple[Pixels, npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    """Tiles (n, 224, 224, 3), labels (n,) and groups (n,) of a set of the index.

    Tiles of another size are cropped to their central square and resized.
    """
    with (SHARED / "tiles" / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == dataset]
    tiles = np.stack([_tile(SHARED / "tiles" / row["path"]) for row in rows])
    labels = np.array([row["label"] for row in rows])
    return tiles, labels, np.array([row["group"] for row in rows])


def _tile(path: Path) -> Pixels:
    with Image.open(path) as file:
        image = file.convert("RGB")
        w, h = image.size
        side = min(w, h)
        if (w, h) != (TILE_PX, TILE_PX):
            x, y = (w - side) // 2, (h - side) // 2
            image = image.crop((x, y, x + side, y + side))
            image = image.resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
        return np.asarray(image)


def her2st_slide(section: str) -> Slide:
    """A section of the HER2ST breast tumour C."""
    return open_slide(SHARED / "slides" / f"her2st_{section}.tif")


def her2st_spots(section: str, field: float) -> tuple[Pixels, npt.NDArray[np.str_]]:
    """Tiles around the spots of a section, and their cluster labels.

    Parameters
    ----------
    section : str
    field : float
        Side of what a tile shows, in 224 level-0 pixels.
    """
    path = SHARED / "labels" / "her2st" / f"{section}-cluster-annotation.tsv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    side = TILE_PX * field
    boxes = [
        (float(row["pixel_x"]) - side / 2, float(row["pixel_y"]) - side / 2, side, side)
        for row in rows
    ]
    with her2st_slide(section) as slide:
        return read_boxes(slide, boxes), np.array([row["label"] for row in rows])


def tissue_tiles(slide: Slide, grid: TileGrid, mask: TissueMask | None = None) -> IntArray:
    """Row and column (n, 2) of the tiles that are mostly tissue."""
    mask = tissue_mask(slide) if mask is None else mask
    return np.argwhere(mask.share(grid) >= MIN_TISSUE)


def read_boxes(slide: Slide, boxes: Iterable[Iterable[float]]) -> Pixels:
    """Tiles (n, 224, 224, 3) of boxes (x, y, w, h) in level-0 pixels, whatever their size."""
    tiles = []
    for box in boxes:
        x, y, w, h = map(float, box)
        tiles.append(slide.read((x, y, w, h), size=(TILE_PX, TILE_PX)))
    return np.stack(tiles)
