"""What a search in a cohort finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...geometry import Box
from .rows import SetRow


@dataclass(frozen=True)
class Hit:
    """A tile that looks like the one asked about, with all that is needed to open its place.

    Parameters
    ----------
    row : int
    col : int
        The tile in its grid.
    box : Box
        Its footprint, level-0 pixels.
    cosine : float
        Of its stored vector with the one asked about.
    source : SetRow
        The set it is in.
    """

    row: int
    col: int
    box: Box
    cosine: float
    source: SetRow

    @classmethod
    def of(cls, source: SetRow, flat: int, cosine: float) -> Hit:
        """The hit for a tile named by its position in the grid, read row by row."""
        row, col = divmod(flat, source.cols)
        return cls(row, col, source.grid.box(row, col), cosine, source)

    @property
    def slide(self) -> str:
        """Name of the slide."""
        return self.source.slide

    @property
    def mpp(self) -> float:
        """Resolution of the tile, µm per pixel."""
        return self.source.mpp

    def as_dict(self) -> dict[str, Any]:
        """For JSON: boxes as [x, y, w, h] in level-0 pixels, ``path`` None where unknown."""
        at = self.source
        return {
            "slide": at.slide,
            "fingerprint": at.fingerprint,
            "path": at.place or None,
            "cosine": round(self.cosine, 6),
            "tile": [self.row, self.col],
            "box": list(self.box),
            "centre": list(self.box.centre),
            "mpp": at.mpp,
            "tile_px": at.tile_px,
            "slide_mpp": at.slide_mpp,
            "dimensions": [at.width, at.height],
            "encoder": at.encoder,
            "set": str(at.path),
        }


@dataclass(frozen=True)
class Found:
    """The answer to a search.

    Parameters
    ----------
    hits : tuple of tuple of Hit
        For each vector that was asked about, best first.
    exact : bool
        Whether all vectors were compared. Otherwise an index said which to compare.
    recall : float or None
        Without ``exact``: the share of the true ten nearest that the index finds, as measured
        when it was built.
    tiles : int
        How many vectors were searched.
    """

    hits: tuple[tuple[Hit, ...], ...]
    exact: bool
    recall: float | None
    tiles: int

    def __iter__(self) -> Iterator[Hit]:
        """The hits of all queries, one after the other."""
        return (hit for one in self.hits for hit in one)

    def __len__(self) -> int:
        return sum(map(len, self.hits))
