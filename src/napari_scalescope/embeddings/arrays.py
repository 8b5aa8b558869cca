"""The arrays of one set on the disk, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..geometry import IntArray
from .disk import damage_in_words, flush_tree, gone
from .layout import BAND, PIECE, STATE_SIDE, add_array, by_block, grid_of, open_group
from .locks import Locks

if TYPE_CHECKING:
    import zarr

#: float16, as it is stored, or what it is wanted as.
Number = TypeVar("Number", bound=np.floating)
#: First row and column of a block.
Corner = tuple[int, int]
#: `TileState` of some tiles (rows, cols).
Flags = npt.NDArray[np.uint8]


class Arrays:
    """Vectors, parts and state of the tiles of a set that are merged; the journal is elsewhere.

    Whoever writes locks the block first, and writes its vectors and parts before its state.

    Parameters
    ----------
    path : Path
        Folder of the set, ``<root>/<slide>.zarr/<set>``.

    Attributes
    ----------
    provenance : dict
        Attributes of the set.
    grid : TileGrid
    block : int
        Side of a block in tiles.
    shapes : dict
        Shape of one tile's share of each array but ``state``.

    Raises
    ------
    StoreError
        If the set is damaged, of another layout, or not made by ScaleScope.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.locks = Locks(path)
        self._group = open_group(path)
        self._open: dict[str, zarr.Array[Any]] = {}
        self.provenance: dict[str, Any] = dict(self._group.attrs)
        self.grid = grid_of(self.provenance)
        facts = self.provenance["scalescope"]
        self.block: int = facts["block"]
        self.shapes = {name: tuple(shape) for name, shape in facts["shapes"].items()}

    def require(self) -> None:
        """Zarr takes what is not there for empty, and writes it anew: not where a share is gone.

        Raises
        ------
        StoreError
            If the set is not there any more.
        """
        if not (self.path / "zarr.json").exists():
            raise gone(self.path.parent.parent)

    def has(self, name: str) -> bool:
        """Whether there is such an array: parts have one from the first tile on that has any."""
        return name in self._open or name in self._group

    def array(self, name: str) -> Any:
        """An array of the set, made if it is not there."""
        if name not in self._open:
            if not self.has(name):
                with self.locks.state():
                    if not self.has(name):
                        shape = self.shapes[name]
                        add_array(self._group, name, self.grid.shape, shape, self.block)
            with damage_in_words(self.path, name):
                self._open[name] = self._group[name]  # type: ignore[assignment]
        return self._open[name]

    # --- blocks ---

    def corners(self) -> Iterator[Corner]:
        """All blocks, row by row."""
        for y in range(0, self.grid.rows, self.block):
            for x in range(0, self.grid.cols, self.block):
                yield y, x

    def number(self, corner: Corner) -> int:
        """Number of a block, row by row."""
        return corner[0] // self.block * -(-self.grid.cols // self.block) + corner[1] // self.block

    def area(self, corner: Corner) -> tuple[slice, slice]:
        """Rows and columns of a block."""
        (y, x), side = corner, self.block
        return slice(y, min(y + side, self.grid.rows)), slice(x, min(x + side, self.grid.cols))

    def file(self, name: str, corner: Corner) -> Path:
        """What a block of an array lies in."""
        return self.path.joinpath(name, "c", *(str(n // self.block) for n in corner))

    def content(self, name: str, corner: Corner) -> npt.NDArray[np.float16]:
        """All that an array holds of a block (rows, cols, …)."""
        array = self.array(name)
        with damage_in_words(self.path, name):
            return np.asarray(array[self.area(corner)])

    def put(self, name: str, corner: Corner, content: npt.NDArray[np.float16]) -> None:
        """Write all of a block and have it on the disk. Called with the block locked."""
        self.array(name)[self.area(corner)] = content
        flush_tree(self.path / name / "zarr.json", self.path)
        # Only its own file: beside it other processes write those of other blocks.
        flush_tree(self.file(name, corner), self.path)

    def read(self, name: str, tiles: IntArray, dtype: type[Number]) -> npt.NDArray[Number]:
        """What an array holds of tiles (n, 2): (n, …), NaN where there is nothing."""
        # Not filled in vain: all of it is read over, and gigabytes take their time.
        out = np.empty((len(tiles), *self.shapes[name]), dtype)
        if not self.has(name):
            out[:] = np.nan
        else:
            array = self.array(name)
            # Vectors lie in whole blocks, and are mostly wanted all.
            side = self.block * BAND if name == "embedding" else PIECE
            for rows in by_block(tiles, side).values():
                (y0, x0), (y1, x1) = tiles[rows].min(0), tiles[rows].max(0) + 1
                with damage_in_words(self.path, name):
                    piece = np.asarray(array[y0:y1, x0:x1])
                out[rows] = piece[tiles[rows, 0] - y0, tiles[rows, 1] - x0]
        return out

    # --- state ---

    def state(self, area: tuple[slice, slice] = (slice(None), slice(None))) -> Flags:
        """The state on the disk (rows, cols), of all tiles or of an area."""
        with damage_in_words(self.path, "state"):
            return np.asarray(self.array("state")[area])

    def change_state(
        self, blocks: Iterable[Corner], change: Callable[[Corner, Flags], Flags]
    ) -> None:
        """Change the state of blocks on the disk.

        Parameters
        ----------
        blocks : iterable of (int, int)
            Their first rows and columns.
        change : callable
            Given a corner and the state of its block as it is on the disk now, other processes'
            writes included, returns the new one.
        """
        array = self.array("state")
        corners = np.array(list(blocks), np.int64).reshape(-1, 2)
        for (y0, x0), which in by_block(corners, STATE_SIDE).items():
            region = np.s_[y0 : y0 + STATE_SIDE, x0 : x0 + STATE_SIDE]
            with self.locks.state():
                with damage_in_words(self.path, "state"):
                    before = np.asarray(array[region])
                after = before.copy()
                for y, x in corners[which].tolist():
                    rows, cols = self.area((y, x))
                    part = after[rows.start - y0 : rows.stop - y0, cols.start - x0 : cols.stop - x0]
                    part[:] = change((y, x), part)
                if not np.array_equal(after, before):
                    array[region] = after
                    folder = self.path / "state" / "c" / str(y0 // STATE_SIDE)
                    flush_tree(folder, self.path)
