"""An index of the vectors of a collection (usearch), for when there are too many to look at all.

Layout, beside the Parquet file::

    <cohort>.index/<space>/
      index.json        what is covered, the shards, and the recall that was measured
      <n>-<count>.usearch, .keys.npy

Vectors are kept as int8 in graphs (HNSW) of bounded size, *shards*, that are built one after the
other in memory and searched where they lie on the disk. They only say which vectors to compare:
the cosines of hits are those of the stored ones. Adding a set touches the last shard; a set that
is gone stays in its shard and is passed over.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import StoreError
from ..disk import disk_errors_in_words
from .exact import Queries
from .merging import Top
from .rows import EXTRA, SetRow
from .stored_vectors import StoredVectors

LAYOUT = 1
#: Most bytes of a shard: it is built in memory.
SHARD_BYTES = 512 << 20
#: Of the graph: neighbours of a vector, and how widely they are looked for when it is added and
#: when it is asked. Tissue lies in clusters far from each other, which is hard on graphs: with 16,
#: 64 and 64, more than a third of the neighbours among a million tiles were missed.
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 32, 128, 1024
#: A key holds a tile's position in its grid in so many bits, and above them the set.
BITS = 40
#: What usearch keeps of a vector beside its numbers, about, with these neighbours.
GRAPH_BYTES = 280


@dataclass
class Shard:
    """One graph: its file, how many vectors it holds, and how many bytes it has."""

    file: str
    count: int
    bytes: int


@dataclass
class Contents:
    """What index.json says.

    ``sets`` has (number, content) by the key of each set that is covered; numbers are never
    used twice. ``recall`` is the share of the ten nearest that is found, of ``asked`` tiles.
    """

    layout: int = LAYOUT
    dim: int = 0
    sets: dict[str, tuple[int, str]] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)
    recall: float | None = None
    asked: int = 0


class VectorIndex:
    """The index of one collection.

    Parameters
    ----------
    folder : path
        Made when something is first added.
    shard_bytes : int
        Most bytes of a shard.
    """

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self._shard_bytes = shard_bytes
        self.contents = self._read()
        self._open: dict[str, Any] = {}

    def _read(self) -> Contents:
        path = self.folder / "index.json"
        try:
            said = json.loads(path.read_text("utf-8"))
            if said["layout"] > LAYOUT:
                raise StoreError(
                    f"The index {self.folder} was written by a newer ScaleScope.",
                    "Update napari-scalescope, or remove the folder and build it again.",
                )
            said["shards"] = [Shard(**s) for s in said["shards"]]
            said["sets"] = {key: (int(n), str(c)) for key, (n, c) in said["sets"].items()}
            found = Contents(**said)
            for shard in found.shards:
                # A shard is mapped into memory: one cut short would end the process.
                if (self.folder / shard.file).stat().st_size != shard.bytes:
                    raise ValueError(f"{shard.file} has another size")
        except FileNotFoundError:
            if not path.exists():
                return Contents()
            raise self._damaged("a shard is gone") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(str(error)) from error
        return found

    def _damaged(self, how: str) -> StoreError:
        return StoreError(
            f"The index {self.folder} is damaged ({how}).",
            "Remove that folder and build it again: scalescope cohort index.",
        )

    @property
    def count(self) -> int:
        """Vectors in it, those of sets that are gone included."""
        return sum(s.count for s in self.contents.shards)

    @property
    def bytes(self) -> int:
        """On the disk, without the keys."""
        return sum(s.bytes for s in self.contents.shards)

    def lacks(self, rows: Sequence[SetRow]) -> list[SetRow]:
        """The sets that have tiles which are not in the index."""
        sets = self.contents.sets
        return [r for r in rows if r.tiles and sets.get(r.key, (0, ""))[1] != r.content]

    # --- building ---

    def add(self, rows: Sequence[SetRow], report: Callable[[int], None] = lambda _: None) -> int:
        """Take up what is lacking of some sets; returns how many vectors that were.

        What a killed process had finished is kept, up to the shard it was at.
        """
        from filelock import FileLock, Timeout

        if not self.lacks(rows):
            return 0
        with disk_errors_in_words(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(self.folder / ".lock", timeout=0):
                    self.contents = self._read()  # another process may have been here
                    return self._add(self.lacks(rows), report)
            except Timeout:
                raise StoreError(
                    f"The index {self.folder} is being built by another process.", "Wait for it."
                ) from None

    def _add(self, rows: Sequence[SetRow], report: Callable[[int], None]) -> int:
        if not rows:
            return 0
        said = self.contents
        said.dim = rows[0].dim
        per_shard = max(1, self._shard_bytes // (said.dim + GRAPH_BYTES))
        graph, keys = self._last(per_shard)
        added = 0
        numbered: list[tuple[str, int, str]] = []
        for row in rows:
            there = np.empty(0, np.uint64)
            if row.key in said.sets:  # some of it may be in; of a new set nothing is
                there = self._keys_of(said.sets[row.key][0])
            number = said.sets.setdefault(row.key, (len(said.sets), ""))[0]
            for new, vectors in _vectors(row, number, there):
                start = 0
                while start < len(new):
                    part = slice(start, start + per_shard - sum(map(len, keys)))
                    graph.add(new[part], vectors[part])
                    keys.append(new[part])
                    start += len(new[part])
                    if sum(map(len, keys)) >= per_shard:
                        self._keep(graph, keys, numbered)
                        graph, keys = _graph(said.dim), []
                added += len(new)
                report(len(new))
            numbered.append((row.key, number, row.content))
        self._keep(graph, keys, numbered)
        return added

    def _keys_of(self, number: int) -> npt.NDArray[np.uint64]:
        every = [self._keys(s) for s in self.contents.shards]
        of_set = [k[k >> np.uint64(BITS) == number] for k in every]
        return np.concatenate(of_set) if of_set else np.empty(0, np.uint64)

    def _keys(self, shard: Shard) -> npt.NDArray[np.uint64]:
        try:
            keys: npt.NDArray[np.uint64] = np.load(_keys_file(self.folder / shard.file))
        except (OSError, ValueError) as error:
            raise self._damaged(str(error)) from error
        return keys

    def _last(self, per_shard: int) -> tuple[Any, list[npt.NDArray[np.uint64]]]:
        """The shard that has room, in memory, or a new one."""
        shards = self.contents.shards
        graph = _graph(self.contents.dim)
        if shards and shards[-1].count < per_shard:
            graph.load(str(self.folder / shards[-1].file))
            return graph, [self._keys(shards[-1])]
        return graph, []

    def _keep(
        self,
        graph: Any,
        keys: list[npt.NDArray[np.uint64]],
        covered: list[tuple[str, int, str]],
    ) -> None:
        """Put a shard on the disk, in place of the last if it goes on from that."""
        said, every = self.contents, _joined(keys)
        self._open.clear()  # what is mapped may be replaced
        last = said.shards[-1] if said.shards else None
        goes_on = last is not None and len(every) and self._keys(last)[0] == every[0]
        if len(every) and not (goes_on and last and last.count == len(every)):
            if goes_on:
                said.shards.pop()
            path = self.folder / f"{len(said.shards)}-{len(every)}.usearch"
            np.save(_keys_file(path), every)
            graph.save(str(path))
            said.shards.append(Shard(path.name, len(every), path.stat().st_size))
            said.recall, said.asked = None, 0
        said.sets.update({key: (number, content) for key, number, content in covered})
        self._write()
        if goes_on and last and last is not said.shards[-1]:
            for stale in (self.folder / last.file, _keys_file(self.folder / last.file)):
                with contextlib.suppress(PermissionError):  # another process looks at it
                    stale.unlink(missing_ok=True)

    def note_recall(self, recall: float, asked: int) -> None:
        """Keep what was measured."""
        self.contents.recall, self.contents.asked = recall, asked
        with disk_errors_in_words(self.folder):
            self._write()

    def _write(self) -> None:
        draft = self.folder / ".index.json"
        draft.write_text(json.dumps(asdict(self.contents)), encoding="utf-8")
        draft.replace(self.folder / "index.json")

    # --- searching ---

    def nearest(self, queries: Queries, count: int) -> tuple[list[list[tuple[str, int]]], bool]:
        """The best candidates for each query, and whether there may be more.

        Returns
        -------
        list of lists of (key of a set, position of the tile in its grid)
            About the nearest ``count``, best first.
        bool
        """
        top = Top(len(queries), count)
        for shard in self.contents.shards:
            found = self._graph_of(shard).search(queries, min(count, shard.count))
            keys = np.asarray(found.keys).reshape(len(queries), -1).astype(np.int64)
            far = np.asarray(found.distances, np.float32).reshape(keys.shape)
            got = np.asarray(getattr(found, "counts", [keys.shape[1]])).reshape(-1, 1)
            far = np.where(np.arange(keys.shape[1]) < got, far, np.nan)
            top.put(-far, keys)
        names = {number: key for key, (number, _) in self.contents.sets.items()}
        codes = [[c for c in line if c >= 0] for line in top.codes.tolist()]
        low = (1 << BITS) - 1
        return [[(names[c >> BITS], c & low) for c in line] for line in codes], count < self.count

    def _graph_of(self, shard: Shard) -> Any:
        if shard.file not in self._open:
            graph = _graph(self.contents.dim)
            graph.view(str(self.folder / shard.file))
            self._open[shard.file] = graph
        return self._open[shard.file]


def _graph(dim: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError:
        raise StoreError("An index of a cohort needs usearch, which is not here.", EXTRA) from None
    return Index(
        ndim=dim,
        metric="cos",
        dtype="i8",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
        enable_key_lookups=False,  # would take memory for every vector
    )


def _vectors(
    row: SetRow, number: int, there: npt.NDArray[np.uint64]
) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.float16]]]:
    """Keys and vectors of a set, less those that are there, block by block."""
    for flat, vectors in StoredVectors(row.path).blocks():
        keys = flat.astype(np.uint64) | np.uint64(number << BITS)
        good = np.isfinite(vectors).all(1)
        if len(there):
            good &= ~np.isin(keys, there)
        yield keys[good], vectors[good]


def _keys_file(shard: Path) -> Path:
    return shard.with_suffix(".keys.npy")


def _joined(keys: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    return np.concatenate(keys) if keys else np.empty(0, np.uint64)
