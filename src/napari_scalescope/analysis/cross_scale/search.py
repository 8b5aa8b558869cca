"""A place at one resolution, looked for at others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import EmbeddingSet
from ...errors import EncoderError
from ...geometry import FloatArray, IntArray, TileGrid
from ..similarity import similarity
from ..tile_map import TileMap, spread
from .places import LEAST_COVER, Vectors, areas, require_one_slide, require_one_space, under

Through = Literal["vectors", "place"]


@dataclass(frozen=True, eq=False)
class ScaleAnswer:
    """What was found at one resolution.

    Parameters
    ----------
    mpp : float
        The resolution it was looked for at, µm per pixel.
    grid : TileGrid
        Of the places: its own where its tiles are larger than those of the question, else the
        question's, each with the mean of the tiles under it.
    tiles : (n, 2) int64
        The places, row and column in ``grid``, the most similar first.
    scores : (n,) float32
        Cosine of each.
    own_rank : int or None
        How many places come before the first that shares tissue with the question: 0 where the
        place found itself. None where the question is no place, or it is not encoded here.
    map : TileMap
        The same scores over the slide.
    """

    mpp: float
    grid: TileGrid
    tiles: IntArray
    scores: npt.NDArray[np.float32]
    own_rank: int | None
    map: TileMap

    @property
    def boxes(self) -> FloatArray:
        """Footprints (n, 4) of the places as x, y, w, h in level-0 pixels, best first."""
        return self.grid.boxes(self.tiles)


def cross_scale_search(
    emb: EmbeddingSet,
    query: npt.ArrayLike,
    others: Iterable[EmbeddingSet],
    *,
    through: Through = "vectors",
    centred: bool = True,
) -> tuple[ScaleAnswer, ...]:
    """What looks, at other resolutions, like a place at one.

    Places are compared over common footprints. At a coarser resolution they are its tiles, the
    parents of the question's; at a finer one they are footprints of the question's size, each
    described by the mean of its children's vectors, weighted by area: what fits a quarter of a
    place only should not win.

    Parameters
    ----------
    emb : EmbeddingSet
        Where the question comes from.
    query : (x, y) or (m, D)
        A place in level-0 pixels, whose tile is taken, or vectors of ``emb``'s encoder.
    others : EmbeddingSets
        At the resolutions to look at; ``emb`` itself may be among them.
    through : "vectors" or "place"
        "vectors": the question's vector is compared with those of the other resolution. The
        encoder has to see something of the same in both. "place": the question is asked anew at
        the other resolution, with what is encoded there of its footprint. Needs no common space,
        so that ``others`` may be of other encoders too, and a place for a query.
    centred : bool
        Take each set's mean from its vectors first. An encoder says of every tile at which
        resolution it was seen; of one that is the same for all, nothing is left then.

    Returns
    -------
    tuple of ScaleAnswer
        In the order of ``others``.

    Raises
    ------
    EncoderError
        If vectors of different encoders would be compared.
    SlideError
        If the sets are of different slides.
    LookupError
        If the place of the query is not encoded, or nothing is at another resolution.
    """
    others = tuple(others)
    require_one_slide(emb, *others)
    given = np.asarray(query, np.float32)
    tile = None
    if given.shape == (2,):
        tile = emb.grid.tile_at(float(given[0]), float(given[1]))
        if tile is None or emb.index_of([tile])[0] < 0:
            raise LookupError("the place of the query is not encoded yet")
        given = emb.vectors[emb.index_of([tile])]
    elif through == "place":
        raise EncoderError(
            "Vectors have no place, and cannot be asked anew at another resolution.",
            "Give a place (x, y), or search through vectors.",
        )
    given = np.atleast_2d(given)
    asked = given - emb.vectors.mean(0) if centred and len(emb) else given
    answers = []
    for other in others:
        if not len(other):
            raise LookupError(f"nothing is encoded at {other.grid.mpp:.3g} µm/px yet")
        if through == "vectors":
            require_one_space(emb, other, "Search across resolutions")
        answers.append(_answer(emb, tile, asked, other, through, centred))
    return tuple(answers)


def _answer(
    emb: EmbeddingSet,
    tile: tuple[int, int] | None,
    asked: Vectors,
    other: EmbeddingSet,
    through: Through,
    centred: bool,
) -> ScaleAnswer:
    larger = other.grid.footprint >= emb.grid.footprint * (1 - 1e-6)
    if larger:
        grid, tiles, vectors = other.grid, other.tiles, other.vectors
    else:
        below = under(emb.grid, emb.grid.all_tiles(), other)
        enough = below.cover >= LEAST_COVER
        grid, tiles, vectors = emb.grid, emb.grid.all_tiles()[enough], below.means[enough]
    mean = other.vectors.mean(0) if centred else np.float32(0)
    if through == "place":
        assert tile is not None
        here = under(emb.grid, np.array([tile]), other)
        if not here.cover[0]:
            raise LookupError(f"the place is not encoded at {other.grid.mpp:.3g} µm/px yet")
        asked = here.means - mean
    scores = similarity(vectors - mean, asked)
    order = np.argsort(-scores, kind="stable")
    raster = np.full(grid.shape, np.nan, np.float32)
    raster[tuple(tiles.T)] = scores
    return ScaleAnswer(
        other.grid.mpp,
        grid,
        tiles[order],
        scores[order],
        None if tile is None else _own_rank(emb, tile, grid, tiles[order], larger),
        TileMap(
            f"Similarity at {other.grid.mpp:.3g} µm/px",
            raster,
            grid.placement,
            "score",
            unit="cosine",
            limits=spread(raster, 2.0, 99.8),
            colormap="viridis",
            legend=_legend(emb, other, through, centred, larger),
            mpp=other.grid.mpp,
        ),
    )


def _own_rank(
    emb: EmbeddingSet, tile: tuple[int, int], grid: TileGrid, ranked: IntArray, larger: bool
) -> int | None:
    """Where the first place stands that shares tissue with the question."""
    if not larger:
        own = (ranked == tile).all(1)
    else:
        alone = EmbeddingSet(np.zeros((1, 1), np.float32), np.array([tile]), emb.grid, emb.state)
        own = np.asarray(areas(grid, ranked, alone).sum(1)).ravel() > 0
    return int(own.argmax()) if own.any() else None


def _legend(
    emb: EmbeddingSet, other: EmbeddingSet, through: Through, centred: bool, larger: bool
) -> str:
    mpp = f"{other.grid.mpp:.3g} µm/px"
    asked = (
        f"the query as it is seen at {mpp}"
        if through == "place"
        else f"the query at {emb.grid.mpp:.3g} µm/px"
    )
    seen = f"each tile at {mpp}" if larger else f"the mean of the tiles at {mpp} in each place"
    taken = " with the mean of each resolution taken off" if centred else ""
    return f"Cosine of {seen} to {asked}{taken}; colours span the 2nd to 99.8th percentile."
