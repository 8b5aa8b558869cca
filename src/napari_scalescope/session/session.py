"""`Session`: the state of one viewer, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import Signal

from ..analysis import TileMap
from ..embeddings import EmbeddingSet, Progress, StoredSet
from ..embeddings.engine import Engine, Job
from ..encoders import DEFAULT_ENCODER, AttentionSource, Encoder, Entry, find_entry
from ..settings import Settings
from ..slides import Slide, TissueMask, open_slide
from ..slides.remembered import remember
from ..worker import NewestOnly
from .annotations import Annotations
from .downloads import Downloads
from .findings import (
    Colouring,
    Finding,
    Groups,
    Mil,
    OverlayMap,
    Points,
    Profile,
    Questions,
    Selected,
)
from .fits import Fits
from .jobs import slide_job, view_job
from .look import Look
from .precision import PrecisionCheck
from .reports import Reports
from .resources import Resources
from .scales import needed_mpps
from .scene import scene_of
from .sight import Sight
from .state import Status
from .tiling import Tiling


class Session(Sight):
    """One slide, one encoder, what is looked at and what was found.

    The same object is driven by the docks in napari, by a script and by the tests. It knows
    neither Qt nor napari. Encoding and analysis run in two threads of its own; when something
    has changed a signal says so, possibly from one of them: connect with ``thread="main"``
    where it matters.

    Parameters
    ----------
    settings : Settings, optional

    Attributes
    ----------
    map : OverlayMap
        What lies over the slide.
    groups : Groups
        Clusters of the tiles.
    points : Points
        The tiles in the plane.
    colouring : Colouring
        What is known of each, to colour them by.
    mil : Mil
        What a slide-level head looks at.
    profile : Profile
        One place at many magnifications.
    questions : Questions
        What was asked about.
    selection : Selected
        Tiles that were chosen.
    annotations : Annotations
    downloads : Downloads
    tiling : Tiling
        How the slide is cut into tiles.
    """

    slide_changed = Signal()
    encoder_changed = Signal()
    look_changed = Signal()
    live_changed = Signal(bool)
    tiles_encoded = Signal()

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.look = Look()
        self.live = False
        self._engine = Engine()
        self._reports = reports = Reports(self._engine, lambda: self.live, self._doubts)
        self.status_changed = reports.changed
        self.failed = reports.failed
        """(ScaleScopeError): something could not be done; its text is for the user."""
        self._resources = Resources(
            self.settings,
            find_entry(DEFAULT_ENCODER),
            reports.wait_for,
            self.encoder_changed.emit,
        )
        self.tiling = Tiling(self._resources, self._engine.stop, self._on_cut_anew)
        self.downloads = Downloads()
        self.fits = Fits()
        self._maps = NewestOnly("scalescope-maps")
        self._analysis = NewestOnly("scalescope-analysis")
        self._slow = NewestOnly("scalescope-points", gentle=True)
        self.map = OverlayMap(partial(scene_of, self), lambda: self.look, self._maps)
        self.groups = Groups(
            self.sets, lambda: self.look, self._analysis, self.map.refresh, self.failed.emit
        )
        self.points = Points(self.sets, self._analysis, self._slow)
        self.mil = Mil(self.embeddings, lambda: self.look.mil, self._resources, self._analysis)
        self.mil.changed.connect(self.map.refresh)
        self._found_out: dict[str, Groups | Mil] = {"clusters": self.groups, "mil": self.mil}
        self.profile = Profile(self._resources, reports.wait_for, self.failed.emit)
        self.questions = Questions(
            self._resources,
            reports.wait_for,
            self.failed.emit,
            lambda: scene_of(self, self.look.similarity),
            lambda: self.look.similarity,
            self._maps,
            self._answer,
            self.map.refresh,
        )
        self.selection = Selected()
        self.annotations = Annotations(lambda: self.groups.found)
        shown = self.points, self.groups, self.questions, self.annotations, self.map
        self.colouring = Colouring(partial(scene_of, self), lambda: self.look, self._maps, *shown)
        self._precision = PrecisionCheck(
            self._analysis, self.settings.encoder_folder, self.encoder_changed.emit
        )
        threads = self._analysis, self._slow, self._maps
        self._workers = (self._engine, self.profile, *threads, self.questions.readings)
        self._engine.stepped.connect(self._on_stepped)
        self._engine.finished.connect(self._on_finished)

    @property
    def status(self) -> Status:
        """What is going on."""
        return self._reports.status

    # --- slide ---

    @property
    def slide(self) -> Slide | None:
        """The slide that is worked on."""
        return self._resources.slide

    def open(self, path: str | Path, mpp: float | None = None) -> Slide:
        """Open a slide file and make it the session's slide."""
        slide = open_slide(path, mpp=mpp)
        self.set_slide(slide)
        return slide

    def set_slide(self, slide: Slide | None) -> None:
        """Work on this slide from now on."""
        self._engine.stop()
        self._resources.use_slide(slide)
        self.on_screen = self.cursor = None
        self.record.look(None, None)
        self._start_afresh()
        self.slide_changed.emit()

    def set_slide_mpp(self, mpp: float | None) -> None:
        """Override the slide's resolution, µm per level-0 pixel; None goes back to the file's.

        It is remembered for the next time the slide is opened, wherever it lies then.
        """
        if self.slide is None:
            return
        self._engine.stop()
        self.slide.set_mpp(mpp)
        if self.slide.path is not None or self.slide.url is not None:
            remember(self.slide.fingerprint, mpp)
        self._resources.use_slide(self.slide)
        self._start_afresh()
        self.slide_changed.emit()
        self._view_if_live()

    # --- encoder and scale ---

    @property
    def entry(self) -> Entry:
        """What the catalogue says of the chosen encoder."""
        return self._resources.entry

    @property
    def encoder(self) -> Encoder | None:
        """The chosen encoder, None until it is loaded."""
        return self._resources.encoder

    @property
    def cosine(self) -> float | None:
        """Smallest cosine of the encoder's vectors with float32's, None while not measured."""
        return self._precision.cosine(self.encoder)

    def choose_encoder(self, name: str, weights: str | Path | None = None) -> None:
        """Encode with this encoder from now on. It is loaded when it is first needed."""
        folder = self.settings.encoder_folder
        entry = find_entry(name, has_weights=weights is not None, folder=folder)
        self._engine.stop()
        self._resources.choose_encoder(entry, Path(weights) if weights is not None else None)
        # Its blocks and heads are others.
        attention = replace(self.look.attention, head=None, made_of=None)
        if attention != self.look.attention:
            self.look = replace(self.look, attention=attention)
            self.look_changed.emit()
        self._start_afresh(keep_query=True)
        self.encoder_changed.emit()
        self._view_if_live()

    @property
    def tile_px(self) -> int:
        """Side of the tiles the encoder is given, pixels."""
        return self.tiling.tile_px

    # --- encoding ---

    def set_live(self, live: bool) -> None:
        """Encode whatever comes into view, or only when asked."""
        if live != self.live:
            self.live = live
            self._reports.forget_errors()
            self.live_changed.emit(live)
            if live:
                self._view_if_live()
            else:
                self._engine.view(None)
                if self.status.busy:
                    self._reports.rest()

    def encode_view(self) -> None:
        """Encode what is in view now."""
        slide, view, overlay = self.slide, self.on_screen, self.look.shown
        if slide is not None and view is not None:
            wanted = (view.box, overlay.parts, overlay.source, lambda: self.cursor)
            self._engine.view(view_job(self._resources, slide, self.needed_mpps, *wanted))

    def encode_slide(self) -> None:
        """Encode the whole slide, behind whatever is looked at."""
        if self.slide is not None:
            self._engine.slide(slide_job(self._resources, self.slide, self.needed_mpps))

    @property
    def needed_mpps(self) -> tuple[float, ...]:
        """`mpps`, and those that the overlay compares the shown one with."""
        native = None if self.slide is None else self.slide.mpp
        return needed_mpps(self.mpps, self.mpp, native, self.look.shown)

    def stop(self) -> None:
        """Stop encoding. What was encoded is kept."""
        self.set_live(False)
        self._engine.stop()
        self._reports.rest()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is encoded or computed any more; False when the time was up."""
        # Again while one has given another something to do.
        while all(worker.wait(timeout) for worker in self._workers):
            if self.idle:
                return True
        return False

    @property
    def idle(self) -> bool:
        """Whether nothing is encoded or computed now."""
        return all(w.idle for w in self._workers)

    def embeddings(
        self, mpp: float | None = None, attention: AttentionSource | None = None
    ) -> EmbeddingSet | None:
        """What is encoded at a resolution (default: the one shown), None where nothing is.

        With attention made of what the catalogue says, or of something else (`Encoder.looking`).
        """
        stored = self._resources.set_at(mpp or self.mpp, attention)
        return None if stored is None else stored.embeddings()

    def sets(self, every: bool = False) -> tuple[EmbeddingSet, ...]:
        """What is encoded at the scale that is shown, or at ``every`` one that is open."""
        mpps = dict.fromkeys((self.mpp, *(self.mpps if every else ())))
        return tuple(emb for m in mpps if m and (emb := self.embeddings(m)) is not None)

    @property
    def tissue(self) -> TissueMask | None:
        """Where the slide's tissue is, None until that was needed."""
        return self._resources.mask_of(self.slide)

    # --- showing ---

    def show(self, overlay: str, **options: Any) -> None:
        """Show an overlay, with some of its options changed: ``show("clusters", k=5)``.

        Raises
        ------
        ValueError, TypeError
            If there is no such overlay or option.
        EncoderError
            If the encoder has no attention of that kind.
        """
        look = self.look.showing(overlay, **options)
        if look == self.look:
            return
        if look.attention.made_of != self.look.attention.made_of:
            if self.encoder is not None:
                self.encoder.looking(look.attention.made_of)
            look = replace(look, attention=replace(look.attention, head=None))
        self.look = look
        self.look_changed.emit()
        self._find_out()
        self.map.refresh()
        self._view_if_live()

    def _answer(self, anew: bool) -> None:
        """Show what answers the question; a threshold on scores of another kind means nothing."""
        if self.look.overlay == "similarity" and not (anew and self.look.similarity.threshold):
            self.map.refresh()
        else:
            self.show("similarity", **({"threshold": None} if anew else {}))
        self.encode_view()  # at least the place itself has to be encoded

    def select_region(self, region: Any) -> None:
        """Select the encoded tiles whose centre lies in a shapely geometry (level-0 pixels)."""
        import shapely

        emb = self.embeddings()
        if emb is not None:
            inside = shapely.contains_xy(region, *emb.centres.T)
            self.selection.choose(emb.tiles[inside], emb.grid.mpp)

    # --- end ---

    def close(self) -> None:
        """Stop the threads and put everything encoded in its final place."""
        self.downloads.stop()
        self._engine.close()
        for finding in (*self._about_scene, self.profile, self.questions):
            finding.close()
        for worker in (self._analysis, self._slow, self._maps):
            worker.close()
        self._resources.retire_sets()
        self._close_retired()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside ---

    def _start_afresh(self, *, keep_query: bool = False) -> None:
        """Let go of everything about another slide, resolution or encoder."""
        self._analysis.submit("close", self._close_retired)
        if not keep_query:
            self.questions.forget()
        self.profile.forget()
        self._forget()

    @property
    def _about_scene(self) -> tuple[Finding[Any], ...]:
        return (self.selection, self.groups, self.points, self.mil, self.map, self.colouring)

    def _find_out(self) -> None:
        if self.look.overlay in self._found_out:
            self._found_out[self.look.overlay].find()

    def _forget(self) -> None:
        """What was found out is about something that is not looked at any more."""
        for finding in self._about_scene:
            finding.forget()

    def _moved(self, rescaled: bool) -> None:
        if rescaled:
            self._forget()
        self.view_changed.emit()
        self.map.refresh()
        self._view_if_live()

    def _painted(self, overlays: Iterable[str] | None) -> dict[str, TileMap]:
        made = {}
        for name in overlays or (self.look.overlay,):
            overlay = self.look.showing(name).shown
            made[name] = overlay.lay(scene_of(self, overlay))
        return {name: tile_map for name, tile_map in made.items() if tile_map is not None}

    def _close_retired(self) -> None:
        for error in self._resources.close_retired():
            self.failed.emit(error)

    def _view_if_live(self) -> None:
        if self.live:
            self.encode_view()

    def _on_cut_anew(self) -> None:
        self._start_afresh(keep_query=True)
        self._moved(rescaled=False)

    def _doubts(self) -> tuple[str, ...]:
        return tuple(self.tissue.warnings) if self.tissue is not None else ()

    # --- from other threads ---

    def _on_stepped(self, _job: Job, stored: StoredSet, _tiles: Any, _progress: Progress) -> None:
        self.tiles_encoded.emit()
        self.points.place()
        source = self.look.shown.source
        of_map = (self.mpp, *(m for m in self.needed_mpps if m not in self.mpps))
        shown = any(stored is self._resources.set_at(m, source) for m in of_map)
        if self.look.overlay not in self._found_out and shown:
            self.map.refresh()

    def _on_finished(self, _job: Job) -> None:
        self.map.refresh()
        self._find_out()
        if self.points.followed:
            self.points.find()
        self._precision.check(self.slide, self.encoder, self.embeddings())
