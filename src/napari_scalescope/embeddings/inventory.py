"""What is in a store, told from the outside: no slide and no encoder is needed, nothing changes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StoreError
from .arrays import Arrays
from .disk import disk_errors_in_words, files_below
from .embedding_set import FLAG, TileState
from .layout import PARTS, journal_of
from .leftovers import sets

BARE = TileState.BACKGROUND | TileState.ENCODED


@dataclass(frozen=True)
class SetFacts:
    """One set of a store.

    Parameters
    ----------
    path : Path
    slide, fingerprint : str
        Name of the slide and hash of what it holds.
    other_version : bool
        Whether the store has a set that was written later, of a slide of the same name that holds
        something else: this one is of an earlier version of the slide, or of its namesake.
    encoder : str
        Its id.
    trained : bool or None
        Whether its weights are trained ones. None: not known.
    mpp : float
        µm per pixel of the tiles.
    tile_px, stride_px : int
        Side of a tile and distance between tiles, in its pixels.
    tiles, encoded, background, unreadable : int
        Tiles of the grid, and how many of them are in a state; batches in the journal aside.
    parts : tuple of str
        What is kept beside the vectors.
    unmerged : int
        Batches that wait in the journal.
    bytes : int
        Size on the disk, the journal included.
    modified : float
        When something was last written, seconds since 1970.
    problem : str
        Why it cannot be used, "" if it can.
    """

    path: Path
    slide: str = ""
    fingerprint: str = ""
    other_version: bool = False
    encoder: str = ""
    trained: bool | None = None
    mpp: float = 0.0
    tile_px: int = 0
    stride_px: int = 0
    tiles: int = 0
    encoded: int = 0
    background: int = 0
    unreadable: int = 0
    parts: tuple[str, ...] = ()
    unmerged: int = 0
    bytes: int = 0
    modified: float = 0.0
    problem: str = ""

    @property
    def tissue(self) -> int:
        """Tiles that are not known to be background."""
        return self.tiles - self.background

    @property
    def done(self) -> float:
        """Share of the tissue that is encoded, 0 to 1."""
        return self.encoded / self.tissue if self.tissue else 1.0

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            **asdict(self),
            "path": str(self.path),
            "parts": list(self.parts),
            "tissue": self.tissue,
            "done": self.done,
        }


def survey(root: Path) -> list[SetFacts]:
    """All sets of a store, by slide, encoder and resolution.

    Raises
    ------
    StoreError
        If there is no such folder, or it may not be read.
    """
    with disk_errors_in_words(root, "read"):
        found = [_facts(path) for path in sets(root)]
    newest: dict[str, SetFacts] = {}
    for facts in sorted(found, key=lambda f: f.modified):
        newest[facts.slide] = facts
    versions = Counter(slide for slide, _ in {(f.slide, f.fingerprint) for f in found})
    marked = [
        replace(
            f, other_version=versions[f.slide] > 1 and f.fingerprint != newest[f.slide].fingerprint
        )
        for f in found
    ]
    return sorted(marked, key=lambda f: (f.slide, f.fingerprint, f.encoder, f.mpp, f.path))


def _facts(path: Path) -> SetFacts:
    journal = journal_of(path)
    files = [status for folder in (path, journal) for _, status in files_below(folder)]
    facts = SetFacts(
        path,
        slide=path.parent.name[: -len("-0123456789ab.zarr")],
        bytes=sum(status.st_size for status in files),
        modified=max((status.st_mtime for status in files), default=0.0),
        unmerged=sum(1 for _ in journal.glob("*.npz")),
    )
    facts = _described(facts)
    try:
        arrays = Arrays(path)
        state = arrays.state()
    except StoreError as error:
        return replace(facts, problem=error.problem)
    counts = np.bincount(state.reshape(-1), minlength=256)

    def having(flag: TileState) -> int:
        return int(sum(n for value, n in enumerate(counts.tolist()) if value & flag))

    return replace(
        facts,
        encoded=having(TileState.ENCODED),
        # What was encoded all the same, as part of a view, counts as encoded.
        background=int(np.count_nonzero(state & BARE == TileState.BACKGROUND)),
        unreadable=having(TileState.UNREADABLE),
        parts=tuple(part for part in PARTS[1:] if having(FLAG[part])),
    )


def _described(facts: SetFacts) -> SetFacts:
    """With what the attributes say, also of a set of another layout; as it is if they are lost."""
    try:
        said = json.loads((facts.path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        tiles, slide, encoder = said["tiles"], said["slide"], said["encoder"]
        return replace(
            facts,
            slide=slide["name"],
            fingerprint=slide["fingerprint"],
            encoder=encoder["encoder"],
            trained=encoder.get("trained"),
            mpp=tiles["mpp"],
            tile_px=tiles["tile_px"],
            stride_px=tiles["stride_px"],
            tiles=tiles["rows"] * tiles["cols"],
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return facts
