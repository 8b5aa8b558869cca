"""`Overlay`: what every one of them says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ...analysis import TileMap
from ...embeddings.embedding_set import Part
from ...encoders import AttentionSource

if TYPE_CHECKING:
    from ..scene import Place, Scene


class Overlay:
    """One kind of overlay with its options: frozen dataclasses are made of it.

    Attributes
    ----------
    title : str
        What the chooser calls it.
    waiting : str
        What to do while there is nothing to show, in words for the user.
    of_encoder : bool
        Whether it shows what an encoder made of the tissue, so that `trust` has something to say.
    """

    title: ClassVar[str]
    waiting: ClassVar[str]
    of_encoder: ClassVar[bool] = True

    @property
    def parts(self) -> tuple[Part, ...]:
        """What it needs of each tile beside its vector."""
        return ()

    @property
    def source(self) -> AttentionSource | None:
        """What the attention it needs is made of, None for what the catalogue says."""
        return None

    def lay(self, place: Place | None) -> TileMap | None:
        """The map of a place, None while there is nothing to show: nothing encoded, mostly."""
        from ..scene import Scene

        return self.paint(place) if isinstance(place, Scene) else None

    def further(self, mpp: float, native: float) -> tuple[float, ...]:
        """Resolutions it needs besides the one that is shown, µm/px.

        They are encoded with it, and `Scene.others` holds what is encoded of them.

        Parameters
        ----------
        mpp : float
            The one that is shown.
        native : float
            The slide's own.
        """
        return ()

    def paint(self, scene: Scene) -> TileMap | None:
        """The map, None while there is nothing to show."""
        raise NotImplementedError
