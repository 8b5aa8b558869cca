"""One session per viewer, and the wires between it, the layers and the camera."""

from __future__ import annotations

import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QWidget

from ..analysis import Hit
from ..regions import Regions
from ..session import Session, View
from ..slides import Slide
from .layers import REGIONS, Layers, SlideKeeper, slide_layer, slide_of
from .main_thread import MainThread
from .preferences import read_settings
from .viewport import Viewport

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

_coordinators: weakref.WeakKeyDictionary[Any, Coordinator] = weakref.WeakKeyDictionary()


class Coordinator(QObject):
    """What the docks of one viewer share.

    Docks ask for it with `of` and keep it; they talk to ``session`` and never to each other. It
    lives as long as the viewer has a slide or a dock of ours.

    Attributes
    ----------
    session : Session
    layers : Layers
    viewport : Viewport
    main : MainThread
        Where docks connect to the session's signals.
    """

    failed = Signal(str)
    """(text): something could not be done, in words for the user."""
    said = Signal(str)
    """(text): what was done with regions."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        settings = read_settings()
        self.viewer = viewer
        self.session = Session(settings)
        self.layers = Layers(viewer)
        self._keeper = SlideKeeper.of(viewer)
        self.viewport = Viewport(viewer, settings.debounce_ms)
        self.main = MainThread()
        self._application: Any = QGuiApplication.instance()
        self._docks: list[QWidget] = []
        self._wanted_live = True
        self._connect()
        for layer in viewer.layers:
            self._adopt(layer)

    @classmethod
    def of(cls, viewer: Any) -> Coordinator:
        """The coordinator of a viewer, made when it is first asked for."""
        # Plugins are given a proxy of the viewer; the model behind it is the same for all.
        model = getattr(viewer, "__wrapped__", viewer)
        found = _coordinators.get(model)
        if found is None:
            found = _coordinators[model] = cls(model)
        return found

    # --- docks ---

    def join(self, dock: QWidget) -> None:
        """A dock is there. When the last one is closed the session ends."""
        self._docks.append(dock)
        dock.installEventFilter(self)
        dock.destroyed.connect(partial(self._leave, dock))

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Notice that a dock was closed: napari then takes its widget out and forgets it."""
        if (
            event.type() == QEvent.Type.ParentChange
            and watched in self._docks
            and watched.parent() is None
        ):
            self._leave(watched)
            watched.deleteLater()
        return False

    def _leave(self, dock: QWidget) -> None:
        if dock in self._docks:
            self._docks.remove(dock)
            self.main.forget(dock)
            if not self._docks:
                self.close()

    def close(self) -> None:
        """End the session. Slides stay as layers and stay sharp."""
        if _coordinators.get(self.viewer) is not self:
            return
        del _coordinators[self.viewer]
        self.viewer.layers.events.inserted.disconnect(self._on_inserted)
        self.viewer.layers.events.removed.disconnect(self._on_removed)
        for callbacks, ours in self._mouse():
            if ours in callbacks:
                callbacks.remove(ours)
        self._application.applicationStateChanged.disconnect(self._on_application)
        self.main.close()
        self.viewport.close()
        self.session.close()

    # --- slides ---

    def add_slide(self, slide: Slide) -> None:
        """Show a slide and work on it."""
        data, options, _ = slide_layer(slide, self.session.settings.cache_mb)
        self.viewer.add_image(data, **options)

    @property
    def sharp(self) -> bool:
        """Whether everything on the screen has its own pixels, nothing a blurred stand-in."""
        return self._keeper.sharp

    def set_slide_mpp(self, mpp: float | None) -> None:
        """Override the resolution of the slide, None for the file's; its layers are placed anew."""
        slide = self.session.slide
        if slide is None:
            return
        self.session.set_slide_mpp(mpp)
        self.layers.rescale()
        self.viewport.follow(slide)
        self.viewport.show(slide.box, 0.95)
        self.session.set_live(self._wanted_live)

    def _adopt(self, layer: Layer) -> None:
        slide = slide_of(layer)
        if slide is None or slide is self.session.slide:
            return
        self._work_on(slide)
        if self._wanted_live and slide.mpp is not None:
            self.session.set_live(True)

    def _work_on(self, slide: Slide | None) -> None:
        self.layers.follow(slide)
        self.session.set_slide(slide)
        self.viewport.follow(slide)

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _on_removed(self, event: Any) -> None:
        slide = slide_of(event.value)
        if slide is None or slide is not self.session.slide:
            return
        rest = [s for other in self.viewer.layers if (s := slide_of(other)) is not None]
        if slide not in rest:
            self._work_on(rest[-1] if rest else None)

    # --- wires ---

    def _connect(self) -> None:
        session, main = self.session, self.main
        self.viewer.layers.events.inserted.connect(self._on_inserted)
        self.viewer.layers.events.removed.connect(self._on_removed)
        for callbacks, ours in self._mouse():
            callbacks.append(ours)
        self.viewport.changed.connect(session.set_view)
        self.viewport.pointed.connect(session.set_cursor)
        self._application.applicationStateChanged.connect(self._on_application)
        main.on(session.look_asked, self._on_look_asked)
        main.on(session.map.changed, lambda: self.layers.show_map(session.map.found))
        main.on(session.questions.changed, self._show_examples)
        main.on(session.questions.hit_found, self.fly_to)
        main.on(session.questions.outlined, self._on_outlined)
        main.on(session.selection.changed, self._show_selection)
        main.on(session.failed, lambda error: self.failed.emit(str(error)))

    def _on_look_asked(self, view: View) -> None:
        self.viewport.lead(view)
        self.session.set_view(view)  # the camera may have been reported before it went there

    def _show_examples(self, hit: Hit | None = None) -> None:
        place = None if hit is None else hit.box.centre
        self.layers.show_examples(self.session.questions.asked, place)

    def fly_to(self, hit: Hit) -> None:
        """Look at an answer, as near as before unless its tile would fill the screen or vanish."""
        session, (x, y) = self.session, hit.box.centre
        unit = (session.slide.mpp if session.slide is not None else None) or 1.0
        tile_um = hit.box.w * unit
        mpp = session.on_screen.mpp if session.on_screen is not None else tile_um / 100
        h, w = self.viewer.canvas.size
        session.look_at(x, y, min(max(mpp, tile_um / (0.4 * min(h, w))), tile_um / 24), (w, h))
        self._show_examples(hit)

    def _on_outlined(self, regions: Regions, area_mm2: float) -> None:
        self.layers.add_regions(regions)
        self.said.emit(
            f"{len(regions):,} regions, {area_mm2:.3g} mm², added to {REGIONS}."
            if len(regions)
            else "Nothing reaches the threshold."
        )

    def _on_application(self, state: Qt.ApplicationState) -> None:
        self.session.record.attend(state == Qt.ApplicationState.ApplicationActive)

    def _show_selection(self) -> None:
        chosen = self.session.selection.found
        emb = None if chosen is None else self.session.embeddings(chosen.mpp)
        self.layers.show_selection(emb, [] if chosen is None else chosen.tiles)

    def set_wanted_live(self, live: bool) -> None:
        """The user switched live encoding on or off; slides opened later start like that."""
        self._wanted_live = live
        self.session.set_live(live)

    # --- mouse ---

    def _mouse(self) -> list[tuple[list[Any], Any]]:
        return [(self.viewer.mouse_drag_callbacks, self._on_press)]

    def _on_press(self, _viewer: Any, event: Any) -> Any:
        """A click that is no drag asks: what looks like this? Shift: this too; Alt: not this.

        napari draws a box to zoom into while Alt is held and dragged, and zooms at a double click;
        both are drags or second clicks, and ask nothing.
        """
        yield
        dragged = False
        while event.type == "mouse_move":
            dragged = True
            yield
        held = tuple(str(getattr(m, "name", m)) for m in event.modifiers)
        verb = {(): "ask", ("Shift",): "also_here", ("Alt",): "unlike_here"}.get(held)
        if not dragged and event.button == 1 and verb is not None and self._is_question():
            unit = (self.session.slide.mpp if self.session.slide else None) or 1.0
            y, x = (float(v) / unit for v in event.position[-2:])
            getattr(self.session.questions, verb)(x, y)

    def _is_question(self) -> bool:
        """Whether a click means the tissue rather than a shape that is being drawn."""
        active = self.viewer.layers.selection.active
        if self.session.slide is None or not self.session.live:
            return False
        return active is None or str(getattr(active, "mode", "pan_zoom")) == "pan_zoom"
