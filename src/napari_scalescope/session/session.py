"""`Session`: the state of one viewer, and everything that can be done with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
from psygnal import Signal

from ..analysis import Clusters, TileMap
from ..embeddings import EmbeddingSet, Progress, StoredSet
from ..embeddings.engine import Engine, Job
from ..encoders import DEFAULT_ENCODER, Encoder, Entry, find_entry
from ..settings import Settings
from ..slides import Slide, TissueMask, open_slide
from ..slides.remembered import remember
from ..worker import NewestOnly
from .annotations import Annotations
from .downloads import Downloads
from .findings import Findings
from .jobs import slide_job, view_job
from .overlays import needs
from .precision import PrecisionCheck
from .reading import Reader
from .reports import Reports
from .resources import Resources
from .scales import shown_mpp, wanted_mpps
from .state import FOLLOW, Look, Projection, Scale, Selection, Status, View


class Session:
    """One slide, one encoder, what is looked at and what was found.

    The same object is driven by the docks in napari, by a script and by the tests. It knows
    neither Qt nor napari. Encoding and analysis run in two threads of its own; when something
    has changed a signal says so, possibly from one of them: connect with ``thread="main"``
    where it matters.

    Parameters
    ----------
    settings : Settings, optional
    """

    slide_changed = Signal()
    encoder_changed = Signal()
    view_changed = Signal()
    look_changed = Signal()
    live_changed = Signal(bool)
    tiles_encoded = Signal()

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.scale: Scale = FOLLOW
        self.view: View | None = None
        self.look = Look()
        self.live = False
        self.annotations = Annotations(lambda: self.clusters)
        self._projecting = False
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
        self.downloads = Downloads()
        self._maps = NewestOnly("scalescope-maps")
        self._analysis = NewestOnly("scalescope-analysis")
        self._findings = found = Findings(self, self._maps, self._analysis)
        self._precision = PrecisionCheck(
            self._analysis, self.settings.encoder_folder, self.encoder_changed.emit
        )
        self._reader = Reader(self._resources, reports.wait_for, found.answer, self.failed.emit)
        # Each may ask for those after it, and never the other way round.
        self._workers = (self._engine, self._reader, self._analysis, self._maps)
        self.query_changed = found.query_changed
        self.selection_changed = found.selection_changed
        self.map_changed = found.map_changed
        self.clusters_changed = found.clusters_changed
        self.projection_changed = found.projection_changed
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
        self.view = None
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
        if (self.look.head, self.look.attention) != (None, None):
            self.look = replace(self.look, head=None, attention=None)
            self.look_changed.emit()
        self._start_afresh(keep_query=True)
        self.encoder_changed.emit()
        if self.words and entry.text is not None and self.look.overlay == "similarity":
            self._reader.read(self.words)
        self._view_if_live()

    @property
    def tile_px(self) -> int:
        """Side of the tiles the encoder is given, pixels."""
        return self._resources.tile_px

    def choose_tile_px(self, tile_px: int) -> None:
        """Give the encoder tiles of this size; `Entry.tile_sizes` are sensible ones."""
        if tile_px % self.entry.patch_px or tile_px < self.entry.patch_px:
            raise ValueError(f"{tile_px} px are no whole patches of {self.entry.patch_px} px")
        if tile_px == self.tile_px:
            return
        self._engine.stop()
        self._resources.choose_tile_px(tile_px)
        self._start_afresh(keep_query=True)
        self.view_changed.emit()
        self._view_if_live()

    def choose_scale(self, scale: Scale) -> None:
        """Encode at these resolutions (µm/px), or at the one the screen shows ("follow").

        Those much finer than the slide itself (`scales.FINEST`) are brought up to it.
        """
        if scale != FOLLOW and not (scale and all(m > 0 for m in scale)):
            raise ValueError(f'a scale is "follow" or some µm/px above 0, not {scale!r}')
        self.scale = scale
        if scale != FOLLOW:
            self.scale = self.mpps
        self._findings.forget(keep_query=True)
        self.view_changed.emit()
        self.refresh_map()
        self._view_if_live()

    @property
    def mpps(self) -> tuple[float, ...]:
        """The resolutions to encode at now, µm/px. Empty while that cannot be said."""
        native = None if self.slide is None else self.slide.mpp
        return wanted_mpps(self.scale, native, self.view)

    @property
    def mpp(self) -> float | None:
        """The one of them whose maps are shown."""
        return shown_mpp(self.mpps, self.view)

    # --- looking and encoding ---

    def set_view(self, view: View) -> None:
        """The screen shows this now."""
        if view == self.view:
            return
        before = self.mpp
        self.view = view
        if self.mpp != before:
            self._findings.forget(keep_query=True)
        self.view_changed.emit()
        self.refresh_map()
        self._view_if_live()

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
        if self.slide is not None and self.view is not None:
            box, need, source = self.view.box, needs(self.look), self.look.source
            self._engine.view(view_job(self._resources, self.slide, self.mpps, box, need, source))

    def encode_slide(self) -> None:
        """Encode the whole slide, behind whatever is looked at."""
        if self.slide is not None:
            self._engine.slide(slide_job(self._resources, self.slide, self.mpps))

    def stop(self) -> None:
        """Stop encoding. What was encoded is kept."""
        self.set_live(False)
        self._engine.stop()
        self._reports.rest()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is encoded or computed any more; False when the time was up."""
        return all(w.wait(timeout) for w in self._workers)

    @property
    def idle(self) -> bool:
        """Whether nothing is encoded or computed now."""
        return all(w.idle for w in self._workers)

    def embeddings(self, mpp: float | None = None) -> EmbeddingSet | None:
        """What is encoded at a resolution (default: the one shown), None where nothing is."""
        stored = self._resources.set_at(mpp or self.mpp)
        return None if stored is None else stored.embeddings()

    def mapped(self) -> EmbeddingSet | None:
        """What the map is made of: `embeddings`, or those with the attention that is shown."""
        stored = self._resources.set_at(self.mpp, self.look.source)
        return None if stored is None else stored.embeddings()

    @property
    def tissue(self) -> TissueMask | None:
        """Where the slide's tissue is, None until that was needed."""
        return self._resources.mask_of(self.slide)

    # --- showing ---

    def set_look(self, **changes: Any) -> None:
        """Change fields of `look`: ``overlay``, ``tokens``, ``head``, ``clusters``, …

        Raises
        ------
        EncoderError
            If the encoder has no attention of that kind.
        """
        look = replace(self.look, **changes)
        if look == self.look:
            return
        if look.source != self.look.source:
            if self.encoder is not None:
                self.encoder.looking(look.source)
            look = replace(look, head=None)
        self.look = look
        self.look_changed.emit()
        if look.overlay == "clusters":
            self.find_clusters()
        self.refresh_map()
        self._view_if_live()

    @property
    def map(self) -> TileMap | None:
        """The overlay, None while there is nothing to show."""
        return self._findings.map

    def refresh_map(self) -> None:
        """Compute the overlay for the present state, in the background."""
        self._findings.refresh_map()

    @property
    def query(self) -> tuple[float, float] | None:
        """The place that was asked about, level-0 pixels."""
        return self._findings.query

    def ask(self, x: float, y: float) -> None:
        """What looks like this place (level-0 pixels)? Shows the similarity map."""
        self._findings.ask(x, y)
        if self.look.overlay != "similarity":
            self.set_look(overlay="similarity")
        self.refresh_map()
        self.encode_view()  # at least the place itself has to be encoded

    @property
    def words(self) -> str:
        """The text that was asked about, empty where a place was, or nothing."""
        return self._findings.words

    def ask_text(self, text: str) -> None:
        """What looks like this text says ("lymphocytes")? Shows the similarity map.

        The encoder has to read (`Entry.text`). A text that ends with a full stop is taken as it
        is, anything else is worded in several ways (`encoders.text.TEMPLATES`).
        """
        text = " ".join(text.split())
        if not text or not self._reader.able():
            return
        self._findings.ask_text(text)
        if self.look.overlay != "similarity":
            self.set_look(overlay="similarity")
        self._reader.read(text)
        self.refresh_map()
        self.encode_view()  # there has to be something to compare it with

    @property
    def selection(self) -> Selection | None:
        """The selected tiles."""
        return self._findings.selection

    def select(self, tiles: npt.ArrayLike, mpp: float | None = None) -> None:
        """Select tiles (n, 2) of the grid that is shown; an empty list selects nothing."""
        self._findings.select(tiles, mpp)

    def select_region(self, region: Any) -> None:
        """Select the encoded tiles whose centre lies in a shapely geometry (level-0 pixels)."""
        import shapely

        emb = self.embeddings()
        if emb is not None:
            self.select(emb.tiles[shapely.contains_xy(region, *emb.centres.T)])

    @property
    def clusters(self) -> Clusters | None:
        """The groups of tiles that were found."""
        return self._findings.clusters

    def find_clusters(self, k: int | None = None) -> None:
        """Cluster the encoded tiles, in the background, unless nothing is new."""
        if k is not None and k != self.look.clusters:
            self.look = replace(self.look, clusters=k)
            self.look_changed.emit()
        self._findings.find_clusters()

    @property
    def projection(self) -> Projection | None:
        """The tiles as points in the plane."""
        return self._findings.projection

    def find_projection(self) -> None:
        """Project the encoded tiles to the plane, in the background: PCA at once, then UMAP."""
        self._findings.find_projection()

    def set_projecting(self, projecting: bool) -> None:
        """Project again whenever encoding comes to rest, because somebody looks at it."""
        self._projecting = projecting
        if projecting:
            self.find_projection()

    # --- end ---

    def close(self) -> None:
        """Stop the threads and put everything encoded in its final place."""
        self.downloads.stop()
        self._engine.close()
        self._findings.close()
        self._reader.close()
        self._analysis.close()
        self._maps.close()
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
        self._findings.forget(keep_query=keep_query)

    def _close_retired(self) -> None:
        for error in self._resources.close_retired():
            self.failed.emit(error)

    def _view_if_live(self) -> None:
        if self.live:
            self.encode_view()

    def _doubts(self) -> tuple[str, ...]:
        return tuple(self.tissue.warnings) if self.tissue is not None else ()

    # --- from the engine's thread ---

    def _on_stepped(self, _job: Job, stored: StoredSet, _tiles: Any, _progress: Progress) -> None:
        self.tiles_encoded.emit()
        shown = stored is self._resources.set_at(self.mpp, self.look.source)
        if self.look.overlay != "clusters" and shown:
            self.refresh_map()

    def _on_finished(self, _job: Job) -> None:
        self.refresh_map()
        if self.look.overlay == "clusters":
            self.find_clusters()
        if self._projecting:
            self.find_projection()
        slide, encoder, emb = self.slide, self.encoder, self.embeddings()
        if slide is not None and encoder is not None and emb is not None:
            self._precision.check(slide, encoder, emb)
