"""Principal components as colours: what looks alike to the encoder gets one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..embeddings.embedding_set import EmbeddingSet
from ..errors import EncoderError
from ..geometry import IntArray
from ..slides import TissueMask
from .mosaic import mosaic
from .tile_map import MapClass, TileMap

Vectors = npt.NDArray[np.float32]

#: Colours are fitted to about this many vectors: more would not move them.
SAMPLE = 10_000
#: Tokens of some tiles, spread evenly, are read for a fit: eight times as many as it takes, since
#: not all of them are tissue.
READ = 8 * SAMPLE
#: A component with less than this share of the first one's spread is rounding, and gets no colour.
FLAT = 1e-4
#: Where scores are cut, percent: both ends of a colour.
CUT = (1.0, 99.0)
#: Facts of an encoder that do not change what its vectors mean.
ASIDE = ("attention", "precision", "name", "trained")
#: Red, green and blue as they stand in the legend.
RGB = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


@dataclass(frozen=True, eq=False)
class PcaColours:
    """How vectors become colours. Made by `fit_pca`, used by `pca_map`.

    Parameters
    ----------
    mean : (D,) float32
    matrix : (3, D) float32
        From a vector less the mean to red, green and blue before they are cut to 0 … 1. The three
        are uncorrelated, with variance 1, over what they were fitted on.
    low, high : (3,) float32
        What becomes 0 and 1.
    explained : tuple of float
        Share of the variance that each colour shows.
    tokens : bool
        Whether of patch tokens rather than whole tiles.
    fitted_on : str
        What they were fitted on, in words.
    space : str
        The encoder whose vectors these are for, "" where that is not known.
    """

    mean: Vectors
    matrix: Vectors
    low: Vectors
    high: Vectors
    explained: tuple[float, ...]
    tokens: bool
    fitted_on: str
    space: str = ""

    def __call__(self, vectors: npt.ArrayLike) -> Vectors:
        """Colours (…, 3), 0 to 1, of vectors (…, D); NaN where these are no numbers."""
        cut = (self.scores(vectors) - self.low) / np.maximum(self.high - self.low, 1e-9)
        return np.where(np.isfinite(cut), np.clip(cut, 0, 1), np.float32(np.nan))

    def scores(self, vectors: npt.ArrayLike) -> Vectors:
        """The same (…, 3) before they are cut: deviations from the mean in units of the spread."""
        v = np.asarray(vectors, np.float32)
        # The mean is taken off behind the product: before it that is a copy of all vectors.
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(v @ self.matrix.T - self.matrix @ self.mean, np.float32)

    def require_for(self, emb: EmbeddingSet, tokens: bool) -> None:
        """Make sure that they are for such vectors.

        Raises
        ------
        EncoderError
            If they are for those of another encoder, or for tokens where tiles are meant.
        """
        wrong = ""
        if tokens != self.tokens:
            wrong = "patch tokens" if self.tokens else "whole tiles"
        elif not _same(self.space, space_of(emb)) or (not tokens and emb.dim != len(self.mean)):
            wrong = "another encoder"
        if wrong:
            raise EncoderError(f"These colours were fitted on {wrong}.", "Fit them anew.")


def space_of(emb: EmbeddingSet) -> str:
    """What vectors have to have in common to be comparable: everything about the encoder."""
    encoder = emb.provenance.get("encoder", {})
    return repr(sorted((k, str(v)) for k, v in encoder.items() if k not in ASIDE)) * bool(encoder)


def fit_pca(
    sets: EmbeddingSet | Sequence[EmbeddingSet],
    *,
    tokens: bool = False,
    tiles: npt.ArrayLike | Sequence[npt.ArrayLike | None] | None = None,
    foreground: TissueMask | Sequence[TissueMask | None] | None = None,
    like: PcaColours | None = None,
    fitted_on: str = "",
) -> PcaColours:
    """Colours from the first three principal components of one or several sets.

    Colouring tokens by three components is from DINOv2 (Oquab et al. 2023, arXiv:2304.07193).
    There a first component is cut to find the foreground; here the caller knows where the tissue
    is, and nothing else is fitted on.

    The components are brought to the same spread, and may then be turned together without
    becoming correlated. With ``like`` they are turned, and mirrored, to where the same vectors
    have most nearly the colours they had (orthogonal Procrustes, Schönemann 1966,
    doi:10.1007/BF02289451). Without that, components of about the same variance change places and
    signs whenever some tiles are added.

    Parameters
    ----------
    sets : EmbeddingSet or sequence of them
        Of the same encoder. Each counts the same, however many tiles it has.
    tokens : bool
        Patch tokens rather than whole tiles.
    tiles : (n, 2), or one such per set, optional
        What to fit on; default all tiles, or all that have tokens.
    foreground : TissueMask, or one per set, optional
        Where the tissue is: tokens, or tiles, whose centre lies elsewhere are left out, unless
        there are no others.
    like : PcaColours, optional
        An earlier fit for the same encoder, whose hues are to be kept.
    fitted_on : str
        What it is fitted on, for the legend: "the view".

    Returns
    -------
    PcaColours

    Raises
    ------
    LookupError
        If there is nothing to fit on.
    EncoderError
        If sets, or ``like``, are of different encoders.
    """
    several = [sets] if isinstance(sets, EmbeddingSet) else list(sets)
    masks = list(foreground) if isinstance(foreground, Sequence) else [foreground] * len(several)
    alone = isinstance(sets, EmbeddingSet)
    wanted: list[Any] = [tiles] if alone else list(tiles or [None] * len(several))  # type: ignore[arg-type]
    if not several:
        raise LookupError("nothing to fit colours on")
    samples, count = [], 0
    for emb, mask, some in zip(several, masks, wanted, strict=True):
        if not _same(space_of(several[0]), space_of(emb)):
            raise EncoderError(
                "The sets are of different encoders.", "Give sets of one encoder alone."
            )
        chosen = _tiles(emb, tokens, some)
        samples.append(_sample(emb, tokens, chosen, mask, SAMPLE // len(several)))
        count += len(chosen)
    sample = np.concatenate(samples)
    if not len(sample):
        raise LookupError("nothing to fit colours on")
    if like is not None:
        like.require_for(several[0], tokens)
    words = f"{count:,} tile{'' if count == 1 else 's'}"
    if len(several) > 1:
        words += f" of {len(several)} slides"
    if fitted_on:
        words = f"{fitted_on} ({words})"
    if any(mask is not None for mask in masks):
        words += " without glass"
    return colours_of(sample, tokens, words, space_of(several[0]), like)


def pca_map(
    emb: EmbeddingSet,
    *,
    tokens: bool = False,
    tiles: npt.ArrayLike | None = None,
    colours: PcaColours | None = None,
) -> TileMap:
    """The first three principal components as red, green and blue.

    Tissue that looks alike to the encoder gets one colour. The colours have no meaning beyond
    that.

    Parameters
    ----------
    emb : EmbeddingSet
    tokens : bool
        Colour patch tokens rather than whole tiles.
    tiles : (n, 2), optional
        With ``tokens``: which tiles to show; default all that have patch tokens.
    colours : PcaColours, optional
        From `fit_pca`, so that a colour means the same in several maps. Default: fitted on what
        is shown.

    Raises
    ------
    LookupError
        If nothing is encoded, or no patch tokens were kept.
    EncoderError
        If ``colours`` are for another encoder.
    """
    shown = _tiles(emb, tokens, tiles if tokens else None)
    if colours is None:
        colours = fit_pca(emb, tokens=tokens, tiles=shown, fitted_on="what is shown")
    colours.require_for(emb, tokens)
    if tokens:
        lattices = [colours(piece) for piece in emb.pieces("patch_tokens", shown)]
        raster, placement = mosaic(np.concatenate(lattices), shown, emb.grid)
    else:
        raster, placement = emb.raster(colours(emb.vectors)), emb.grid.placement
    known = np.isfinite(raster).all(-1)
    rgba = np.zeros((*known.shape, 4), np.uint8)
    rgba[known, :3] = np.rint(raster[known] * 255).astype(np.uint8)
    rgba[known, 3] = 255
    return TileMap(
        "PCA colours",
        rgba,
        placement,
        "colour",
        classes=tuple(
            MapClass(i, f"{share:.0%} of variance", rgb)
            for i, (share, rgb) in enumerate(zip(colours.explained, RGB, strict=True), 1)
        ),
        legend="Like colours are like tissue: the first three principal components of "
        + ("patch tokens" if tokens else "embeddings")
        + f", {sum(colours.explained):.0%} of their variance. Fitted on {colours.fitted_on}.",
        mpp=emb.grid.mpp,
        smooth=tokens,
    )


def _same(one: str, other: str) -> bool:
    """Whether two spaces are the same, as far as is known."""
    return not one or not other or one == other


def _tiles(emb: EmbeddingSet, tokens: bool, tiles: npt.ArrayLike | None) -> IntArray:
    """Tiles that have what is coloured."""
    if tiles is None:
        found = emb.having("patch_tokens") if tokens else emb.tiles
    else:
        found = np.asarray(tiles, np.int64).reshape(-1, 2)
    if not len(found):
        raise LookupError("no patch tokens were kept" if tokens else "nothing is encoded yet")
    return found


def _sample(
    emb: EmbeddingSet, tokens: bool, tiles: IntArray, mask: TissueMask | None, most: int
) -> Vectors:
    """Vectors (n, D) all over some tiles, about ``most``, on tissue where that is known."""
    if not tokens:
        index = emb.index_of(tiles)
        index = index[index >= 0]
        centres = emb.centres[index]
        on = np.ones(len(index), bool) if mask is None else mask.holds(centres)
        index = _thinned(index[on] if on.any() else index, most)
        vectors = emb.vectors[index]
    else:
        g = emb.part("patch_tokens", tiles[:1]).shape[1]
        tiles = _thinned(tiles, max(1, READ // (g * g)))
        at = (np.arange(g) + 0.5) * (emb.grid.footprint / g)
        corners = emb.grid.boxes(tiles)[:, None, None, :2]
        places = corners + np.stack(np.meshgrid(at, at), -1)
        on = np.ones(places.shape[:3], bool) if mask is None else mask.holds(places)
        on = on if on.any() else ~on
        taken = np.zeros(on.shape, bool)
        taken.ravel()[_thinned(np.flatnonzero(on), most)] = True
        found, start = [], 0
        for piece in emb.pieces("patch_tokens", tiles):
            found.append(piece[taken[start : start + len(piece)]])
            start += len(piece)
        vectors = np.concatenate(found)
    whole: Vectors = vectors[np.isfinite(vectors).all(1)]
    return whole


def _thinned(items: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    """About so many of them, evenly spread."""
    return items[:: max(1, -(-len(items) // most))]


def colours_of(
    sample: Vectors,
    tokens: bool = False,
    fitted_on: str = "",
    space: str = "",
    like: PcaColours | None = None,
) -> PcaColours:
    """Colours fitted on vectors (n, D) as they are: what `fit_pca` does with its sample."""
    mean = sample.mean(0)
    centred = sample - mean
    axes, variances = _components(centred)
    total = max(float(np.einsum("ij,ij->", centred, centred)) / len(sample), 1e-30)
    spread = np.sqrt(variances)
    seen = spread > FLAT * max(float(spread[0]), 1e-30)
    matrix = np.where(seen[:, None], axes / np.where(seen, spread, 1)[:, None], 0)
    turn = np.eye(3) if like is None else _turn(like.scores(sample), centred @ matrix.T)
    matrix = np.asarray(turn @ matrix, np.float32)
    scores = centred @ matrix.T
    low, high = np.asarray(np.percentile(scores, CUT, axis=0), np.float32)
    explained = tuple(float(v) for v in np.square(turn) @ np.where(seen, variances, 0) / total)
    return PcaColours(mean, matrix, low, high, explained, tokens, fitted_on, space)


def _components(centred: Vectors) -> tuple[Vectors, Vectors]:
    """First three principal axes (3, D) of vectors (n, D) about 0, and the variances (3,) on them.

    By a randomised decomposition (Halko et al. 2011, arXiv:0909.4061), which for three of a
    thousand dimensions takes a tenth of the time of the whole. The sign of an axis is arbitrary:
    each is turned so that its largest coefficient is positive.
    """
    from sklearn.utils.extmath import randomized_svd

    n = min(3, *centred.shape)
    axes, variances = np.zeros((3, centred.shape[1]), np.float32), np.zeros(3, np.float32)
    _, lengths, found = randomized_svd(centred, n, n_iter=4, random_state=0)
    signs = np.sign(found[np.arange(n), np.abs(found).argmax(1)])
    axes[:n], variances[:n] = found * np.where(signs == 0, 1, signs)[:, None], lengths**2
    return axes, variances / np.float32(len(centred))


def _turn(before: Vectors, now: Vectors) -> npt.NDArray[np.float64]:
    """The rotation or reflection (3, 3) that brings scores (n, 3) nearest to those of before."""
    left, _, right = np.linalg.svd((before - before.mean(0)).T.astype(np.float64) @ now)
    turn: npt.NDArray[np.float64] = left @ right
    return turn
