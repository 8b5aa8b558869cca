"""One Parquet file that says which embeddings there are: a row per stored set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from ...errors import StoreError
from ...geometry import TileGrid
from ..disk import disk_errors_in_words

#: Version of the file. One of a newer ScaleScope is refused, not misread.
LAYOUT = 1
_MARK = b"scalescope.cohort"
EXTRA = 'Install it: pip install "napari-scalescope[cohort]"'


@dataclass(frozen=True)
class SetRow:
    """One encoder on one grid of one slide, as the catalogue knows it.

    Parameters
    ----------
    store : str
        Folder of the store.
    name : str
        Folder of the set below that, with "/".
    key : str
        Hash of everything that would change a vector (`store.set_key`).
    content : str
        Hash of which tiles are encoded.
    stamp : str
        How many files say which tiles are encoded, their bytes and the newest of their times: a
        set whose stamp is the same is not read again.
    slide, fingerprint, place : str
        Its slide's name and content, and its path or URL, "" where that is not known.
    width, height : int
        Level-0 pixels.
    encoder, encoder_name, weights_sha256, precision : str
    space : str
        Hash of all that two vectors must have in common to be compared: encoder, weights,
        precision, preprocessing, colour correction, resolution, size of the tiles.
    mpp, slide_mpp : float
        µm per tile pixel and per level-0 pixel.
    tile_px, stride_px, rows, cols : int
        The grid.
    dim, block, tiles : int
        Length of a vector, side of a block of the store in tiles, tiles encoded.
    """

    store: str
    name: str
    key: str
    content: str
    stamp: str
    slide: str
    fingerprint: str
    place: str
    width: int
    height: int
    encoder: str
    encoder_name: str
    weights_sha256: str
    precision: str
    space: str
    mpp: float
    slide_mpp: float
    tile_px: int
    stride_px: int
    rows: int
    cols: int
    dim: int
    block: int
    tiles: int

    @property
    def path(self) -> Path:
        """Folder of the set."""
        return Path(self.store) / self.name

    @cached_property
    def grid(self) -> TileGrid:
        """The tiles of the set."""
        return TileGrid(
            self.mpp, self.tile_px, self.stride_px, self.rows, self.cols, self.slide_mpp
        )


@dataclass(frozen=True)
class Catalogue:
    """What the Parquet file holds.

    Parameters
    ----------
    rows : tuple of SetRow
        By slide, then by name.
    folders : tuple of str
        The stores it was made of.
    slides : tuple of str
        Where slides were looked for: folders, files and URLs.
    """

    rows: tuple[SetRow, ...]
    folders: tuple[str, ...]
    slides: tuple[str, ...]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise StoreError("Cohorts need pyarrow, which is not here.", EXTRA) from None
    return pyarrow, pyarrow.parquet


def _schema(pa: Any) -> Any:
    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return pa.schema([pa.field(f.name, kinds[str(f.type)]) for f in fields(SetRow)])


def write(path: Path, catalogue: Catalogue) -> None:
    """Write the file whole or not at all. Stores and slides beside it are named relative to it."""
    pa, parquet = _pyarrow()
    folder = path.resolve().parent
    rows = [
        {**asdict(r), "store": _nearby(r.store, folder), "place": _nearby(r.place, folder)}
        for r in catalogue.rows
    ]
    said = {
        "layout": LAYOUT,
        "folders": [_nearby(f, folder) for f in catalogue.folders],
        "slides": [_nearby(s, folder) for s in catalogue.slides],
    }
    schema = _schema(pa).with_metadata({_MARK: json.dumps(said).encode()})
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    with disk_errors_in_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            parquet.write_table(pa.Table.from_pylist(rows, schema=schema), draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def read(path: Path) -> Catalogue:
    """What the file says.

    Raises
    ------
    StoreError
        If it is not there, is no Parquet, or no cohort.
    """
    pa, parquet = _pyarrow()
    folder = path.resolve().parent
    try:
        # Opened here and not by pyarrow, whose sentence for a missing file is no better.
        with path.open("rb") as file:
            table = parquet.read_table(file)
    except FileNotFoundError:
        raise StoreError(
            f"There is no cohort {path}.", f"Make it: scalescope cohort scan STORE --out {path}"
        ) from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError(
            f"{path.name} is damaged or no Parquet file ({_short(error)}).",
            "Remove it and scan the stores again; nothing else is lost with it.",
        ) from error
    said = _said(path.name, table.schema.metadata or {})
    if not set(_schema(pa).names) <= set(table.schema.names):
        raise StoreError(
            f"{path.name} is a cohort with columns missing.", "Remove it and scan again."
        )
    known = [f.name for f in fields(SetRow)]
    rows = tuple(SetRow(**row) for row in table.select(known).to_pylist())
    return Catalogue(
        tuple(_moved(row, folder) for row in rows),
        tuple(_absolute(f, folder) for f in said["folders"]),
        tuple(_absolute(s, folder) for s in said["slides"]),
    )


def _said(name: str, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    if _MARK not in metadata:
        raise StoreError(f"{name} is a Parquet file, but no cohort.", "Choose another file.")
    said: dict[str, Any] = json.loads(metadata[_MARK])
    if said.get("layout", 0) > LAYOUT:
        raise StoreError(
            f"{name} was written by a newer ScaleScope.",
            "Update napari-scalescope, or scan into another file.",
        )
    return said


def _moved(row: SetRow, folder: Path) -> SetRow:
    values = asdict(row)
    values.update(store=_absolute(row.store, folder), place=_absolute(row.place, folder))
    return SetRow(**values)


def _nearby(place: str, folder: Path) -> str:
    """A place below the file's own folder relative to it, so that both can be moved together."""
    if not place or "://" in place:
        return place
    path = Path(place)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else place


def _absolute(place: str, folder: Path) -> str:
    return place if not place or "://" in place else str(folder / place)


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]


def by_slide(rows: Sequence[SetRow]) -> dict[str, list[int]]:
    """Positions of the rows of each slide, by its fingerprint."""
    out: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        out.setdefault(row.fingerprint, []).append(i)
    return out
