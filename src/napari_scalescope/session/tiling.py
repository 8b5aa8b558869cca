"""`Tiling`: how a session's slide is cut into tiles."""

from __future__ import annotations

from collections.abc import Callable

from .resources import Resources

#: How much of their side neighbouring tiles may share. At a half every place is seen in the
#: middle of some tile, for four times as many tiles.
OVERLAPS = (0.0, 0.5)


class Tiling:
    """Size and overlap of the tiles the encoder is given.

    Parameters
    ----------
    resources : Resources
        Where they are cut.
    before, after : callable
        Called around a change: nothing that was encoded is of such tiles.
    """

    def __init__(
        self, resources: Resources, before: Callable[[], object], after: Callable[[], object]
    ) -> None:
        self._resources, self._before, self._after = resources, before, after

    @property
    def tile_px(self) -> int:
        """Side of a tile, pixels."""
        return self._resources.tile_px

    @property
    def overlap(self) -> float:
        """Share of their side that neighbours have in common."""
        return self._resources.overlap

    def choose(self, *, tile_px: int | None = None, overlap: float | None = None) -> None:
        """Cut tiles like this from now on; None leaves a thing as it is.

        Parameters
        ----------
        tile_px : int, optional
            `Entry.tile_sizes` are sensible ones. Another encoder gets its own.
        overlap : float, optional
            0 to 0.75; `OVERLAPS` are offered. It stays with another encoder.

        Raises
        ------
        ValueError
            If the size is no whole number of patches, or the overlap out of range.
        """
        patch_px = self._resources.entry.patch_px
        tile_px = self.tile_px if tile_px is None else tile_px
        overlap = self.overlap if overlap is None else overlap
        if tile_px % patch_px or tile_px < patch_px:
            raise ValueError(f"{tile_px} px are no whole patches of {patch_px} px")
        if not 0 <= overlap <= 0.75:
            raise ValueError(f"tiles overlap by 0 to 0.75 of their side, not {overlap}")
        if (tile_px, overlap) != (self.tile_px, self.overlap):
            self._before()
            self._resources.choose_tiles(tile_px, overlap)
            self._after()
