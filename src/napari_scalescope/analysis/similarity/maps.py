"""Maps of how much tissue looks like something."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import EmbeddingSet
from ...embeddings.half import HalfVectors, Vectors
from ...geometry import IntArray
from ..mosaic import mosaic
from ..tile_map import TileMap, spread
from .examples import token_at, vector_at
from .scores import MEASURES, Measure, joined, nearest, ranked
from .whitening import WhitenedSet, Whitening, whiten, whiten_tokens

SPREAD = "Colours span the 2nd to 99.8th percentile of what is shown."


def similarity_map(
    emb: EmbeddingSet,
    query: npt.ArrayLike | None = None,
    *,
    positives: npt.ArrayLike | None = None,
    negatives: npt.ArrayLike | None = None,
    tokens: bool = False,
    tiles: npt.ArrayLike | None = None,
    measure: Measure = "cosine",
    whitened: WhitenedSet | Whitening | None = None,
) -> TileMap:
    """How much every tile, or every patch token, looks like a query.

    Parameters
    ----------
    emb : EmbeddingSet
    query : (x, y) or (m, D)
        A place on the slide in level-0 pixels, whose vector is looked up, or vectors.
    positives, negatives : (m, D), optional
        Further examples and counter-examples as vectors.
    tokens : bool
        Compare patch tokens rather than whole tiles. Vectors are then patch tokens.
    tiles : (n, 2), optional
        With ``tokens``: which tiles to show; default all that have patch tokens.
    measure : "cosine", "whitened" or "rank"
        How alikeness is counted: see `Measure`.
    whitened : WhitenedSet or Whitening, optional
        What ``measure="whitened"`` works with, where that is at hand: of `whiten` for tiles, of
        `whiten_tokens` for tokens. Default: made here, which takes longer than the map.

    Returns
    -------
    TileMap
        Scores: cosine to the nearest example, less that to the nearest counter-example; for
        "rank" the share of what is shown that scores lower, in percent. The cosines of most
        encoders crowd between 0.7 and 1, so the colours span the values that occur (2nd to
        99.8th percentile); the numbers stay cosines.

    Raises
    ------
    LookupError
        If the place of the query is not encoded, or nothing is.
    """
    if measure not in MEASURES:
        raise ValueError(f"a measure is one of {', '.join(MEASURES)}, not {measure!r}")
    examples = [] if positives is None else [np.atleast_2d(np.asarray(positives, np.float32))]
    if query is not None:
        given = np.asarray(query, np.float32)
        if given.shape == (2,):
            look_up = token_at if tokens else vector_at
            found = look_up(emb, float(given[0]), float(given[1]))
            if found is None:
                raise LookupError("the place of the query is not encoded yet")
            given = found
        examples.append(np.atleast_2d(given))
    if not examples:
        raise ValueError("similarity needs a query or positives")
    wanted, count = joined(np.concatenate(examples), negatives)
    white: Whitening | None = None
    if tokens:
        shown = emb.having("patch_tokens") if tiles is None else np.asarray(tiles, np.int64)
        if measure == "whitened":
            white = whitened if isinstance(whitened, Whitening) else whiten_tokens(emb)
        scores = _token_scores(emb, shown, wanted, count, white)
        raster, placement = mosaic(scores, shown, emb.grid)
        raster = ranked(raster) if measure == "rank" else raster
    else:
        if not len(emb):
            raise LookupError("nothing is encoded yet")
        half = emb.half
        if measure == "whitened" and len(emb) > 1:
            made = whitened if isinstance(whitened, WhitenedSet) else whiten(emb)
            half, white = made.half, made.whitening
            wanted = white(wanted)
        score = nearest(half.cosines(wanted), count)
        raster = emb.raster(ranked(score) if measure == "rank" else score)
        placement = emb.grid.placement
    unit, limits, legend = _wording(measure, raster, count, len(wanted) - count, white)
    return TileMap(
        "Similarity",
        raster,
        placement,
        "score",
        unit=unit,
        limits=limits,
        colormap="viridis",
        legend=legend,
        mpp=emb.grid.mpp,
        smooth=tokens,
    )


def _token_scores(
    emb: EmbeddingSet,
    tiles: IntArray,
    wanted: Vectors,
    positives: int,
    whitening: Whitening | None,
) -> Vectors:
    """Scores (n, g, g) of the tokens of tiles."""
    scores = []
    for piece in emb.half_pieces("patch_tokens", tiles):
        if whitening is not None:
            cosines = whitening(piece) @ whitening(wanted).T
        else:
            rows = HalfVectors.measured(piece.reshape(-1, piece.shape[-1]))
            cosines = rows.cosines(wanted).reshape(*piece.shape[:-1], -1)
        scores.append(nearest(cosines, positives))
    return np.concatenate(scores)


def _wording(
    measure: Measure,
    raster: npt.NDArray[np.float32],
    positives: int,
    negatives: int,
    white: Whitening | None,
) -> tuple[str, tuple[float, float], str]:
    """Unit, limits and legend of a map."""
    what = "the query" if positives == 1 else f"the nearest of {positives} examples"
    less = (
        ""
        if not negatives
        else ", less that to "
        + (
            "the counter-example"
            if negatives == 1
            else f"the nearest of {negatives} counter-examples"
        )
    )
    if measure == "rank":
        legend = f"Share of what is shown that is less alike, by cosine to {what}{less}."
        return "% less alike", (0.0, 100.0), legend
    unit = "cosine difference" if negatives else "cosine"
    if white is None:
        return unit, spread(raster, 2.0, 99.8), f"Cosine to {what}{less}. {SPREAD}"
    legend = f"Cosine after whitening to {what}{less}. {white.words} {SPREAD}"
    return f"whitened {unit}", spread(raster, 2.0, 99.8), legend


def text_map(
    emb: EmbeddingSet,
    text: str,
    vector: npt.ArrayLike,
    space: Callable[[Vectors], Vectors] | HalfVectors,
    *,
    measure: Measure = "cosine",
) -> TileMap:
    """How much every tile looks like what a text says.

    Parameters
    ----------
    emb : EmbeddingSet
        Of an encoder that reads (`Encoder.text`).
    text : str
        What is looked for, as it is to be shown.
    vector : (T,) or (1, T)
        `TextTower.vectors` of the text.
    space : callable, (n, D) to (n, T), or HalfVectors
        `TextTower.images`: embeddings of some encoders need one more step to where texts are. Or
        what became of the set's there (``emb.half.mapped(tower.images, None)``).
    measure : "cosine" or "rank"
        Texts are not whitened: "whitened" is taken for "cosine".

    Returns
    -------
    TileMap
        Scores: cosine between text and tile. Texts and images lie in two clouds of the space they
        share (Liang et al. 2022, the modality gap), so it is far lower than between two tiles,
        and only the order of tiles can be read from it.

    Raises
    ------
    LookupError
        If nothing is encoded yet.
    """
    if not len(emb):
        raise LookupError("nothing is encoded yet")
    wanted = np.atleast_2d(np.asarray(vector, np.float32))
    half = space if isinstance(space, HalfVectors) else emb.half.mapped(space, None)
    score = nearest(half.cosines(wanted), 1)
    name = f"“{text}”"
    if measure == "rank":
        values, limits, unit = ranked(score), (0.0, 100.0), "% less alike"
        legend = f"Share of the tiles whose cosine to the text {name} is lower."
    else:
        values, limits, unit = score, spread(score, 2.0, 99.8), "cosine to the text"
        legend = (
            f"Cosine between the text {name} and each tile. It is far lower than between two "
            "tiles, 0 to 0.4 as a rule: read where it is higher than elsewhere, not how high it "
            f"is. {SPREAD}"
        )
    return TileMap(
        name,
        emb.raster(values),
        emb.grid.placement,
        "score",
        unit=unit,
        limits=limits,
        colormap="viridis",
        legend=legend,
        mpp=emb.grid.mpp,
    )


def blended_map(
    emb: EmbeddingSet,
    kinds: Sequence[tuple[HalfVectors, Sequence[Vectors], Sequence[Vectors]]],
) -> TileMap:
    """How much every tile looks like examples that lie in different spaces: tiles and texts.

    Their cosines cannot be compared: those with a text are far lower. So each kind is ranked by
    itself, and a tile counts by the kind it ranks highest in.

    Parameters
    ----------
    emb : EmbeddingSet
    kinds : sequence of (HalfVectors, examples, counter-examples)
        The tiles of the set as each space has them, and vectors (D,) of that space.

    Returns
    -------
    TileMap
        Scores: the highest rank by any kind of example, less the highest by any counter-example,
        ranked again; percent.

    Raises
    ------
    LookupError
        If nothing is encoded.
    """
    if not len(emb):
        raise LookupError("nothing is encoded yet")
    for_it, against = (
        [ranked(half.cosines(np.stack(given)).max(1)) for half, given in side if len(given)]
        for side in ([(h, p) for h, p, _ in kinds], [(h, n) for h, _, n in kinds])
    )
    if not for_it:
        raise ValueError("similarity needs at least one example")
    score = np.max(for_it, axis=0)
    if against:
        score = score - np.max(against, axis=0)
    less = ", less that by any counter-example" if against else ""
    return TileMap(
        "Similarity",
        emb.raster(ranked(score)),
        emb.grid.placement,
        "score",
        unit="% less alike",
        limits=(0.0, 100.0),
        colormap="viridis",
        legend=(
            "Texts and tissue are ranked apart, because their cosines cannot be compared. Shown is "
            f"the share of the tiles whose highest rank by any example{less} is lower."
        ),
        mpp=emb.grid.mpp,
    )
