"""The part of a cohort whose vectors can be compared with each other."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Names
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import StoreError
from ...geometry import IntArray
from . import exact
from .exact import MEMORY, Queries
from .hit import Found, Hit
from .index import VectorIndex
from .rows import SetRow
from .stored_vectors import StoredVectors

#: Up to so many tiles, all are compared; an index takes over above.
EXACT_UP_TO = 1_000_000
#: The index is asked for more than is wanted: int8 only nearly knows the order.
CANDIDATES, MORE = 40, 4
#: It is asked for more again where limits leave too little, up to so many.
MOST_CANDIDATES = 1 << 16
#: The vectors of so many candidates are read at most.
MOST_READ = 2000
#: How many tiles are asked about to measure the index.
ASKED = 50

Method = Literal["auto", "exact", "index"]


class Collection:
    """Sets of one encoder, weights, precision, preprocessing, resolution and size of tiles.

    Parameters
    ----------
    rows : sequence of SetRow
        Of one `SetRow.space`. Of several sets over the same tiles the fullest is taken.
    index : Path
        Folder of its index, which need not be there.
    """

    def __init__(self, rows: Names[SetRow], index: Path) -> None:
        if len({r.space for r in rows}) != 1:
            raise ValueError("a collection is of one space")
        fullest: dict[object, SetRow] = {}
        for row in sorted(rows, key=lambda r: (-r.tiles, r.store, r.name)):
            fullest.setdefault((row.fingerprint, row.grid), row)
        self.rows = tuple(sorted(fullest.values(), key=lambda r: (r.slide, r.name)))
        self._folder = index

    @property
    def space(self) -> str:
        """Hash of what its vectors have in common."""
        return self.rows[0].space

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.rows[0].dim

    @property
    def tiles(self) -> int:
        """Number of vectors."""
        return sum(r.tiles for r in self.rows)

    @property
    def slides(self) -> int:
        """Number of slides."""
        return len({r.fingerprint for r in self.rows})

    @property
    def title(self) -> str:
        """What it is of, in words."""
        row = self.rows[0]
        corrected = ", corrected colours" if "+icc" in row.fingerprint else ""
        return (
            f"{row.encoder} (weights {row.weights_sha256[:8]}, {row.precision}) at "
            f"{row.mpp:g} µm/px, tiles of {row.tile_px} px{corrected}"
        )

    @cached_property
    def index(self) -> VectorIndex:
        """Its index, as it lies on the disk."""
        return VectorIndex(self._folder)

    # --- asking ---

    def of_slide(self, slide: str) -> list[SetRow]:
        """The sets of a slide given by its name, with or without suffix, path or fingerprint.

        Raises
        ------
        StoreError
            If there is none, or several slides have that name.
        """
        found = [r for r in self.rows if is_slide(r, slide)]
        if not found:
            raise StoreError(
                f"{slide} is not in the cohort ({self.title}).",
                "`scalescope cohort ls --sets` lists its slides; embed it and scan again.",
            )
        if len({r.fingerprint for r in found}) > 1:
            prints = ", ".join(sorted({r.fingerprint[:12] for r in found}))
            raise StoreError(
                f"Several slides of the cohort are called {slide}.",
                f"Say which by its fingerprint: {prints}.",
            )
        return found

    def vector_at(self, slide: str, x: float, y: float) -> npt.NDArray[np.float32]:
        """The vector (D,) of the tile over a place of a slide, level-0 pixels.

        Raises
        ------
        StoreError
            If there is no such slide, or the place is not encoded.
        """
        for row in self.of_slide(slide):
            tile = row.grid.tile_at(x, y)
            if tile is not None:
                flat = np.array([tile[0] * row.cols + tile[1]])
                vector = np.asarray(StoredVectors(row.path).read(flat)[0], np.float32)
                if np.isfinite(vector).all():
                    return vector
        raise StoreError(
            f"The place {x:g}, {y:g} of {slide} is not encoded: it is background, or was left out.",
            "Choose a place on the tissue (level-0 pixels).",
        )

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int = 20,
        *,
        per_slide: int | None = None,
        exclude: Names[str] = (),
        overlapping: bool = True,
        method: Method = "auto",
        memory: int = MEMORY,
    ) -> Found:
        """The tiles of all slides that look most like some vectors.

        Parameters
        ----------
        vectors : (q, D) or (D,)
        k : int
            How many for each. Fewer where limits leave fewer; with an index also where what is
            excluded fills all of its 65,536 nearest.
        per_slide : int, optional
            At most so many of one slide.
        exclude : collection of str
            Slides to leave out, by name, path or fingerprint.
        overlapping : bool
            False leaves out tiles that share pixels with a better one.
        method : "auto", "exact" or "index"
            "auto" compares everything up to a million tiles and takes the index above. Sets the
            index lacks are compared exactly.
        memory : int
            Bytes to hold vectors and scores in.

        Raises
        ------
        StoreError
            If there is no index, or it lacks more than a million tiles.
        """
        queries = _unit(vectors, self.dim)
        if k < 1 or (per_slide is not None and per_slide < 1):
            raise ValueError("k and per_slide are at least 1")
        names = (exclude,) if isinstance(exclude, str) else exclude
        rows = [r for r in self.rows if r.tiles and not any(is_slide(r, n) for n in names)]
        tiles = sum(r.tiles for r in rows)
        if method == "auto":
            method = "exact" if tiles <= EXACT_UP_TO else "index"
        limits = {"per_slide": per_slide, "overlapping": overlapping}
        if method == "exact":
            hits = exact.search(rows, queries, k, memory=memory, **limits)  # type: ignore[arg-type]
            return Found(tuple(map(tuple, hits)), True, None, tiles)
        lacking = self._lacking(rows)
        keys = {r.key for r in lacking}
        found = self._near(
            [r for r in rows if r.key not in keys], queries, k, per_slide, overlapping
        )
        if lacking:
            more = exact.search(lacking, queries, k, memory=memory, **limits)  # type: ignore[arg-type]
            found = [
                exact.limit(sorted([*a, *b], key=lambda h: -h.cosine), k, per_slide, overlapping)
                for a, b in zip(found, more, strict=True)
            ]
        return Found(tuple(map(tuple, found)), False, self.index.contents.recall, tiles)

    def _lacking(self, rows: list[SetRow]) -> list[SetRow]:
        lacking = self.index.lacks(rows)
        tiles = sum(r.tiles for r in lacking)
        if tiles > EXACT_UP_TO or (tiles and not self.index.count):
            raise StoreError(
                f"The index lacks {tiles:,} of {sum(r.tiles for r in rows):,} tiles of the cohort.",
                "Build it: scalescope cohort index, or Collection.build_index().",
            )
        return lacking

    def _near(
        self,
        rows: list[SetRow],
        queries: Queries,
        k: int,
        per_slide: int | None,
        overlapping: bool,
    ) -> list[list[Hit]]:
        """As `exact.search`, among what the index holds."""
        of_key = {r.key: r for r in rows}
        # No more than there is, where a few slides give a few each.
        slides: dict[str, int] = {}
        for row in rows:
            slides[row.fingerprint] = slides.get(row.fingerprint, 0) + row.tiles
        wanted = sum(min(per_slide or n, n) for n in slides.values())
        count = max(CANDIDATES, MORE * k)
        while rows:
            nearest, more = self.index.nearest(queries, count)
            chosen = [_chosen(line, of_key, count, per_slide) for line in nearest]
            ranked = _ranked(chosen, queries)
            hits = [exact.limit(line, k, per_slide, overlapping) for line in ranked]
            enough = all(len(line) >= min(k, wanted) for line in hits)
            if enough or not more or count >= MOST_CANDIDATES:
                return hits
            count *= MORE
        return [[] for _ in queries]

    # --- the index ---

    def build_index(
        self,
        *,
        measure: bool = True,
        memory: int = MEMORY,
        report: Callable[[int], None] = lambda _: None,
    ) -> int:
        """Take up in the index what it lacks and measure it; returns how many vectors are new.

        Parameters
        ----------
        measure : bool
            Measure the recall, which takes as long as one exact search.
        memory : int
            Bytes for vectors on their way; the shard that is built takes up to 512 MiB besides.
        report : callable
            Given the number of vectors that were added since it was last called.
        """
        added = self.index.add(self.rows, report)
        if measure and self.index.contents.recall is None:
            recall, asked = self.measure(memory=memory)
            self.index.note_recall(recall, asked)
        return added

    def measure(
        self, asked: int = ASKED, *, k: int = 10, memory: int = MEMORY
    ) -> tuple[float, int]:
        """The share of the true ``k`` nearest of some tiles that the index finds, and of how many.

        The tiles are drawn from all of them, the same every time, and do not count themselves.
        """
        queries = _unit(_sample(self.rows, asked), self.dim)
        if not len(queries):
            return 1.0, 0
        rows = [r for r in self.rows if r.tiles]
        truth = exact.search(rows, queries, k + 1, memory=memory)
        found = self._near(rows, queries, k + 1, None, True)
        share = [
            _common([h for h in t if h.cosine < 1 - 1e-6], f)
            for t, f in zip(truth, found, strict=True)
        ]
        return float(np.mean(share)), len(queries)


def is_slide(row: SetRow, text: str) -> bool:
    """Whether somebody who says this means the slide of that row."""
    by_content = len(text) >= 8 and row.fingerprint.startswith(text)
    name = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return by_content or text == row.place or name in (row.slide, Path(row.slide).stem)


def _unit(vectors: npt.ArrayLike, dim: int) -> Queries:
    wide = np.atleast_2d(np.asarray(vectors, np.float32))
    if wide.ndim != 2 or wide.shape[1] != dim:
        raise ValueError(f"vectors of this collection have {dim} numbers, not {wide.shape[-1]}")
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.maximum(length, 1e-12), np.float32)


def _chosen(
    line: list[tuple[str, int]], rows: dict[str, SetRow], most: int, per_slide: int | None
) -> list[tuple[SetRow, int]]:
    """The candidates worth reading: of sets that count, and not too many of one slide."""
    room = most if per_slide is None else max(CANDIDATES, MORE * per_slide)
    taken: dict[str, int] = {}
    out = []
    for key, flat in line:
        row = rows.get(key)
        if row is None or taken.setdefault(row.fingerprint, 0) >= room:
            continue
        taken[row.fingerprint] += 1
        out.append((row, flat))
    return out[: min(most, MOST_READ)]


def _ranked(chosen: list[list[tuple[SetRow, int]]], queries: Queries) -> list[list[Hit]]:
    """Candidates with the cosines of their stored vectors, best first; those gone left out."""
    wanted: dict[SetRow, set[int]] = {}
    for line in chosen:
        for row, tile in line:
            wanted.setdefault(row, set()).add(tile)
    place: dict[tuple[str, int], int] = {}
    scores = []
    for row, tiles in wanted.items():
        flat: IntArray = np.array(sorted(tiles), np.int64)
        place |= {(row.key, t): i for i, t in enumerate(flat.tolist(), len(place))}
        scores.append(exact.cosines(StoredVectors(row.path).read(flat), queries))
    if not scores:
        return [[] for _ in queries]
    table = np.concatenate(scores, 1)
    out = []
    for q, line in enumerate(chosen):
        hits = [Hit.of(r, f, float(table[q, place[r.key, f]])) for r, f in line]
        out.append(sorted((h for h in hits if h.cosine == h.cosine), key=lambda h: -h.cosine))
    return out


def _sample(rows: tuple[SetRow, ...], n: int) -> npt.NDArray[np.float32]:
    """Vectors (≤ n, D) of tiles drawn from all sets, the same every time."""
    rng = np.random.default_rng(0)
    tiles = np.array([r.tiles for r in rows])
    out = [np.empty((0, rows[0].dim), np.float32)]
    of_row = rng.multinomial(min(n, tiles.sum()), tiles / max(1, tiles.sum()))
    for row, count in zip(rows, of_row.tolist(), strict=True):
        if count:
            stored = StoredVectors(row.path)
            there = np.flatnonzero(stored.encoded())
            flat = rng.choice(there, min(count, len(there)), replace=False)
            out.append(stored.read(np.sort(flat)).astype(np.float32))
    vectors = np.concatenate(out)
    return np.asarray(vectors[np.isfinite(vectors).all(1)], np.float32)


def _common(truth: list[Hit], found: list[Hit]) -> float:
    """The share of the true hits that was found."""
    there = {(h.source.key, h.row, h.col) for h in found}
    same = [(h.source.key, h.row, h.col) in there for h in truth]
    return float(np.mean(same)) if same else 1.0
