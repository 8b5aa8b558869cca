"""Does the encoder make the same of a place at two resolutions?"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ...embeddings.embedding_set import EmbeddingSet
from ...geometry import IntArray
from ..measures.neighbours import neighbour_overlap
from ..similarity import unit
from ..tile_map import TileMap, spread
from .places import LEAST_COVER, require_one_slide, require_one_space, under
from .tokens import held_in_vectors, local_scores, on_one_lattice, token_cka, token_frobenius

AgreementKind = Literal["local", "global", "gram", "neighbours"]
GramMeasure = Literal["cka", "frobenius"]


class _Found(NamedTuple):
    """Scores (n,) of places, the share of each that could be compared, and what they are."""

    scores: npt.NDArray[np.floating]
    cover: npt.NDArray[np.floating]
    unit: str
    meaning: str


def cross_scale_agreement(
    coarse: EmbeddingSet,
    fine: EmbeddingSet,
    kind: AgreementKind = "local",
    *,
    centred: bool = True,
    measure: GramMeasure = "cka",
    k: int = 10,
    tiles: npt.ArrayLike | None = None,
) -> TileMap:
    """How far an encoder makes the same of each place at two resolutions.

    A place is a tile of ``coarse``. Tiles of ``fine`` count by the area that they have in common
    with it, at any ratio of resolutions. What is compared is one of:

    ``"local"``
        Of a coarse tile, the patch tokens over the footprint of each fine tile, averaged by area,
        against the mean patch token of that fine tile: a cosine for each fine tile, averaged over
        the coarse one. Which tokens belong to which tile is the spatial token mapping of XMAG
        (2025, arXiv:2509.23097), which trains a 5× encoder on a 20× teacher by it. Of fine tiles
        without patch tokens the mean token is taken from the embedding where it is in there
        (see `tokens.mean_tokens`); else they are left out.
    ``"global"``
        The coarse embedding against the mean of the fine embeddings under it: a cosine. It is
        the other half of XMAG's distillation.
    ``"gram"``
        How alike the coarse tokens are to each other, against how alike the fine tokens are once
        pooled to the same lattice: linear CKA (see `tokens.token_cka`), or 1 less the root mean
        square difference of their cosines (`tokens.token_frobenius`). Needs no common space.
    ``"neighbours"``
        Share that the k places nearest to this one, by coarse embeddings, have in common with
        the k nearest by the means of fine ones (mutual k-nearest-neighbour alignment, Huh et al.
        2024, arXiv:2405.07987). 1 is the same neighbours, k / (n - 1) is chance. Needs no common
        space.

    Much of a vector says that this is tissue, seen at this resolution, and is the same everywhere:
    cosines of vectors as they are crowd near 1, and differ for reasons other than the place.
    Therefore the mean of all vectors of a resolution is taken off before "local" and "global"
    cosines, unless told otherwise. Read where agreement is lower than elsewhere, not how low.

    Parameters
    ----------
    coarse, fine : EmbeddingSet
        Of one slide. Of one encoder too for "local" and "global"; "gram" and "neighbours" compare
        any two, at one resolution if wanted.
    kind : "local", "global", "gram" or "neighbours"
    centred : bool
        Of "local" and "global": take each resolution's mean off first.
    measure : "cka" or "frobenius"
        Of "gram".
    k : int
        Of "neighbours".
    tiles : (n, 2), optional
        Which coarse tiles to show; default all.

    Returns
    -------
    TileMap
        Scores on the coarse grid, NaN where less than a quarter of a tile is encoded in ``fine``.
        Colours span the 2nd to 98th percentile.

    Raises
    ------
    EncoderError
        If "local" or "global" is asked for between encoders.
    SlideError
        If the sets are of different slides.
    LookupError
        If nothing is encoded at one of the resolutions, or no patch tokens were kept that are
        needed.
    ValueError
        If there is no such kind or measure, or ``coarse`` has the smaller tiles.
    """
    if kind not in _KINDS or measure not in ("cka", "frobenius"):
        raise ValueError(f"agreement is one of {', '.join(_KINDS)}, not {kind!r} by {measure!r}")
    if coarse.grid.footprint < fine.grid.footprint * (1 - 1e-6):
        raise ValueError("tiles of the first set are smaller than those of the second: swap them")
    require_one_slide(coarse, fine)
    if not len(coarse) or not len(fine):
        raise LookupError("nothing is encoded yet at one of the resolutions")
    if kind in ("local", "global"):
        require_one_space(coarse, fine, f"Agreement of kind “{kind}”")
    chosen = _chosen(coarse, kind, tiles)
    if kind == "gram":
        found = _gram(coarse, fine, chosen, measure)
    elif kind == "neighbours":
        found = _neighbours(coarse, fine, chosen, k)
    else:
        compare = _local if kind == "local" else _global
        found = compare(coarse, fine, chosen, centred)
    raster = np.full(coarse.grid.shape, np.nan, np.float32)
    enough = found.cover >= LEAST_COVER
    raster[tuple(chosen[enough].T)] = found.scores[enough]
    return TileMap(
        f"Cross-scale agreement ({kind})",
        raster,
        coarse.grid.placement,
        "score",
        unit=found.unit,
        limits=spread(raster, 2.0, 98.0),
        colormap="viridis",
        legend=f"{found.meaning} Colours span the 2nd to 98th percentile.",
        mpp=coarse.grid.mpp,
    )


_KINDS = ("local", "global", "gram", "neighbours")
CENTRED = " Without the mean of each resolution."


def _chosen(coarse: EmbeddingSet, kind: str, tiles: npt.ArrayLike | None) -> IntArray:
    """The coarse tiles to compare, of those that have what it takes."""
    if kind in ("local", "gram"):
        having = coarse.having("patch_tokens") if coarse.load is not None else coarse.tiles[:0]
        if not len(having):
            raise LookupError("no patch tokens were kept at the coarser resolution")
    else:
        having = coarse.tiles
    if tiles is None:
        return having
    wanted = np.zeros(coarse.grid.shape, bool)
    wanted[tuple(np.asarray(tiles, np.int64).reshape(-1, 2).T)] = True
    return having[wanted[having[:, 0], having[:, 1]]]


def _between(coarse: EmbeddingSet, fine: EmbeddingSet) -> tuple[str, str]:
    return f"{coarse.grid.mpp:.3g}", f"{fine.grid.mpp:.3g} µm/px"


def _local(coarse: EmbeddingSet, fine: EmbeddingSet, tiles: IntArray, centred: bool) -> _Found:
    scores, cover = local_scores(coarse, tiles, fine, centred=centred)
    big, small = _between(coarse, fine)
    meaning = (
        f"Patch tokens at {big} µm/px over each tile of {small} against that tile's mean patch "
        "token, averaged over the coarse tile." + (CENTRED if centred else "")
    )
    if held_in_vectors(fine) and len(fine.having("patch_tokens")) < len(fine):
        meaning += " Means of tiles without patch tokens are those in their embeddings."
    return _Found(scores, cover, "cosine", meaning)


def _global(coarse: EmbeddingSet, fine: EmbeddingSet, tiles: IntArray, centred: bool) -> _Found:
    below = under(coarse.grid, tiles, fine)
    a, b = coarse.vectors[coarse.index_of(tiles)], below.means
    if centred:
        a, b = a - coarse.vectors.mean(0), b - fine.vectors.mean(0)
    scores = (unit(a) * unit(b)).sum(-1)
    big, small = _between(coarse, fine)
    meaning = f"Embedding at {big} µm/px against the mean of those at {small} under the tile."
    meaning += CENTRED if centred else ""
    return _Found(scores, below.cover, "cosine", meaning)


def _gram(
    coarse: EmbeddingSet, fine: EmbeddingSet, tiles: IntArray, measure: GramMeasure
) -> _Found:
    compare = token_cka if measure == "cka" else token_frobenius
    scores, cover = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for x, y, known, covered in on_one_lattice(coarse, tiles, fine):
        scores.append(compare(x, y, known))
        cover.append(covered)
    big, small = _between(coarse, fine)
    meaning = f"How alike tokens inside a tile are, at {big} and at {small} on one lattice: "
    meaning += (
        "linear CKA, 1 is the same pattern and 0 chance."
        if measure == "cka"
        else "1 less the rms difference of their cosines."
    )
    words = "CKA" if measure == "cka" else "1 - rms difference"
    return _Found(np.concatenate(scores), np.concatenate(cover), words, meaning)


def _neighbours(coarse: EmbeddingSet, fine: EmbeddingSet, tiles: IntArray, k: int) -> _Found:
    # Neighbours are sought among all places, whichever are shown.
    below = under(coarse.grid, coarse.tiles, fine)
    places = below.cover >= LEAST_COVER
    found = np.full(len(coarse), np.nan, np.float32)
    k = min(k, int(places.sum()) - 2)
    if k < 1:
        raise LookupError("too few places are encoded at both resolutions to have neighbours")
    found[places] = neighbour_overlap(coarse.vectors[places], below.means[places], k)
    index = coarse.index_of(tiles)
    big, small = _between(coarse, fine)
    chance = k / (int(places.sum()) - 1)
    meaning = (
        f"Share that the {k} most similar places at {big} µm/px have in common with those at "
        f"{small}; chance is {chance:.2g}."
    )
    return _Found(found[index], below.cover[index], "share of neighbours", meaning)
