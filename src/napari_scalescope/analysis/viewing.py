"""Where somebody looked, as a map, and how that goes with another map.

A viewing record is a list of visits: which part of which slide stood on the screen, at which
magnification, and for how long. (The idea is the session recorder of Pathology-CoT.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import Box, FloatArray, Placement
from ..slides import Slide
from .tile_map import TileMap, spread

#: Cells along the longer side of a slide, unless a size is asked for.
CELLS = 128
#: Visits are laid down so many at a time, which bounds the memory.
AT_ONCE = 1024

Band = tuple[float, float]


@dataclass(frozen=True)
class Visit:
    """One view that was looked at without a break.

    Parameters
    ----------
    start : float
        When it began, seconds since 1970-01-01 UTC.
    seconds : float
        How long it was looked at.
    box : Box
        The part of the slide that was shown, level-0 pixels.
    mpp : float
        µm per screen pixel.
    slide : str
        The slide's name.
    fingerprint : str
        The slide's content, as `Slide.fingerprint`.
    """

    start: float
    seconds: float
    box: Box
    mpp: float
    slide: str
    fingerprint: str


def chosen_visits(
    visits: Iterable[Visit], fingerprint: str, mpps: Band | None = None
) -> list[Visit]:
    """Those on one slide, and at ``mpps[0] <= mpp < mpps[1]`` where a band is given."""
    low, high = mpps or (0.0, np.inf)
    return [v for v in visits if v.fingerprint == fingerprint and low <= v.mpp < high]


def dwell(
    visits: Sequence[Visit], placement: Placement, shape: tuple[int, int], within: Box
) -> FloatArray:
    """Seconds spent on each cell of a raster.

    The seconds of a visit are shared evenly over what it showed of the slide: where on the
    screen somebody looked is not known. So the cells of a raster that covers the slide add up
    to the seconds of all visits.

    Parameters
    ----------
    visits : sequence of Visit
        Of one slide.
    placement : Placement
        Where the raster lies.
    shape : (int, int)
        Its rows and columns.
    within : Box
        The slide, level-0 pixels: nothing was looked at beyond it.

    Returns
    -------
    (rows, cols) float64
    """
    seconds = np.zeros(shape)
    shown = [(box, v.seconds) for v in visits if (box := v.box.intersection(within)) is not None]
    for i in range(0, len(shown), AT_ONCE):
        boxes, time = zip(*shown[i : i + AT_ONCE], strict=True)
        x, y, w, h = np.array(boxes, np.float64).T
        # A box covers a cell by a product of two lengths: all visits are a product of matrices.
        down = _covered(y, h, placement.y, placement.cell, shape[0])
        across = _covered(x, w, placement.x, placement.cell, shape[1])
        seconds += (down * np.array(time)[:, None]).T @ across
    return seconds


def _covered(
    start: FloatArray, extent: FloatArray, origin: float, cell: float, n: int
) -> FloatArray:
    """Which share (visits, n) of each interval lies in each of n cells along one axis."""
    edges = origin + np.arange(n + 1) * cell
    low = np.maximum(start[:, None], edges[:-1])
    high = np.minimum((start + extent)[:, None], edges[1:])
    share: FloatArray = np.maximum(high - low, 0.0) / extent[:, None]
    return share


def viewing_map(
    visits: Iterable[Visit],
    slide: Slide,
    cell_um: float | None = None,
    *,
    mpps: Band | None = None,
) -> TileMap:
    """How long each place of a slide was looked at.

    Parameters
    ----------
    visits : iterable of Visit
        As `Session.record` holds them or `read_viewing` reads them; those of other slides are
        left out.
    slide : Slide
        Of known resolution.
    cell_um : float, optional
        Side of a cell in µm. Default: the longer side of the slide has 128 cells.
    mpps : (float, float), optional
        Count only what was looked at from the first up to the second of these µm per screen
        pixel.

    Returns
    -------
    TileMap
        Scores: seconds per cell (`dwell`), NaN where nothing was looked at.

    Raises
    ------
    LookupError
        If nothing was looked at on this slide, in this band.
    ResolutionError
        If the slide's resolution is unknown.
    """
    native, (w, h) = slide.require_mpp(), slide.dimensions
    counted = chosen_visits(visits, slide.fingerprint, mpps)
    if not counted:
        raise LookupError(f"nothing was looked at on {slide.name}")
    cell = max(w, h) / CELLS if cell_um is None else cell_um / native
    placement = Placement(0.0, 0.0, cell)
    shape = (int(np.ceil(h / cell)), int(np.ceil(w / cell)))
    seconds = dwell(counted, placement, shape, slide.box)
    values = np.where(seconds > 0, seconds, np.nan).astype(np.float32)
    band = "" if mpps is None else f" at {_words(mpps)}"
    total = sum(v.seconds for v in counted)
    return TileMap(
        "Viewing time",
        values,
        placement,
        "score",
        unit="s",
        limits=(0.0, spread(values)[1]),
        colormap="viridis",
        legend=(
            f"Seconds on each cell of {cell * native:.3g} µm: {_time(total)} in {len(counted)} "
            f"view{'' if len(counted) == 1 else 's'}{band}, each shared evenly over what it "
            "showed. Colours end at the 99th percentile."
        ),
        mpp=native,
    )


@dataclass(frozen=True)
class ViewingAgreement:
    """How viewing time goes with a map, over the cells where the map is known.

    Parameters
    ----------
    rank : float
        Spearman's rank correlation of seconds with the map, -1 to 1; ties share their mean rank.
        NaN where one of them is the same everywhere.
    saliency : float
        Normalised scanpath saliency: the mean of the map, in its standard deviations above its
        mean, over where time was spent. 0 is what looking everywhere alike gives.
    cells : int
    seconds : float
        Time that was spent on these cells.
    """

    rank: float
    saliency: float
    cells: int
    seconds: float


def viewing_agreement(
    visits: Iterable[Visit], scores: TileMap, slide: Slide, *, mpps: Band | None = None
) -> ViewingAgreement:
    """Did somebody look where a map is high?

    The seconds are laid on the map's own cells (`dwell`). With seconds t and the map's values s,
    over the n cells where s is known::

        rank     = Spearman's correlation of t and s
        saliency = sum(t z) / sum(t),  z = (s - mean(s)) / sd(s)

    Spearman 1904 (Am J Psychol 15:72); normalised scanpath saliency: Peters et al. 2005 (Vision
    Research 45:2397), whose fixations are single points; here each weighs as many seconds as it
    lasted. Neighbouring cells are alike, so n says nothing of significance. Where only what came
    into view was encoded, every cell was looked at, and both numbers tell of that part alone.

    Parameters
    ----------
    visits : iterable of Visit
    scores : TileMap
        Of scores: attention, or any other.
    slide : Slide
    mpps : (float, float), optional
        As for `viewing_map`.

    Raises
    ------
    LookupError
        If no time was spent where the map is known.
    ValueError
        If the map is not one of scores.
    """
    if scores.kind != "score":
        raise ValueError(f"viewing time is compared with scores, not with {scores.name}")
    counted = chosen_visits(visits, slide.fingerprint, mpps)
    rows, cols = scores.values.shape
    seconds = dwell(counted, scores.placement, (rows, cols), slide.box)
    known = np.isfinite(scores.values)
    t, s = seconds[known], scores.values[known].astype(np.float64)
    if not t.sum() > 0:
        raise LookupError(f"no time was spent where {scores.name} is known")
    sd = s.std()
    even = np.ptp(t) <= 1e-9 * t.max() or not sd > 0
    return ViewingAgreement(
        rank=float("nan") if even else _spearman(t, s),
        saliency=float((t * (s - s.mean())).sum() / t.sum() / sd) if sd > 0 else float("nan"),
        cells=int(known.sum()),
        seconds=float(t.sum()),
    )


def _spearman(a: FloatArray, b: FloatArray) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _words(mpps: Band) -> str:
    low, high = mpps
    if not low > 0:
        return f"less than {high:g} µm/px"
    return f"{low:g} µm/px and more" if np.isinf(high) else f"{low:g} to {high:g} µm/px"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m:02d} min" if hours else f"{m} min {s:02d} s"
