"""One place seen at many magnifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ...analysis import ScaleProfile, profile_steps
from ...encoders import Encoder
from ...errors import ScaleScopeError
from ...slides import Slide
from ...worker import NewestOnly
from ..asking.examples import Point
from .finding import Finding


class Library(Protocol):
    """Where slide and encoder come from: `Resources`, as far as this module knows it."""

    slide: Slide | None
    tile_px: int

    def require_encoder(self) -> Encoder:
        """The chosen encoder, loaded."""


class Profile(Finding[ScaleProfile]):
    """The scale profile of a place, view by view as they are encoded.

    It has a thread of its own: a view is one pass of the encoder, and the views of the camera
    come in between. Asked for another place, it leaves the first one unfinished.

    Parameters
    ----------
    library : Library
    say : callable
        Told in words what is being waited for, and nothing when it is over.
    failed : callable
        Given the error where something goes wrong.

    Attributes
    ----------
    place : (x, y) or None
        What was asked for last, level-0 pixels.
    """

    def __init__(
        self,
        library: Library,
        say: Callable[[str], None],
        failed: Callable[[ScaleScopeError], None],
    ) -> None:
        super().__init__()
        self.place: Point | None = None
        self._library, self._say, self._failed = library, say, failed
        self._thread = NewestOnly("scalescope-profile")
        self.wait = self._thread.wait

    @property
    def idle(self) -> bool:
        """Whether no profile is made now."""
        return self._thread.idle

    def ask(self, x: float, y: float) -> None:
        """Make the profile of a place (level-0 pixels), instead of one that is being made."""
        self.place = (float(x), float(y))
        self._thread.submit("profile", self._make)

    def stop(self) -> None:
        """Leave it unfinished."""
        self.place = None

    def forget(self) -> None:
        """Another slide or encoder: nothing is asked any more."""
        self.place = None
        super().forget()

    def close(self) -> None:
        """Stop for good."""
        self.place = None
        super().close()
        self._thread.close()

    def _make(self) -> None:
        generation, place, library = self.generation, self.place, self._library
        slide, px = library.slide, library.tile_px
        if slide is None or place is None:
            return
        try:
            encoder = library.require_encoder()
            self._say("")
            for part in profile_steps(slide, encoder, place, tile_px=px):
                if not self.keep(part, generation, lambda: self.place is place):
                    return
        except ScaleScopeError as error:
            if generation == self.generation:
                self._failed(error)
