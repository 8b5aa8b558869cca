"""The Explorer dock: one slide, one encoder, what it sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from ..errors import ScaleScopeError
from ..session import trust
from ..session.scales import FINEST
from .asking import Asking, similarity_of
from .coordinator import Coordinator
from .encoder_chooser import EncoderChooser
from .encoding_panel import EncodingPanel
from .overlays import OverlayPanel
from .overlays.viewing import ViewingOptions
from .parts import Words
from .recording_sign import RecordingSign
from .regions_panel import RegionsPanel
from .slide_card import SlideCard

if TYPE_CHECKING:
    from napari.viewer import Viewer


class Explorer(QScrollArea):
    """The dock people start with.

    Parts of it say what the user asked for; the session does it; this class redraws from the
    session's state.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setMinimumWidth(300)
        self._hub = Coordinator.of(napari_viewer)
        self._hub.join(self)
        session = self._hub.session
        self.slide_card = SlideCard()
        self.encoder_chooser = EncoderChooser(session.settings.encoder_folder)
        self.encoding = EncodingPanel()
        self.overlay = OverlayPanel()
        self.regions = RegionsPanel()
        self.error = Words()
        # Beside what scrolls: it is to be seen wherever somebody is in the dock.
        self.recording = RecordingSign()
        self.recording.setParent(self)
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(8, 8, 8, 8)
        for part in (
            self.slide_card,
            self.encoder_chooser,
            self.encoding,
            self.error,
            self.overlay,
            self.regions,
        ):
            layout.addWidget(part)
        layout.addStretch(1)
        self.setWidget(body)
        self.error.say("")
        self.overlay.show_opacity(self._hub.layers.opacity)
        self._connect()
        options, look_for = similarity_of(self.overlay.options), self.overlay.look_for
        self._asking = Asking(self._hub, options, look_for, self.regions.say, self)
        self._bind_keys(napari_viewer)
        for show in (self._show_slide, self._show_encoder, self._show_look, self._show_map):
            show()
        self._show_record()
        self.encoding.show_live(session.live)
        self._show_status()

    # --- wires ---

    def _connect(self) -> None:
        hub, session = self._hub, self._hub.session
        self.slide_card.mpp_set.connect(self._on_mpp_set)
        self.encoder_chooser.chosen.connect(session.choose_encoder)
        self.encoder_chooser.download_requested.connect(session.downloads.start)
        self.encoder_chooser.stop_requested.connect(session.downloads.stop)
        self.encoding.scale_chosen.connect(session.choose_scale)
        self.encoding.tiles_chosen.connect(lambda how: session.tiling.choose(**how))
        self.encoding.live_toggled.connect(hub.set_wanted_live)
        self.encoding.slide_requested.connect(session.encode_slide)
        self.encoding.stop_requested.connect(session.stop)
        self.overlay.overlay_chosen.connect(lambda key, options: session.show(key, **options))
        self.overlay.options["mil"].file_chosen.connect(session.mil.choose)
        self.overlay.opacity_changed.connect(hub.layers.set_opacity)
        self.regions.draw_requested.connect(self._on_draw)
        self.regions.select_requested.connect(self._on_select)
        self.regions.export_requested.connect(self._on_export)
        self._viewing.record_toggled.connect(session.record.switch)
        self._viewing.export_requested.connect(self._on_viewing_export)
        self.recording.stop_requested.connect(lambda: session.record.switch(False))
        self.recording.due.connect(self._on_second)
        hub.main.on(session.record.changed, self._show_record, self)
        hub.failed.connect(self._show_error)
        hub.main.on(session.slide_changed, self._show_slide, self)
        hub.main.on(session.encoder_changed, self._show_encoder, self)
        hub.main.on(session.downloads.changed, self.encoder_chooser.show_download, self)
        hub.main.on(session.view_changed, self._show_scale, self)
        hub.main.on(session.look_changed, self._show_look, self)
        hub.main.on(session.live_changed, lambda live: self.encoding.show_live(live), self)
        hub.main.on(session.map.changed, self._show_map, self)
        hub.main.on(session.mil.changed, self._show_look, self)
        hub.main.on(session.status_changed, lambda _status: self._show_status(), self)

    def _bind_keys(self, viewer: Any) -> None:
        # napari ignores keybindings of manifests, and its own are per layer type: shortcuts of
        # this dock work wherever the focus is in the window.
        session = self._hub.session
        for key, act in (
            ("E", session.encode_view),
            ("[", lambda: self._step_scale(0.5)),
            ("]", lambda: self._step_scale(2.0)),
            *self._asking.keys,
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(act)

    # --- what the user asked for ---

    def _on_mpp_set(self, mpp: float | None) -> None:
        self._hub.set_slide_mpp(mpp)

    def _on_draw(self) -> None:
        layer = self._hub.layers.regions_layer()
        if layer is None:
            self.regions.say("Open a slide first.")
            return
        self._hub.viewer.layers.selection.active = layer
        layer.mode = "add_polygon_lasso"
        self.regions.say("Hold the mouse and draw. Press Esc or click the slide layer to end.")

    def _on_select(self) -> None:
        import shapely

        regions = self._hub.layers.regions()
        if not len(regions):
            self.regions.say("Draw a region first.")
            return
        session = self._hub.session
        session.select_region(shapely.union_all([r.geometry for r in regions]))
        count = len(session.selection.found or ())
        self.regions.say(f"{count} tiles selected.")

    def _on_export(self, path: Path) -> None:
        session = self._hub.session
        session.annotations.set(self._hub.layers.regions())
        try:
            count = session.annotations.export(path)
        except ScaleScopeError as error:
            self._show_error(str(error))
            return
        self.regions.say(f"{count} region{'' if count == 1 else 's'} written to {path.name}.")

    def _on_viewing_export(self, path: Path) -> None:
        try:
            count = self._hub.session.record.export(path)
        except ScaleScopeError as error:
            self._show_error(str(error))
            return
        self._viewing.say(f"{count} view{'' if count == 1 else 's'} written to {path.name}.")

    def _on_second(self) -> None:
        self._show_record()
        if self._hub.session.look.overlay == "viewing":
            self._hub.session.map.refresh()

    @property
    def _viewing(self) -> ViewingOptions:
        options = self.overlay.options["viewing"]
        assert isinstance(options, ViewingOptions)
        return options

    def _step_scale(self, factor: float) -> None:
        session = self._hub.session
        slide, mpp = session.slide, session.mpp
        if slide is None or slide.mpp is None or mpp is None:
            return
        finest = FINEST * slide.mpp
        # Above it all of the slide is in one tile.
        coarsest = max(slide.dimensions) * slide.mpp / session.tile_px
        wanted = mpp * factor
        if wanted >= finest if factor < 1 else wanted <= coarsest:
            session.choose_scale((wanted,))

    # --- redrawing ---

    def _show_slide(self) -> None:
        slide = self._hub.session.slide
        self.slide_card.show_slide(slide)
        if slide is not None:
            folder = slide.path.parent if slide.path is not None else None
            self.regions.suggest(folder, f"{Path(slide.name).stem}.geojson")
            self._viewing.suggest(folder, f"{Path(slide.name).stem}.viewing.jsonl")
        self.error.say("")
        self._show_scale()

    def _show_encoder(self) -> None:
        session = self._hub.session
        self.encoder_chooser.show_entry(session.entry, session.encoder is not None)
        depth = 0 if session.encoder is None else session.encoder.depth
        self.overlay.show_encoder(session.entry, depth)
        self._show_scale()
        self._show_trust()

    def _show_scale(self) -> None:
        session = self._hub.session
        self.encoding.show_tile(session.entry, session.tile_px, session.tiling.overlap)
        self.encoding.show_scale(session.scale, session.mpp, session.tile_px)
        self._show_trust()

    def _show_look(self) -> None:
        session = self._hub.session
        self.overlay.show_look(session.look)
        self.overlay.options["mil"].show_head(session.mil, session.look.mil)
        self._show_trust()

    def _show_map(self) -> None:
        session = self._hub.session
        waiting = session.map.refused or session.look.shown.waiting
        if session.look.overlay == "mil" and session.mil.refused:
            waiting = ""  # its options say what went wrong
        self.overlay.show_map(session.map.found, waiting)
        if session.map.found is not None:
            self.error.say("")

    def _show_trust(self) -> None:
        session = self._hub.session
        slide = session.slide if session.look.shown.of_encoder else None
        mpp = session.mpp
        if slide is None or slide.mpp is None or mpp is None:
            self.overlay.show_trust([])
            return
        facts = (session.entry, session.encoder, mpp, session.tile_px, session.cosine)
        also = [m for m in session.needed_mpps if m not in session.mpps]
        self.overlay.show_trust(trust(slide, *facts, session.tiling.overlap, also))

    def _show_record(self) -> None:
        record = self._hub.session.record
        seconds = record.seconds
        self._viewing.show_record(record.on, seconds)
        self.recording.show_record(record.on, record.attended, seconds)
        self._make_room()

    def resizeEvent(self, event: Any) -> None:
        """Keep the sign at the top."""
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        sign, width = self.recording, self.viewport().width()
        height = 0 if sign.isHidden() else sign.heightForWidth(width)
        if self.viewportMargins().top() != height:
            self.setViewportMargins(0, height, 0, 0)
        sign.setGeometry(0, 0, width, height)

    def _show_status(self) -> None:
        session = self._hub.session
        encoder = session.encoder
        device = "" if encoder is None else f"{encoder.device}, {encoder.precision}"
        self.encoding.show_status(session.status, device)

    def _show_error(self, text: str) -> None:
        self.error.say(text, doubtful=True)
