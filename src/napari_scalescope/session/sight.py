"""`Sight`: what a session looks at, and at which scale."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from psygnal import Signal

from ..analysis import TileMap
from ..errors import SlideError
from ..slides import Slide
from .scales import shown_mpp, wanted_mpps
from .seen import SCREEN_PX, Seen, aimed, picture
from .state import FOLLOW, Scale, View
from .viewing import ViewingRecord


class Sight(ABC):
    """The part of a session that is steered: by a camera, by a script, by an agent.

    It knows the slide and what of it is looked at, and neither encoders nor overlays.

    Attributes
    ----------
    on_screen : View or None
        What is looked at now.
    scale : "follow" or tuple of float
        What to encode at, as it was chosen.
    cursor : (x, y) or None
        Where the mouse is, level-0 pixels.
    record : ViewingRecord
        Where was looked and for how long, if that is switched on.
    """

    view_changed = Signal()
    """Something else is looked at, or at another scale."""
    look_asked = Signal(object)
    """(View): a script looks at this. Whoever has a camera moves it there."""

    def __init__(self) -> None:
        self.on_screen: View | None = None
        self.scale: Scale = FOLLOW
        self.cursor: tuple[float, float] | None = None
        self.record = ViewingRecord()

    @property
    @abstractmethod
    def slide(self) -> Slide | None:
        """The slide that is worked on."""

    @abstractmethod
    def _moved(self, rescaled: bool) -> None:
        """Something else is looked at; ``rescaled``: at another scale than before."""

    @abstractmethod
    def _painted(self, overlays: Iterable[str] | None) -> dict[str, TileMap]:
        """Overlays by name as they are now (None: the one shown), those there are."""

    # --- scale ---

    def choose_scale(self, scale: Scale) -> None:
        """Encode at these resolutions (µm/px), or at the one the screen shows ("follow").

        Those much finer than the slide itself (`scales.FINEST`) are brought up to it.
        """
        if scale != FOLLOW and not (scale and all(m > 0 for m in scale)):
            raise ValueError(f'a scale is "follow" or some µm/px above 0, not {scale!r}')
        self.scale = scale
        if scale != FOLLOW:
            self.scale = self.mpps
        self._moved(rescaled=True)

    @property
    def mpps(self) -> tuple[float, ...]:
        """The resolutions to encode at now, µm/px. Empty while that cannot be said."""
        native = None if self.slide is None else self.slide.mpp
        return wanted_mpps(self.scale, native, self.on_screen)

    @property
    def mpp(self) -> float | None:
        """The one of them whose maps are shown."""
        return shown_mpp(self.mpps, self.on_screen)

    # --- looking ---

    def set_view(self, view: View) -> None:
        """The screen shows this now."""
        if view == self.on_screen:
            return
        before = self.mpp
        self.on_screen = view
        self.record.look(self.slide, view)
        self._moved(rescaled=self.mpp != before)

    def set_cursor(self, x: float, y: float) -> None:
        """The mouse is here (level-0 pixels): what is not encoded yet is encoded from here on."""
        self.cursor = (x, y)
        self.record.stir()

    def look_at(
        self,
        x: float | None = None,
        y: float | None = None,
        mpp: float | None = None,
        size: tuple[int, int] = SCREEN_PX,
    ) -> View:
        """Look at a place of the slide; with a window, its camera goes there.

        Parameters
        ----------
        x, y : float, optional
            The centre, level-0 pixels. Default: the slide's.
        mpp : float, optional
            µm per screen pixel. Default: all of the slide.
        size : (int, int)
            Width and height of the picture in pixels.

        Returns
        -------
        View
            What is really looked at: always inside the slide, and no finer than half of its own
            µm per pixel, no coarser than shows all of it.

        Raises
        ------
        SlideError
            If there is no slide, or its resolution is unknown.
        ValueError
            If a number makes no sense.
        """
        view = aimed(self._require_slide(), x, y, mpp, size)
        self.set_view(view)
        self.look_asked.emit(view)
        return view

    def view(self, overlays: Iterable[str] | None = None) -> Seen:
        """What is looked at, as pixels and numbers: the same with and without a window.

        It is read here and now, and takes as long as that takes. Overlays show what is encoded
        so far: `Session.wait` first where all of it matters.

        Parameters
        ----------
        overlays : iterable of str, optional
            Which overlays (`OVERLAYS`) to give the values of. Default: the one that is shown.

        Raises
        ------
        SlideError
            If there is no slide, or it cannot be read here.
        ValueError
            If there is no such overlay.
        """
        slide = self._require_slide()
        if self.on_screen is None:
            self.look_at()
        shown = self.on_screen
        assert shown is not None
        pixels, mpp = picture(slide, shown)
        maps = {name: made.cropped(shown.box) for name, made in self._painted(overlays).items()}
        return Seen(pixels, shown.box, mpp, {k: m for k, m in maps.items() if m is not None})

    def _require_slide(self) -> Slide:
        if self.slide is None:
            raise SlideError("No slide is open.", "Open one: session.open(path).")
        return self.slide
