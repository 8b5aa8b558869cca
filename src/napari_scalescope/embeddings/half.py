"""Many vectors in half precision, and their cosines with a few directions, at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..encoders.torch_import import torch_module
from ..geometry import IntArray

Rows = npt.NDArray[np.float16] | npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]

#: So many numbers are brought to float32 at once.
PIECE = 1 << 23
#: Up to so many numbers numpy takes no longer than importing torch would.
FEW = 1 << 22


@dataclass(frozen=True, eq=False)
class HalfVectors:
    """Vectors in half precision, with all that a cosine needs beside them known beforehand.

    Half of the bytes are half of the time where memory is what a product waits for. Torch
    multiplies float16 as it is, which numpy does by way of float32 and 20 times slower; but it
    also rounds what comes out to 11 bits, where the cosines of most encoders crowd between 0.7
    and 1. So only what a direction has across the common ``centre`` is multiplied when somebody
    asks: it is small, and what rounding does to it is smaller by as much. What lies along the
    centre is known of every vector beforehand, as is its length.

    Parameters
    ----------
    rows : (m, D) float16
        Vectors of any length, possibly those of further tiles among them. Not copied. Float32 where
        there are few and they were that.
    lengths, along : (m,) float32
        Length of each, and how far it reaches along ``centre``.
    centre : (D,) float32
        A direction near the most of them, of length 1; zeros where there is none.
    order : (n,) int, optional
        Which row is that of each tile. Default: they are in order.
    """

    rows: Rows
    lengths: Vectors
    along: Vectors
    centre: Vectors
    order: IntArray | None = None

    @classmethod
    def of(cls, vectors: npt.ArrayLike) -> HalfVectors:
        """Vectors (n, D) of any precision: directions of length 1 are kept of them."""
        given = np.asarray(vectors)
        rows = np.empty(given.shape, _precision(given.size))
        for part in pieces(given):
            rows[part] = unit(given[part])
        return cls.measured(rows)

    @classmethod
    def measured(cls, rows: Rows) -> HalfVectors:
        """Vectors in half precision as they are."""
        centre = centre_of(rows)
        return cls(rows, *measure(rows, centre), centre)

    def __len__(self) -> int:
        return len(self.rows if self.order is None else self.order)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return int(self.rows.shape[1])

    def take(self, index: npt.ArrayLike) -> Vectors:
        """Vectors (k, D) float32 of the tiles at some positions, as long as they are kept."""
        at = np.asarray(index, np.int64)
        return self.rows[at if self.order is None else self.order[at]].astype(np.float32)

    def sample(self, most: int) -> Vectors:
        """Directions (k, D) float32 of at most so many tiles, evenly spread, those of length 0 out.

        It takes them from all that is there in the order in which it came: the same again.
        """
        rows = np.linspace(0, len(self.rows) - 1, min(most, len(self.rows))).astype(np.int64)
        rows = rows[self.lengths[rows] > 0]
        return unit(self.rows[rows])

    def cosines(self, directions: npt.ArrayLike) -> Vectors:
        """Cosine of every vector with each of some directions.

        Parameters
        ----------
        directions : (q, D)
            Of any length.

        Returns
        -------
        (n, q) float32
            Exact to about 1e-5 for vectors within a right angle of their centre, 5e-4 for any.
            0 where a vector has no length, NaN where it is not known.
        """
        wanted = unit(np.atleast_2d(np.asarray(directions, np.float32)))
        if self.rows.size <= FEW:
            dots = np.empty((len(self.rows), len(wanted)), np.float32)
            for part in pieces(self.rows):
                dots[part] = self.rows[part].astype(np.float32) @ wanted.T
        else:
            dots = self._dots(wanted)
        with np.errstate(invalid="ignore"):
            found = np.clip(dots / np.maximum(self.lengths, 1e-12)[:, None], -1, 1)
        return np.asarray(found if self.order is None else found[self.order], np.float32)

    def _dots(self, wanted: Vectors) -> Vectors:
        torch = torch_module()
        share = wanted @ self.centre
        across = wanted - share[:, None] * self.centre
        # Out of the way of both ends of what half precision can hold.
        longest = float(np.nanmax(self.lengths, initial=1e-6))
        largest = max(float(np.abs(across).max(initial=0)), 1e-12)
        factor = min(256 / longest, 2.0**14 / largest)
        rows, queries = _tensor(self.rows), _tensor((across * factor).astype(np.float16))
        dots = np.empty((len(self.rows), len(wanted)), np.float32)
        with torch.inference_mode():
            for i, query in enumerate(queries):  # a product of matrices is slower than all of them
                dots[:, i] = torch.mv(rows, query).numpy()
        return np.asarray(dots / factor + np.outer(self.along, share), np.float32)

    def mapped(
        self, space: Callable[[Vectors], npt.NDArray[np.floating]], before: HalfVectors | None
    ) -> HalfVectors:
        """What becomes of the vectors in another space.

        Parameters
        ----------
        space : callable, (n, D) to (n, T)
            Given directions of length 1.
        before : HalfVectors or None
            What came of it when the first of the same rows were there: not done again.
        """
        done = 0 if before is None else len(before.rows)
        new = self.rows[done:]
        width = np.asarray(space(unit(self.rows[:1]))).shape[1]
        made = np.empty((len(self.rows), width), _precision(len(self.rows) * width))
        if before is not None:
            made[:done] = before.rows
        for part in pieces(new):
            made[done:][part] = unit(space(unit(new[part])))
        centre = centre_of(made) if before is None else before.centre
        return HalfVectors(made, *measure(made, centre), centre, self.order)


def unit(vectors: npt.ArrayLike) -> Vectors:
    """Vectors (…, D) scaled to length 1, as float32; zero stays zero."""
    v = np.asarray(vectors, np.float32)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.asarray(v / np.maximum(length, 1e-12), np.float32)


def pieces(vectors: npt.NDArray[Any]) -> list[slice]:
    """Runs of rows of (n, D) that are small enough to be brought to float32."""
    step = max(1, PIECE // max(1, vectors.shape[1]))
    return [slice(i, i + step) for i in range(0, len(vectors), step)]


def centre_of(rows: Rows) -> Vectors:
    """Direction (D,) of the mean of some thousand of the rows (m, D), zeros where there is none."""
    some = rows[:: max(1, len(rows) // 2000)].astype(np.float32)
    some = unit(some[np.isfinite(some).all(1)])
    mean = some.mean(0) if len(some) else np.zeros(rows.shape[1], np.float32)
    return unit(mean)


def measure(rows: Rows, centre: Vectors) -> tuple[Vectors, Vectors]:
    """Length of each row (m, D), and how far it reaches along a direction: (m,) float32 each."""
    lengths, along = (np.empty(len(rows), np.float32) for _ in range(2))
    for part in pieces(rows):
        if rows.size <= FEW:
            piece = rows[part].astype(np.float32)
            lengths[part], along[part] = np.linalg.norm(piece, axis=1), piece @ centre
        else:
            wide = _tensor(rows[part]).float()
            lengths[part] = wide.norm(dim=1).numpy()
            along[part] = wide.mv(_tensor(centre)).numpy()
    return lengths, along


def _precision(numbers: int) -> Any:
    """Where there are few, nothing is gained by rounding."""
    return np.float32 if numbers <= FEW else np.float16


def _tensor(rows: Rows) -> Any:
    """An array as torch sees it, which does not know arrays that may only be read."""
    torch = torch_module()
    return torch.from_numpy(rows if rows.flags.writeable else rows.copy())
