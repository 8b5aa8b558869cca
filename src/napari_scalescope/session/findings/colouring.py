"""By what the points of the embedding map are coloured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...analysis import Projection, TileMap
from ...errors import ScaleScopeError
from ...worker import NewestOnly
from ..annotations import Annotations
from ..columns import TITLES, Column, Facts, column, titles
from ..look import Look
from ..overlays import Overlay
from ..scene import Place, Scene
from .finding import Finding
from .groups import Groups
from .overlay_map import OverlayMap
from .points import Points
from .questions import Questions

#: While one of these is shown, new clusters and new questions are shown by themselves.
FOLLOWING = ("clusters", "similarity", "plain")


@dataclass(frozen=True, eq=False)
class Coloured:
    """A column and the points it is of."""

    key: str
    column: Column
    projection: Projection


class Colouring(Finding[Coloured]):
    """One value for every point: the column somebody chose, made again when its facts change.

    Parameters
    ----------
    scene : callable
        What there is to paint an overlay from, None without a slide.
    look : callable
        How similarity is to be measured.
    thread : NewestOnly
        Where columns are made: similarities of a whole slide take a moment.
    points : Points
        Whose points they are.
    groups, questions, annotations, painted
        What they depend on.

    Attributes
    ----------
    key : str
        Which column, one of `titles`.
    maps : dict of str to TileMap
        Further maps that tiles can be coloured by; see `add`.
    """

    def __init__(
        self,
        scene: Callable[[Overlay], Place | None],
        look: Callable[[], Look],
        thread: NewestOnly,
        points: Points,
        groups: Groups,
        questions: Questions,
        annotations: Annotations,
        painted: OverlayMap,
    ) -> None:
        super().__init__()
        self.key = "plain"
        self.maps: dict[str, TileMap] = {}
        self._scene, self._look, self._thread = scene, look, thread
        self._points, self._groups, self._questions = points, groups, questions
        self._annotations, self._painted = annotations, painted
        points.changed.connect(self.refresh)
        annotations.changed.connect(self.refresh)
        painted.changed.connect(self._on_painted)
        groups.changed.connect(self._on_groups)
        questions.changed.connect(self._on_question)

    @property
    def titles(self) -> dict[str, str]:
        """Every column that can be chosen, by its key."""
        return titles(self.maps)

    def choose(self, key: str) -> None:
        """Colour by this column.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        if key not in self.titles:
            raise ValueError(f"a column is one of {', '.join(self.titles)}, not {key!r}")
        self.key = key
        self.refresh()

    def add(self, tile_map: TileMap) -> None:
        """Offer a map of the slide as a column under its name, and colour by it."""
        self.maps[tile_map.name] = tile_map
        self.choose(f"map:{tile_map.name}")

    def refresh(self) -> None:
        """Make the column for the present state, in the background."""
        self._thread.submit("colours", self._make)

    def forget(self) -> None:
        """Maps of another slide are of no use."""
        self.maps.clear()
        if self.key not in TITLES:
            self.key = "plain"
        super().forget()

    def _on_groups(self) -> None:
        if self.key in FOLLOWING and self._groups.found is not None:
            self.key = "clusters"
        self.refresh()

    def _on_question(self) -> None:
        if self.key in FOLLOWING and self._questions.found is not None:
            self.key = "similarity"
        self.refresh()

    def _on_painted(self) -> None:
        if self.key in ("overlay", "similarity"):
            self.refresh()

    def _make(self) -> None:
        generation, key, shown = self.generation, self.key, self._points.found
        if shown is None:
            return
        look = self._look()
        scene = self._scene(look.similarity)
        facts = Facts(
            scene if isinstance(scene, Scene) else None,
            self._painted.found,
            look.similarity,
            self._annotations.regions,
            dict(self.maps),
        )
        try:
            made = column(key, shown.sets, facts)
        except ScaleScopeError as error:
            made = Column.unknown(TITLES.get(key, key), len(shown.xy), str(error))
        self.keep(Coloured(key, made, shown), generation, lambda: key == self.key)
