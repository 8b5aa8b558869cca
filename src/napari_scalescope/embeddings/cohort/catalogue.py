"""`Cohort`: the embeddings of many slides, in one catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ...errors import StoreError
from .collection import Collection
from .hit import Found
from .rows import Catalogue, SetRow, read, write
from .scanning import SlideFinder, read_sets


class Cohort:
    """What was embedded of many slides, in one or several stores.

    The catalogue is one Parquet file, and holds no vectors: those stay in their stores.

    Attributes
    ----------
    path : Path
        The Parquet file.
    read : int
        Sets that the scan had to read, the others being as they were.
    doubts : list of str
        What the scan could not read, in words.
    """

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self.path = path
        self._catalogue = catalogue
        self.read = 0
        self.doubts: list[str] = []

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """The cohort in a Parquet file.

        Raises
        ------
        StoreError
            If there is none, or pyarrow is not installed.
        """
        path = Path(path).expanduser()
        return cls(path, read(path))

    @classmethod
    def scan(
        cls,
        folders: Iterable[str | Path],
        path: str | Path = "cohort.parquet",
        *,
        slides: Iterable[str | Path] = (),
    ) -> Cohort:
        """Write the catalogue of some stores, or bring it up to date.

        Parameters
        ----------
        folders : iterable of path
            Stores, or folders of stores. None: those it was made of before.
        path : path
            The Parquet file. If it is there, only sets that changed are read.
        slides : iterable of path or URL
            Where the slides are: folders to look through, files, URLs. None: where they were
            looked for before.

        Raises
        ------
        StoreError
            If a folder is not there, or the file is something else.
        """
        path = Path(path).expanduser()
        before = read(path) if path.exists() else Catalogue((), (), ())
        stores = [Path(f).expanduser().resolve() for f in folders] or list(
            map(Path, before.folders)
        )
        if not stores:
            raise StoreError("No store was named to make a cohort of.", "Give its folder.")
        places = [
            str(s) if "://" in str(s) else str(Path(s).expanduser().resolve()) for s in slides
        ]
        places = places or list(before.slides)
        rows, count, doubts = read_sets(stores, before.rows)
        rows = _placed(rows, SlideFinder(places))
        made = cls(path, Catalogue(tuple(rows), tuple(map(str, stores)), tuple(places)))
        write(path, made._catalogue)
        made.read, made.doubts = count, doubts
        return made

    def refresh(self) -> Cohort:
        """Scan the same folders again."""
        return Cohort.scan((), self.path)

    @property
    def rows(self) -> tuple[SetRow, ...]:
        """One per stored set."""
        return self._catalogue.rows

    def collections(self) -> list[Collection]:
        """All that can be compared with each other, the largest first."""
        spaces: dict[str, list[SetRow]] = {}
        for row in self.rows:
            spaces.setdefault(row.space, []).append(row)
        indices = self.path.with_suffix(".index")
        found = [Collection(rows, indices / space) for space, rows in spaces.items()]
        return sorted(found, key=lambda c: (-c.tiles, c.title))

    def select(
        self,
        encoder: str | None = None,
        mpp: float | None = None,
        *,
        tile_px: int | None = None,
        precision: str | None = None,
        weights: str | None = None,
        space: str | None = None,
    ) -> Collection:
        """The one collection that fits.

        Parameters
        ----------
        encoder : str, optional
            Its id or name.
        mpp : float, optional
            µm/px, within 2 %.
        tile_px : int, optional
        precision : str, optional
        weights : str, optional
            How the sha256 of the weights begins.
        space : str, optional
            How `Collection.space` begins.

        Raises
        ------
        StoreError
            If none fits, or several do.
        """

        def fits(row: SetRow) -> bool:
            return (
                (encoder is None or encoder in (row.encoder, row.encoder_name))
                and (mpp is None or abs(row.mpp - mpp) <= 0.02 * mpp)
                and (tile_px is None or row.tile_px == tile_px)
                and (precision is None or row.precision == precision)
                and row.weights_sha256.startswith(weights or "")
                and row.space.startswith(space or "")
            )

        every = self.collections()
        fitting = [c for c in every if fits(c.rows[0])]
        if len(fitting) == 1:
            return fitting[0]
        listed = "; ".join(f"{c.title} ({c.slides} slides)" for c in (fitting or every)[:6])
        if fitting:
            raise StoreError(
                f"{self.path.name} holds embeddings that cannot be compared with each other: "
                f"{listed}.",
                "Choose by encoder and mpp, then tile_px, precision or weights.",
            )
        raise StoreError(
            f"{self.path.name} holds no such embeddings.",
            f"It holds: {listed}." if listed else "Embed slides, then scan again.",
        )

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int = 20,
        *,
        encoder: str | None = None,
        mpp: float | None = None,
        **options: Any,
    ) -> Found:
        """Search the collection of an encoder and resolution: `select`, `Collection.search`."""
        return self.select(encoder, mpp).search(vectors, k, **options)


def _placed(rows: list[SetRow], finder: SlideFinder) -> list[SetRow]:
    """Rows with the places of their slides; those known before stay where nothing is found."""
    from dataclasses import replace

    places: dict[str, str] = {}
    out = []
    for row in rows:
        if row.fingerprint not in places:
            places[row.fingerprint] = finder.find(row.slide, row.fingerprint)
        place = places[row.fingerprint]
        out.append(replace(row, place=place) if place and place != row.place else row)
    return out
