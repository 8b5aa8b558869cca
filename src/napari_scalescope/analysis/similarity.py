"""What looks like this?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from .mosaic import mosaic
from .tile_map import TileMap, spread

Vectors = npt.NDArray[np.float32]


def unit(vectors: npt.ArrayLike) -> Vectors:
    """Vectors (…, D) scaled to length 1; zero stays zero."""
    v = np.asarray(vectors, np.float32)
    length = np.linalg.norm(v, axis=-1, keepdims=True)
    return np.asarray(v / np.maximum(length, 1e-12), np.float32)


def vector_at(emb: EmbeddingSet, x: float, y: float) -> Vectors | None:
    """The embedding (D,) of the tile over a level-0 point, None where it is not encoded."""
    tile = emb.grid.tile_at(x, y)
    if tile is None:
        return None
    index = int(emb.index_of([tile])[0])
    return None if index < 0 else emb.vectors[index]


def token_at(emb: EmbeddingSet, x: float, y: float) -> Vectors | None:
    """The patch token (d,) over a level-0 point, None where none was kept."""
    tile = emb.grid.tile_at(x, y)
    if tile is None or emb.load is None:
        return None
    lattice = emb.part("patch_tokens", [tile])[0].astype(np.float32)
    g = len(lattice)
    box = emb.grid.box(*tile)
    row, col = (min(g - 1, int(p / emb.grid.footprint * g)) for p in (y - box.y, x - box.x))
    token: Vectors = lattice[row, col]
    return None if np.isnan(token).any() else token


def similarity(
    vectors: npt.ArrayLike, positives: npt.ArrayLike, negatives: npt.ArrayLike | None = None
) -> Vectors:
    """Cosine to the nearest of some examples, less the cosine to the nearest counter-example.

    Parameters
    ----------
    vectors : (…, D)
    positives : (p, D) or (D,)
    negatives : (q, D) or (D,), optional

    Returns
    -------
    (…,) float32
        Cosine, -1 to 1; with negatives the difference of two cosines, -2 to 2.
    """
    v = unit(vectors)
    score = (v @ unit(np.atleast_2d(np.asarray(positives))).T).max(-1)
    if negatives is not None and np.size(negatives):
        score = score - (v @ unit(np.atleast_2d(np.asarray(negatives))).T).max(-1)
    return np.asarray(score, np.float32)


def similarity_map(
    emb: EmbeddingSet,
    query: npt.ArrayLike | None = None,
    *,
    positives: npt.ArrayLike | None = None,
    negatives: npt.ArrayLike | None = None,
    tokens: bool = False,
    tiles: npt.ArrayLike | None = None,
    space: Callable[[Vectors], Vectors] | None = None,
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
    space : callable, (n, D) to (n, T), optional
        Where whole tiles are compared, if not among embeddings as they are. Vectors are of it.

    Returns
    -------
    TileMap
        Scores: cosine. The cosines of most encoders crowd between 0.7 and 1, so the colours
        span the values that occur (2nd to 99.8th percentile); the numbers stay cosines.

    Raises
    ------
    LookupError
        If the place of the query is not encoded, or nothing is.
    """
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
    wanted = np.concatenate(examples)
    if tokens:
        tiles = emb.having("patch_tokens") if tiles is None else np.asarray(tiles, np.int64)
        scores = [similarity(p, wanted, negatives) for p in emb.pieces("patch_tokens", tiles)]
        raster, placement = mosaic(np.concatenate(scores), tiles, emb.grid)
    else:
        if not len(emb):
            raise LookupError("nothing is encoded yet")
        vectors = emb.vectors if space is None else space(emb.vectors)
        raster = emb.raster(similarity(vectors, wanted, negatives))
        placement = emb.grid.placement
    return TileMap(
        "Similarity",
        raster,
        placement,
        "score",
        unit="cosine" if negatives is None else "cosine difference",
        limits=spread(raster, 2.0, 99.8),
        colormap="viridis",
        legend="Cosine to the query; colours span the 2nd to 99.8th percentile of what is shown.",
        mpp=emb.grid.mpp,
        smooth=tokens,
    )


def text_map(
    emb: EmbeddingSet, text: str, vector: npt.ArrayLike, space: Callable[[Vectors], Vectors]
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
    space : callable, (n, D) to (n, T)
        `TextTower.images`: embeddings of some encoders need one more step to where texts are.

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
    made = similarity_map(emb, np.atleast_2d(np.asarray(vector)), space=space)
    legend = (
        f"Cosine between the text “{text}” and each tile. It is far lower than between two tiles, "
        "0 to 0.4 as a rule: read where it is higher than elsewhere, not how high it is. "
        "Colours span the 2nd to 99.8th percentile of what is shown."
    )
    return replace(made, name=f"“{text}”", unit="cosine to the text", legend=legend)
