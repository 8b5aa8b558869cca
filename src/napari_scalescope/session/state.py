"""The pieces a session's state is made of: small values that can be compared and passed on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..embeddings import EmbeddingSet, Progress
from ..encoders import AttentionSource
from ..geometry import Box, IntArray

Overlay = Literal["attention", "similarity", "pca", "clusters"]
OVERLAYS: dict[Overlay, str] = {
    "attention": "Attention",
    "similarity": "Similarity",
    "pca": "PCA colours",
    "clusters": "Clusters",
}

#: Encode at whatever scale the screen shows.
FOLLOW: Literal["follow"] = "follow"
Scale = Literal["follow"] | tuple[float, ...]


@dataclass(frozen=True)
class View:
    """What is on the screen.

    Parameters
    ----------
    box : Box
        The part of the slide, level-0 pixels.
    mpp : float
        µm per screen pixel.
    """

    box: Box
    mpp: float


@dataclass(frozen=True)
class Look:
    """How the encoder's output is to be shown.

    Parameters
    ----------
    overlay : "attention", "similarity", "pca" or "clusters"
    tokens : bool
        At the resolution of patch tokens rather than of tiles, where the overlay can be.
    head : int or None
        Which attention head, None for the mean of all.
    clusters : int
        Into how many groups tiles are clustered.
    attention : int, "rollout", "feature norm" or None
        What the attention map is made of (`Encoder.looking`), None for what the catalogue says.
    """

    overlay: Overlay = "attention"
    tokens: bool = True
    head: int | None = None
    clusters: int = 6
    attention: AttentionSource | None = None

    @property
    def source(self) -> AttentionSource | None:
        """`attention` where it matters for what is shown."""
        return self.attention if self.overlay == "attention" else None


@dataclass(frozen=True, eq=False)
class Selection:
    """Some tiles of the grid at one resolution.

    Parameters
    ----------
    mpp : float
    tiles : (n, 2) int
        Row and column of each.
    """

    mpp: float
    tiles: IntArray

    def __len__(self) -> int:
        return len(self.tiles)


@dataclass(frozen=True, eq=False)
class Projection:
    """The tiles of an `EmbeddingSet` as points in the plane.

    Parameters
    ----------
    xy : (n, 2) float32
    method : "pca" or "umap"
    emb : EmbeddingSet
        The tiles, in the order of the points.
    """

    xy: npt.NDArray[np.float32]
    method: Literal["pca", "umap"]
    emb: EmbeddingSet


@dataclass(frozen=True)
class Status:
    """What the session is doing, for one line of text and a bar.

    Parameters
    ----------
    text : str
    progress : Progress or None
        None where there is nothing to count.
    busy : bool
    """

    text: str = ""
    progress: Progress | None = None
    busy: bool = False


def worded(text: str, progress: Progress | None, doubts: Iterable[str] = ()) -> str:
    """A line of status with what a bar cannot show of a job: what it leaves out, and doubts."""
    notes = [text]
    if progress is not None and progress.left_out:
        taken = progress.total + progress.reused
        every = taken + progress.left_out
        notes.append(f"only the {taken:,} tiles nearest to the centre of {every:,} in view")
    if progress is not None and progress.unreadable:
        notes.append(f"{progress.unreadable:,} unreadable")
    if progress is not None and progress.note:
        notes.append(progress.note)
    return " · ".join([*notes, *doubts])
