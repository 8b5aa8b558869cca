"""One point of a slide, seen at a continuum of magnifications."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...encoders import Encoder
from ...geometry import Box, FloatArray
from ...slides import Slide
from ..similarity import unit

#: Fewest magnifications of a profile.
FEWEST = 3


@dataclass(frozen=True, eq=False)
class ScaleProfile:
    """One point at several magnifications.

    Parameters
    ----------
    at : (x, y)
        The point, level-0 pixels.
    mpp : (s,) float64
        Resolution of each view, µm per pixel, evenly spaced on a log axis, the finest first.
    similarity : (s, s) float32
        Cosine between what the encoder makes of two views; NaN for those not encoded yet.
    views : (s, px, px, 3) uint8
        What it was shown; white beyond the slide's edge, and where it is not read yet.
    own : (s,) float32
        How much each view is its own: see `scale_profile`. NaN until all are encoded.
    encoder : str
        Name of the encoder.
    """

    at: tuple[float, float]
    mpp: FloatArray
    similarity: npt.NDArray[np.float32]
    views: npt.NDArray[np.uint8]
    own: npt.NDArray[np.float32]
    encoder: str = ""

    @property
    def best(self) -> int | None:
        """Which view is most its own, None until all are encoded."""
        return None if np.isnan(self.own).any() else int(self.own.argmax())

    @property
    def encoded(self) -> npt.NDArray[np.bool_]:
        """Which views are encoded: (s,)."""
        return np.isfinite(np.diagonal(self.similarity))


def scale_profile(
    slide: Slide,
    encoder: Encoder,
    at: tuple[float, float],
    *,
    count: int = 16,
    tile_px: int | None = None,
    finest: float | None = None,
    coarsest: float | None = None,
) -> ScaleProfile:
    """One point seen at many magnifications, from the finest to the slide's width.

    Every view is a tile of the encoder centred on the point, each at a coarser resolution by the
    same factor. Which view is *most its own*: the one that is less like the others than views so
    far apart usually are. With s(i, j) the cosine of views i and j, and m(d) its mean over all
    pairs that are d steps apart::

        own(i) = mean over j ≠ i of  m(|i - j|) - s(i, j)

    over those distances that more than one pair has. Views far apart on the axis are always less
    alike, and those at its ends are further from the others: without m they would win each time.
    The definition is ScaleScope's own.

    Parameters
    ----------
    slide : Slide
        Of known resolution.
    encoder : Encoder
    at : (x, y)
        Level-0 pixels.
    count : int
        How many magnifications, 3 or more.
    tile_px : int, optional
        Side of the views; default the encoder's own.
    finest, coarsest : float, optional
        µm per pixel; default the slide's own, and where its longer side fills a view.

    Returns
    -------
    ScaleProfile

    Raises
    ------
    ResolutionError, SlideError, EncoderError
        If the slide's resolution is unknown, a part of it cannot be read, or the encoder fails.
    ValueError
        If there are too few magnifications, or they do not rise.
    """
    steps = profile_steps(
        slide, encoder, at, count=count, tile_px=tile_px, finest=finest, coarsest=coarsest
    )
    *_, last = steps
    return last


def profile_steps(
    slide: Slide,
    encoder: Encoder,
    at: tuple[float, float],
    *,
    count: int = 16,
    tile_px: int | None = None,
    finest: float | None = None,
    coarsest: float | None = None,
) -> Iterator[ScaleProfile]:
    """The same, as far as it is after each view: for whoever watches.

    Views are encoded from the outermost inwards in turn, so that the whole range is there early:
    every other one first, then those between. The parameters are those of `scale_profile`.
    """
    slide.require_brightfield()
    native = slide.require_mpp()
    px = tile_px or encoder.entry.input_px
    mpp = profile_mpps(slide, px, count, finest, coarsest)
    at = (float(at[0]), float(at[1]))
    views = np.full((count, px, px, 3), 255, np.uint8)
    vectors = np.full((count, encoder.dim), np.nan, np.float32)
    for i in _from_rough_to_dense(count):
        views[i] = slide.read(Box.around(at, px * mpp[i] / native), size=(px, px))
        vectors[i] = encoder.encode(views[i : i + 1], keep=()).embedding[0]
        directions = unit(vectors)
        similarity = np.clip(directions @ directions.T, -1, 1).astype(np.float32)
        yield ScaleProfile(
            at, mpp, similarity, views.copy(), own_share(similarity), encoder.entry.name
        )


def profile_mpps(
    slide: Slide,
    px: int,
    count: int = 16,
    finest: float | None = None,
    coarsest: float | None = None,
) -> FloatArray:
    """The resolutions of a profile: see `scale_profile`."""
    native = slide.require_mpp()
    finest = native if finest is None else finest
    if coarsest is None:
        # A slide smaller than one view still has a range: to where it is an eighth of it.
        coarsest = max(max(slide.dimensions) * native / px, 8 * finest)
    if count < FEWEST or not 0 < finest < coarsest:
        raise ValueError(
            f"a profile has {FEWEST} or more magnifications that rise, "
            f"not {count} from {finest:g} to {coarsest:g} µm/px"
        )
    return np.asarray(np.geomspace(finest, coarsest, count), np.float64)


def own_share(similarity: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much each view is its own (s,), of the cosines (s, s) between views evenly spaced.

    See `scale_profile`; NaN where the cosines are not all known.
    """
    s = len(similarity)
    distance = np.abs(np.subtract.outer(np.arange(s), np.arange(s)))
    usual = np.array([np.diagonal(similarity, d).mean() for d in range(s)])
    counts = (distance > 0) & (distance < s - 1)
    less = np.where(counts, usual[distance] - similarity, 0.0)
    return np.asarray(less.sum(1) / counts.sum(1), np.float32)


def _from_rough_to_dense(count: int) -> list[int]:
    """Every view once: both ends and the middle first, then those between."""
    order, step = [count - 1], count
    while step > 1:
        step = -(-step // 2)
        order += [i for i in range(0, count, step) if i not in order]
    return order
