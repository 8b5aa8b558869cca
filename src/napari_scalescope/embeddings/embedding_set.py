"""`EmbeddingSet`: one encoder on one grid of tiles, as a value to compute with."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray, TileGrid
from .half import HalfVectors

Part = Literal["patch_tokens", "attention"]

#: `EmbeddingSet.pieces` are about this large. The patch tokens of a view may take gigabytes.
PIECE_BYTES = 128 << 20


class TileState(IntFlag):
    """What is known of a tile."""

    NOT_YET = 0
    #: Too little tissue to be worth encoding.
    BACKGROUND = 1
    #: Has its vector.
    ENCODED = 2
    #: Has its attention maps.
    ATTENTION = 4
    #: Has its patch tokens.
    TOKENS = 8
    #: Its part of the file is damaged.
    UNREADABLE = 16


#: The flag that says a tile has its vector, or a part beside it.
FLAG: Mapping[str, TileState] = {
    "embedding": TileState.ENCODED,
    "attention": TileState.ATTENTION,
    "patch_tokens": TileState.TOKENS,
}


def flags_of(names: Iterable[str]) -> TileState:
    """The flags of a tile that has all of these: its vector, parts."""
    return functools.reduce(operator.or_, map(FLAG.__getitem__, names), TileState.NOT_YET)


@dataclass(frozen=True, eq=False)
class EmbeddingSet:
    """Embeddings of the tiles of one slide, and where they came from.

    Parameters
    ----------
    vectors : (n, D) float32
        One embedding per encoded tile.
    tiles : (n, 2) int64
        Row and column of each, row by row.
    grid : TileGrid
        The grid they belong to.
    state : (rows, cols) uint8
        A `TileState` for every tile of the grid.
    provenance : mapping
        Encoder, weights hash, precision, resolution, slide fingerprint, versions.
    load : callable, optional
        ``load(part, tiles) -> (m, …) float16`` for the parts that are kept beside the vectors,
        NaN for tiles without. They are large and stay on disk until asked for.
    """

    vectors: npt.NDArray[np.float32]
    tiles: IntArray
    grid: TileGrid
    state: npt.NDArray[np.uint8]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    load: Callable[[Part, IntArray], npt.NDArray[np.float16]] | None = None

    @classmethod
    def on_demand(
        cls,
        read: Callable[[], npt.NDArray[np.float32]],
        dim: int,
        *facts: Any,
        half: Callable[[], HalfVectors] | None = None,
    ) -> EmbeddingSet:
        """A set whose vectors (n, ``dim``) are read when they are first asked for.

        ``facts`` are the other parameters, from ``tiles`` on. A map of attention needs no vectors,
        and those of a whole slide are gigabytes. ``half`` gives them in half precision, where they
        are kept like that.
        """
        made = cls(np.empty((0, dim), np.float32), *facts)
        del made.__dict__["vectors"]
        made.__dict__.update(_read=read, _dim=dim, _half=half)
        return made

    def __getattr__(self, name: str) -> Any:
        # Reached only for what is not there, as vectors that nobody has asked for yet.
        if name != "vectors" or "_read" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no {name}")
        return self.__dict__.setdefault("vectors", self.__dict__["_read"]())

    def __len__(self) -> int:
        return len(self.tiles)

    @property
    def key(self) -> str:
        """A hash of everything that would change a vector, "" where that is not known."""
        return str(self.provenance.get("scalescope", {}).get("key", ""))

    def same_tiles(self, other: EmbeddingSet) -> bool:
        """Whether another set of the same `key` has just these tiles; they are only ever added."""
        return self.key == other.key and len(self) == len(other)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.__dict__.get("_dim") or self.vectors.shape[1])

    @cached_property
    def half(self) -> HalfVectors:
        """The vectors in half precision, ready for cosines. Of a set on disk they are as stored."""
        read: Callable[[], HalfVectors] | None = self.__dict__.get("_half")
        return HalfVectors.of(self.vectors) if read is None else read()

    def take(self, index: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Vectors (k, D) of the tiles at some positions in `tiles`, without reading all others."""
        if "vectors" in self.__dict__ or self.__dict__.get("_half") is None:
            return self.vectors[np.asarray(index, np.int64)]
        return self.half.take(index)

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """Centre (n, 2) of every tile as x, y in level-0 pixels."""
        return self.grid.centres(self.tiles)

    def having(self, part: Part) -> IntArray:
        """The tiles (m, 2) for which attention or patch tokens were kept."""
        return np.argwhere(self.state & FLAG[part]).astype(np.int64)

    def part(self, part: Part, tiles: npt.ArrayLike | None = None) -> npt.NDArray[np.float16]:
        """Attention (m, heads, g, g) or patch tokens (m, g, g, d) of tiles; default all having it.

        Raises
        ------
        LookupError
            If nothing of the kind was kept.
        """
        tiles = self.having(part) if tiles is None else np.asarray(tiles, np.int64)
        if self.load is None or not len(tiles):
            raise LookupError(f"no {part.replace('_', ' ')} were kept with these embeddings")
        return self.load(part, tiles)

    def pieces(self, part: Part, tiles: npt.ArrayLike) -> Iterator[npt.NDArray[np.float32]]:
        """The same as `part`, in its order, of a bounded number of tiles at a time, as float32."""
        for piece in self.half_pieces(part, tiles):
            yield piece.astype(np.float32)

    def half_pieces(self, part: Part, tiles: npt.ArrayLike) -> Iterator[npt.NDArray[np.float16]]:
        """The same as they are stored."""
        tiles = np.asarray(tiles, np.int64)
        start, step = 0, 1
        while start < max(1, len(tiles)):
            piece = self.part(part, tiles[start : start + step])
            yield piece
            start += len(piece)
            step = max(1, PIECE_BYTES // (2 * piece[0].nbytes))

    @cached_property
    def attention(self) -> npt.NDArray[np.float16] | None:
        """Attention (m, heads, g, g) of the tiles that `having` names, None where none was kept."""
        return self.part("attention") if len(self.having("attention")) and self.load else None

    @cached_property
    def patch_tokens(self) -> npt.NDArray[np.float16] | None:
        """Patch tokens (m, g, g, d) of the tiles that `having` names, None where none were kept."""
        return self.part("patch_tokens") if len(self.having("patch_tokens")) and self.load else None

    def index_of(self, tiles: npt.ArrayLike) -> IntArray:
        """Position of tiles (m, 2) in `tiles`, -1 for those without a vector."""
        table = np.full(self.grid.shape, -1, np.int64)
        table[self.tiles[:, 0], self.tiles[:, 1]] = np.arange(len(self.tiles))
        tiles = np.asarray(tiles, np.int64).reshape(-1, 2)
        return table[tiles[:, 0], tiles[:, 1]]

    def raster(self, values: npt.ArrayLike, fill: Any = np.nan) -> npt.NDArray[Any]:
        """Values (n, …) of the tiles laid out over the grid: (rows, cols, …)."""
        values = np.asarray(values)
        out = np.full((*self.grid.shape, *values.shape[1:]), fill, values.dtype)
        out[self.tiles[:, 0], self.tiles[:, 1]] = values
        return out
