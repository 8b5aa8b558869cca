"""What a set looks like on the disk: its arrays, how they are cut, and which sets are refused."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StoreError
from ..geometry import IntArray, TileGrid
from .disk import damage_in_words, damaged, flush, flush_tree

if TYPE_CHECKING:
    import zarr

#: Version of this layout. A store of another one is refused, not misread.
LAYOUT = 2
#: Blocks are made small enough that the patch tokens of one fit in this.
BLOCK_BYTES = 64 << 20
#: Attention and patch tokens are read in pieces of this many tiles by as many.
PIECE = 4
#: `state` lies in files of this many tiles by as many, a megabyte each before compression: a set
#: of a million tiles opens by reading one. Blocks never straddle two of them.
STATE_SIDE = 1024
#: Vectors are read this many blocks by as many at a time, of which zarr reads several at once.
BAND = 4

#: Folder, beside the sets of a slide, of the batches that are not merged into them yet.
JOURNAL = ".journal"

#: The arrays of a set, in the order in which they are written: `state` last of all.
PARTS = ("embedding", "attention", "patch_tokens")


def journal_of(path: Path) -> Path:
    """Where finished batches of the set at ``path`` wait to be merged."""
    return path.parent / JOURNAL / path.name


def block_side(token_bytes: int) -> int:
    """Side of a block in tiles, for tiles of that many bytes of patch tokens: 4 to 32."""
    side = 32
    while side > PIECE and side * side * token_bytes > BLOCK_BYTES:
        side //= 2
    return side


def by_block(tiles: IntArray, side: int) -> dict[tuple[int, int], IntArray]:
    """Positions of tiles by the first row and column of the square of tiles they are in."""
    if not len(tiles):
        return {}
    corners = tiles // side * side
    order = np.lexsort((corners[:, 1], corners[:, 0]))
    sorted_corners = corners[order]
    cuts = np.flatnonzero((np.diff(sorted_corners, axis=0) != 0).any(1)) + 1
    return {
        (int(corners[rows[0], 0]), int(corners[rows[0], 1])): rows.astype(np.int64)
        for rows in np.split(order, cuts)
    }


def create(path: Path, provenance: dict[str, Any], shape: tuple[int, int]) -> None:
    """Make an empty set. Its folder gets its name when it is complete: nobody sees half a set."""
    import zarr

    with damage_in_words(path, "slide's group"):
        zarr.open_group(path.parent, mode="a", zarr_format=3)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    group = zarr.create_group(draft, zarr_format=3, attributes=provenance)
    facts = provenance["scalescope"]
    group.create_array(
        "state",
        shape=shape,
        chunks=(min(STATE_SIDE, shape[0]), min(STATE_SIDE, shape[1])),
        dtype="uint8",
        fill_value=0,
        compressors=_compressor(),
    )
    add_array(group, "embedding", shape, tuple(facts["shapes"]["embedding"]), facts["block"])
    flush_tree(draft, path.parent)
    draft.rename(path)
    flush(path.parent)


def add_array(
    group: zarr.Group, name: str, grid: tuple[int, int], shape: tuple[int, ...], side: int
) -> None:
    """An array over the grid, one file a block.

    Vectors are wanted all at once, so a block of them is one piece: a tenth of the time of many.
    """
    whole = name == "embedding"
    group.create_array(
        name,
        shape=(*grid, *shape),
        shards=None if whole else (side, side, *shape),
        chunks=(side, side, *shape) if whole else (PIECE, PIECE, *shape),
        dtype="float16",
        fill_value=float("nan"),
        compressors=_compressor(),
    )


def _compressor() -> Any:
    """With a checksum: one wrong bit is noticed."""
    from zarr.codecs import ZstdCodec

    return ZstdCodec(level=0, checksum=True)


def open_group(path: Path) -> zarr.Group:
    """The group of a set that was made by this version of ScaleScope.

    Raises
    ------
    StoreError
        If it is of another version, of somebody else, or damaged.
    """
    import zarr

    if not (path / "zarr.json").exists():
        raise damaged(path, "it does not say what it holds (zarr.json is missing)")
    with damage_in_words(path, "description"):
        group = zarr.open_group(path, mode="r+")
        found = dict(group.attrs).get("scalescope")
    if not isinstance(found, dict):
        raise StoreError(
            f"{path.name} in {path.parent.parent} was not made by ScaleScope.",
            "Choose another store folder.",
        )
    layout = found.get("layout", 0)
    if layout > LAYOUT:
        raise StoreError(
            f"{path.name} was written by a newer ScaleScope.",
            "Update napari-scalescope, or choose another store folder.",
        )
    if layout < LAYOUT:
        raise StoreError(
            f"{path.name} was written by an early ScaleScope in a layout that is read no more.",
            "Remove it with scalescope store prune, or choose another store folder; then encode "
            "the slide again.",
        )
    return group


def grid_of(provenance: dict[str, Any]) -> TileGrid:
    """The grid of tiles that the attributes of a set describe."""
    tiles = provenance["tiles"]
    return TileGrid(**tiles, slide_mpp=provenance["slide"]["mpp"])
