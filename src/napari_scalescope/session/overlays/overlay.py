"""`Overlay`: what every one of them says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap
from ...embeddings.embedding_set import Part
from ...encoders import AttentionSource

if TYPE_CHECKING:
    from ..scene import Scene


class Overlay:
    """One kind of overlay with its options: frozen dataclasses are made of it.

    Attributes
    ----------
    title : str
        What the chooser calls it.
    waiting : str
        What to do while there is nothing to show, in words for the user.
    """

    title: ClassVar[str]
    waiting: ClassVar[str]

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it needs of each tile beside its vector."""
        return ()

    @property
    def source(self) -> AttentionSource | None:
        """What the attention it needs is made of, None for what the catalogue says."""
        return None

    def paint(self, scene: Scene) -> TileMap | None:
        """The map, None while there is nothing to show."""
        raise NotImplementedError
