"""Which embeddings there are in some folders, and where their slides lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ScaleScopeError, StoreError
from ..disk import disk_errors_in_words, files_below
from ..layout import journal_of
from .rows import SetRow
from .stored_vectors import StoredVectors


def find_sets(folder: Path) -> Iterator[Path]:
    """Folders of stored sets below a folder, which is a store or holds some."""
    if not folder.is_dir():
        raise StoreError(f"There is no folder {folder}.", "Check the name of the store.")
    for here, below, _ in os.walk(folder):
        below.sort()
        for name in [n for n in below if n.endswith(".zarr")]:
            below.remove(name)  # thousands of pieces of arrays, and no store
            yield from sorted(p for p in (Path(here) / name).iterdir() if _may_be_set(p))
        below[:] = [n for n in below if not n.startswith(".")]


def _may_be_set(path: Path) -> bool:
    return not path.name.startswith(".") and (path / "zarr.json").is_file()


def stamp_of(path: Path) -> str:
    """Changes when a tile of a set is encoded: number, bytes and newest time of its files."""
    facts = [(path / "zarr.json").stat()]
    for folder in (path / "state", journal_of(path)):
        facts += [f for name, f in files_below(folder) if not name.endswith(".partial")]
    return "-".join(
        str(n)
        for n in (len(facts), sum(f.st_size for f in facts), max(f.st_mtime_ns for f in facts))
    )


def read_set(store: Path, path: Path, stamp: str) -> SetRow | None:
    """The row of a set, None for a zarr group that is none of ours.

    Raises
    ------
    StoreError
        If it is damaged, or was written by a newer or an early ScaleScope.
    """
    try:
        attributes = json.loads((path / "zarr.json").read_text("utf-8")).get("attributes", {})
        if "key" not in attributes.get("scalescope", {}):
            return None
        encoded = StoredVectors(path).encoded()
        return _row(store, path, stamp, attributes, encoded)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path.name} in {path.parent} is damaged ({type(error).__name__}: {error}).",
            "Remove that folder and embed the slide again.",
        ) from error


def _row(store: Path, path: Path, stamp: str, said: Mapping[str, Any], encoded: Any) -> SetRow:
    layout, encoder, tiles, slide = (
        said[part] for part in ("scalescope", "encoder", "tiles", "slide")
    )
    return SetRow(
        store=str(store),
        name=path.relative_to(store).as_posix(),
        key=layout["key"],
        content=sha256(np.packbits(encoded).tobytes()).hexdigest()[:16],
        stamp=stamp,
        slide=slide["name"],
        fingerprint=slide["fingerprint"],
        place="",
        width=int(slide["dimensions"][0]),
        height=int(slide["dimensions"][1]),
        encoder=encoder["encoder"],
        encoder_name=encoder.get("name", encoder["encoder"]),
        weights_sha256=encoder["weights_sha256"],
        precision=encoder["precision"],
        space=space_of(encoder, tiles, slide["fingerprint"]),
        mpp=float(tiles["mpp"]),
        slide_mpp=float(slide["mpp"]),
        tile_px=int(tiles["tile_px"]),
        stride_px=int(tiles["stride_px"]),
        rows=int(tiles["rows"]),
        cols=int(tiles["cols"]),
        dim=int(layout["shapes"]["embedding"][0]),
        block=int(layout["block"]),
        tiles=int(np.count_nonzero(encoded)),
    )


def space_of(encoder: Mapping[str, Any], tiles: Mapping[str, Any], fingerprint: str) -> str:
    """Hash of what two vectors must have in common for their cosine to mean something.

    All that is recorded of the encoder but its name and what its attention is made of, the
    resolution and size of the tiles, and whether the slide's colours were corrected; not the
    stride, which only says where tiles lie.
    """
    facts = {
        "encoder": {k: v for k, v in encoder.items() if k not in ("name", "trained", "attention")},
        "mpp": f"{tiles['mpp']:.6g}",
        "tile_px": tiles["tile_px"],
        "corrected": "+icc" in fingerprint,
    }
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_sets(
    folders: Iterable[Path], known: Iterable[SetRow]
) -> tuple[list[SetRow], int, list[str]]:
    """Rows of all sets in some folders, how many of them had to be read, and what is wrong.

    Parameters
    ----------
    folders : iterable of Path
        Absolute.
    known : iterable of SetRow
        What an earlier scan found; what did not change since is taken from there.
    """
    before = {(r.store, r.name): r for r in known}
    rows: dict[Path, SetRow] = {}
    read, doubts = 0, []
    for folder in folders:
        with disk_errors_in_words(folder):
            for path in find_sets(folder):
                stamp = stamp_of(path)
                row = before.get((str(folder), path.relative_to(folder).as_posix()))
                if row is None or row.stamp != stamp:
                    read += 1
                    try:
                        row = read_set(folder, path, stamp)
                    except StoreError as error:
                        doubts.append(str(error))
                        continue
                if row is not None:
                    rows.setdefault(path, row)
    return sorted(rows.values(), key=lambda r: (r.slide, r.name, r.store)), read, doubts


class SlideFinder:
    """Where slides lie, by name and content.

    Parameters
    ----------
    places : iterable of str or Path
        Folders to look through, slides, and URLs of slides.
    """

    def __init__(self, places: Iterable[str | Path]) -> None:
        from ...slides.formats.remote import name_of, place_of

        self._by_name: dict[str, list[str]] = {}
        for given in places:
            place = place_of(given)
            if isinstance(place, str):
                self._note(name_of(place), place)
            elif place.is_dir() and not _is_slide(place.name):
                self._look_through(place.resolve())
            else:
                self._note(place.name, str(place.resolve()))

    def _note(self, name: str, place: str) -> None:
        self._by_name.setdefault(name, []).append(place)

    def _look_through(self, folder: Path) -> None:
        for here, below, files in os.walk(folder):
            below.sort()
            for name in [*files, *below]:
                self._note(name, str(Path(here) / name))
            # The pieces of an OME-Zarr are no slides.
            below[:] = [n for n in below if not (_is_slide(n) or n.startswith("."))]

    def find(self, name: str, fingerprint: str) -> str:
        """The place of a slide, "" if there is none.

        A name that occurs once is believed, and proved when the slide is opened; of several the
        one with the content is taken, which means opening them.
        """
        candidates = list(dict.fromkeys(self._by_name.get(name, [])))
        if len(candidates) <= 1:
            return candidates[0] if candidates else ""
        return next((c for c in candidates if same_content(c, fingerprint)), "")


def same_content(place: str, fingerprint: str) -> bool:
    """Whether a slide with that content lies at a place."""
    from ...slides import open_slide

    try:
        with open_slide(place) as slide:
            return slide.fingerprint == fingerprint.partition("+")[0]
    except ScaleScopeError:
        return False


def _is_slide(name: str) -> bool:
    return name.endswith(".zarr")
