"""What stands between a picture of the model and the truth, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..encoders import Encoder, Entry
from ..geometry import TileGrid
from ..slides import Slide

#: Further from every resolution it was trained at than this factor, an encoder is out of range.
OFF_SCALE = 1.5
#: Vectors further from those in float32 are a reason for caution.
COSINE = 0.999


@dataclass(frozen=True)
class Remark:
    """One thing to know about a map.

    Parameters
    ----------
    text : str
    doubtful : bool
        Whether it is a reason for caution rather than for the record.
    """

    text: str
    doubtful: bool = False


def trust(
    slide: Slide,
    entry: Entry,
    encoder: Encoder | None,
    mpp: float,
    tile_px: int | None = None,
    cosine: float | None = None,
    overlap: float = 0.0,
    also: Sequence[float] = (),
) -> list[Remark]:
    """How far a map of this slide, by this encoder, at this resolution can be believed.

    ``cosine`` is the smallest of its vectors with those in float32, where that was measured,
    ``overlap`` the share of their side that neighbouring tiles have in common, and ``also`` are
    further resolutions that the map is made of.
    """
    tile_px = tile_px or entry.input_px
    return [
        *_training(entry, mpp),
        *_out_of_range(entry, also),
        _resampling(slide, mpp),
        *_resolution(slide),
        *_numbers(entry, encoder, mpp, slide, tile_px, cosine, overlap),
    ]


def _training(entry: Entry, mpp: float) -> list[Remark]:
    if not entry.trained:
        return [Remark("Untrained: random weights, the maps say nothing about tissue", True)]
    if entry.trained_on == "photographs":
        return [Remark("Trained on photographs, not on tissue", True)]
    if not entry.native_mpp:
        return [Remark(f"Seen at {mpp:.3g} µm/px; its makers do not say at which it was trained")]
    nearest = min(entry.native_mpp, key=lambda m: max(m / mpp, mpp / m))
    factor = max(nearest / mpp, mpp / nearest)
    text = f"Seen at {mpp:.3g} µm/px, trained at {entry.native_text}"
    if factor > OFF_SCALE:
        side = "coarser" if mpp > nearest else "finer"
        return [Remark(f"{text}: {factor:.2g}× {side} than it knows", True)]
    return [Remark(text)]


def _out_of_range(entry: Entry, also: Sequence[float]) -> list[Remark]:
    """Doubts about further resolutions. Whoever was never trained has been told of already."""
    if not entry.trained or entry.trained_on == "photographs":
        return []
    return [r for mpp in also for r in _training(entry, mpp) if r.doubtful]


def _resampling(slide: Slide, mpp: float) -> Remark:
    native = slide.require_mpp()
    if mpp < native / 1.02:
        return Remark(
            f"Enlarged {native / mpp:.2g}×: the slide has {native:.3g} µm/px at best", True
        )
    level = slide.level_for(mpp / native)
    stored = native * slide.levels[level].downsample
    if abs(mpp / stored - 1) < 0.01:
        return Remark(f"Read from level {level} ({stored:.4g} µm/px)")
    return Remark(f"Read from level {level} ({stored:.3g} µm/px), reduced {mpp / stored:.3g}×")


def _resolution(slide: Slide) -> list[Remark]:
    found = [Remark(w, True) for w in slide.resolution.warnings]
    if slide.mpp_source == "set by the user":
        found.append(Remark("Slide resolution set by hand"))
    return found


def _numbers(
    entry: Entry,
    encoder: Encoder | None,
    mpp: float,
    slide: Slide,
    tile_px: int,
    cosine: float | None,
    overlap: float,
) -> list[Remark]:
    side = TileGrid.cover(slide, mpp, tile_px).tile_um
    over = f", {overlap:.0%} of it shared with each neighbour" if overlap else ""
    found = [Remark(f"Tile {tile_px} px = {side:.0f} µm{over}, edges padded with white")]
    if tile_px not in (entry.input_px, *entry.other_px):
        found.append(Remark(f"Made for tiles of {entry.input_px} px, not of {tile_px} px", True))
    if encoder is not None:
        found.append(
            Remark(f"{encoder.precision} on {encoder.device}, weights {encoder.weights_sha256[:8]}")
        )
    if cosine is not None:
        # Rounded down, so that 0.9989 is not shown as the 0.999 it misses.
        shown = f"cosine to float32 {math.floor(cosine * 1e5) / 1e5:.5f}"
        found.append(Remark(shown, cosine < COSINE))
    return found
