"""Which tile each point is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...embeddings import EmbeddingSet
from ...geometry import IntArray
from ...session import Projection, Selection, Session
from ...session.columns import labels_of
from ...slides import Slide
from ..tile_reader import Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

Bools = npt.NDArray[np.bool_]


class Points:
    """The tiles behind the points of a projection: of one set, or of several in a row.

    Parameters
    ----------
    projection : Projection or None
    """

    def __init__(self, projection: Projection | None = None) -> None:
        self._method = "" if projection is None else projection.method
        self.sets: Sequence[EmbeddingSet] = () if projection is None else projection.sets
        self._starts = np.cumsum([0, *(len(emb) for emb in self.sets)])
        self._chosen: Selection | None = None

    def __len__(self) -> int:
        return int(self._starts[-1])

    def same_as(self, projection: Projection | None) -> bool:
        """Whether another projection is one of the same sets by the same method."""
        if projection is None or not self.sets:
            return False
        keys = [emb.key for emb in projection.sets]
        return projection.method == self._method and keys == [emb.key for emb in self.sets]

    @property
    def title(self) -> str:
        """Scales, slides and encoder, as short as it gets."""
        encoders, slides = (
            list(
                dict.fromkeys(str(emb.provenance.get(of, {}).get("name", "")) for emb in self.sets)
            )
            for of in ("encoder", "slide")
        )
        mpps = sorted({emb.grid.mpp for emb in self.sets})
        parts = [f"{' and '.join(f'{mpp:.3g}' for mpp in mpps)} µm/px"]
        if len(slides) > 1:
            parts.append(f"{len(slides)} slides")
        parts.append(" and ".join(encoders))  # last: it is what may be cut off
        return " · ".join(part for part in parts if part)

    def _place(self, point: int) -> tuple[EmbeddingSet, tuple[int, int]]:
        own = int(np.searchsorted(self._starts, point, side="right")) - 1
        row, col = (int(v) for v in self.sets[own].tiles[point - self._starts[own]])
        return self.sets[own], (row, col)

    def tile(self, point: int, slide: Slide | None) -> Tile | None:
        """The tile of a point, None where it is of a slide that is not open."""
        emb, at = self._place(point)
        if slide is None or not is_of(emb, slide):
            return None
        return Tile(slide, emb.grid.box(*at))

    def said(self, point: int) -> str:
        """Where a point's tile lies, in words."""
        emb, at = self._place(point)
        x, y = (v * emb.grid.slide_mpp / 1000 for v in emb.grid.box(*at).centre)
        line = f"{x:.2f}, {y:.2f} mm"
        if len({other.grid.mpp for other in self.sets}) > 1:
            line += f" · {emb.grid.mpp:.3g} µm/px"
        if len({other.provenance.get("slide", {}).get("name") for other in self.sets}) > 1:
            line += f" · {emb.provenance.get('slide', {}).get('name', '')}"
        return line

    def labels(self, session: Session) -> IntArray:
        """Cluster of each point, 0 for those in none."""
        clusters = session.groups.found
        if clusters is None or not self.sets:
            return np.zeros(len(self), np.int64)
        return np.concatenate([labels_of(clusters, emb) for emb in self.sets])

    # --- the selection, which the slide shares ---

    def choose(self, mask: Bools, session: Session) -> None:
        """Select the tiles of some points on the slide: those at one resolution.

        At the one that is shown if it has any of them, else where most are.
        """
        own = [
            (emb, mask[start : start + len(emb)])
            for emb, start in zip(self.sets, self._starts[:-1], strict=True)
            if session.slide is None or is_of(emb, session.slide)
        ]
        if not own:
            return
        emb, part = max(
            own, key=lambda pair: (pair[1].any() and pair[0].grid.mpp == session.mpp, pair[1].sum())
        )
        session.selection.choose(emb.tiles[part], emb.grid.mpp)
        self._chosen = session.selection.found

    def selected(self, session: Session, before: Bools) -> Bools:
        """The points whose tiles are selected now, given those that were ``before``."""
        chosen = session.selection.found
        if chosen is not None and chosen is self._chosen and len(before) == len(self):
            return before  # that was us, and there may be points of other resolutions among them
        mask = np.zeros(len(self), bool)
        if chosen is None:
            return mask
        for emb, start in zip(self.sets, self._starts[:-1], strict=True):
            here = session.slide is None or is_of(emb, session.slide)
            if here and emb.grid.mpp == chosen.mpp:
                index = emb.index_of(chosen.tiles)
                mask[start + index[index >= 0]] = True
        return mask


def is_of(emb: EmbeddingSet, slide: Slide | None) -> bool:
    """Whether a set is of a slide."""
    known = emb.provenance.get("slide", {}).get("fingerprint")
    return slide is not None and (known is None or known == slide.fingerprint)
