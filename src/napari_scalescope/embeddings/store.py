"""A folder of embeddings: nothing is computed twice, and a process that dies loses one batch.

Layout::

    <root>/
      <slide>-<fingerprint>.zarr/                 zarr v3 group, one per slide
        <encoder>-<mpp>um-<tile>px-<key>/         one encoder at one resolution: see StoredSet
        .journal/<set>/*.npz                      its finished batches not merged yet
      .locks/*.lock
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..encoders.encoder import Encoder
from ..geometry import TileGrid
from ..slides import Slide
from .layout import LAYOUT, block_side
from .stored_set import StoredSet


def set_key(slide: Slide, identity: Mapping[str, Any], grid: TileGrid) -> str:
    """Hash of everything that would change a vector: sha256, hex."""
    facts = {
        "slide": slide.fingerprint,
        "grid": [grid.mpp, grid.tile_px, grid.stride_px, grid.slide_mpp, *grid.shape],
        **identity,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class Store:
    """A folder of embeddings.

    Parameters
    ----------
    root : path
        Made when something is first written.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser()

    def open_set(self, slide: Slide, encoder: Encoder, grid: TileGrid) -> StoredSet:
        """The set of one encoder on one grid of a slide, made if it is not there.

        Raises
        ------
        StoreError
            If the folder cannot be written, or holds something else under that name.
        """
        identity = encoder.identity
        key = set_key(slide, identity, grid)
        group = f"{_plain(Path(slide.name).stem)}-{slide.fingerprint[:12]}.zarr"
        stride = "" if grid.stride_px == grid.tile_px else f"-s{grid.stride_px}px"
        name = f"{encoder.name}-{grid.mpp:.4g}um-{grid.tile_px}px{stride}-{key[:8]}"
        side = encoder.grid(grid.tile_px)
        tokens = (side, side, encoder.entry.token_dim)
        provenance = {
            "scalescope": {
                "layout": LAYOUT,
                "key": key,
                "block": block_side(2 * side * side * encoder.entry.token_dim),
                "shapes": {
                    "embedding": [encoder.dim],
                    "attention": [encoder.map_heads, side, side],
                    "patch_tokens": list(tokens),
                },
            },
            "encoder": {**identity, "name": encoder.entry.name, "trained": encoder.entry.trained},
            "tiles": {
                "mpp": grid.mpp,
                "tile_px": grid.tile_px,
                "stride_px": grid.stride_px,
                "rows": grid.rows,
                "cols": grid.cols,
            },
            "slide": {
                "name": slide.name,
                "fingerprint": slide.fingerprint,
                "dimensions": list(slide.dimensions),
                "mpp": grid.slide_mpp,
                "mpp_source": slide.mpp_source,
            },
            "versions": versions(),
        }
        return StoredSet(self.root / group / name, provenance)


def _plain(text: str) -> str:
    """A name any file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:80] or "slide"


def versions() -> dict[str, str]:
    """What it was made with: packages whose versions may change a vector."""
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for package in ("napari-scalescope", "torch", "timm", "pillow"):
        with contextlib.suppress(PackageNotFoundError):
            out[package] = version(package)
    return out
