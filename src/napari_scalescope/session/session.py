"""`Session`: the state of one viewer, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ..analysis import Clusters, TileMap, cluster, project
from ..analysis.projection import UMAP_MIN
from ..embeddings import EmbeddingSet, Progress, StoredSet
from ..embeddings.engine import Engine, Job
from ..encoders import DEFAULT_ENCODER, Encoder, Entry, find_entry
from ..errors import ScaleScopeError
from ..exchange import export
from ..geometry import Box, scale_for_view
from ..regions import Regions
from ..settings import Settings
from ..slides import Slide, TissueMask, open_slide
from ..worker import NewestOnly
from .jobs import encode_view, encode_whole, prepared
from .overlays import make_map, needs
from .resources import Resources
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
    map_changed = Signal()
    query_changed = Signal()
    selection_changed = Signal()
    clusters_changed = Signal()
    projection_changed = Signal()
    regions_changed = Signal()
    status_changed = Signal(object)
    failed = Signal(object)
    """(ScaleScopeError): something could not be done; its text is for the user."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.slide: Slide | None = None
        self.scale: Scale = FOLLOW
        self.view: View | None = None
        self.look = Look()
        self.live = False
        self.query: tuple[float, float] | None = None
        self.selection: Selection | None = None
        self.clusters: Clusters | None = None
        self.projection: Projection | None = None
        self.regions = Regions()
        self.map: TileMap | None = None
        self.status = Status()
        self._projecting = False
        self._last_error = ""
        self._resources = Resources(
            self.settings,
            find_entry(DEFAULT_ENCODER),
            lambda text: self._say(Status(text, busy=True)),
        )
        self._engine = Engine()
        # Maps are made in a moment; clusters and UMAP take their time and must not delay them.
        self._maps = NewestOnly("scalescope-maps")
        self._analysis = NewestOnly("scalescope-analysis")
        self._engine.started.connect(self._on_started)
        self._engine.stepped.connect(self._on_stepped)
        self._engine.finished.connect(self._on_finished)
        self._engine.failed.connect(self._on_failed)

    # --- slide ---

    def open(self, path: str | Path, mpp: float | None = None) -> Slide:
        """Open a slide file and make it the session's slide."""
        slide = open_slide(path, mpp=mpp)
        self.set_slide(slide)
        return slide

    def set_slide(self, slide: Slide | None) -> None:
        """Work on this slide from now on."""
        self._forget_sets()
        self.slide = slide
        self.view = None
        self._forget_findings()
        self.slide_changed.emit()

    def set_slide_mpp(self, mpp: float) -> None:
        """Override the slide's resolution, µm per level-0 pixel."""
        if self.slide is None:
            return
        self._forget_sets()
        self.slide.set_mpp(mpp)
        self._forget_findings()
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

    def choose_encoder(self, name: str, weights: str | Path | None = None) -> None:
        """Encode with this encoder from now on. It is loaded when it is first needed."""
        entry = find_entry(name)
        self._engine.stop()
        self._resources.choose_encoder(entry, Path(weights) if weights is not None else None)
        self._analysis.submit("close", self._close_retired)
        self._forget_findings(keep_query=True)
        self.encoder_changed.emit()
        self._view_if_live()

    def choose_scale(self, scale: Scale) -> None:
        """Encode at these resolutions (µm/px), or at the one the screen shows ("follow")."""
        if scale != FOLLOW and not (scale and all(m > 0 for m in scale)):
            raise ValueError(f'a scale is "follow" or some µm/px above 0, not {scale!r}')
        self.scale = scale
        self._forget_findings(keep_query=True)
        self.view_changed.emit()
        self.refresh_map()
        self._view_if_live()

    @property
    def mpps(self) -> tuple[float, ...]:
        """The resolutions to encode at now, µm/px. Empty while that cannot be said."""
        if self.scale != FOLLOW:
            return self.scale
        if self.slide is None or self.slide.mpp is None or self.view is None:
            return ()
        return (scale_for_view(self.view.mpp, self.slide.mpp),)

    @property
    def mpp(self) -> float | None:
        """The one of them whose maps are shown: the nearest to what the screen shows."""
        if not self.mpps or self.view is None:
            return self.mpps[0] if self.mpps else None
        wanted = self.view.mpp
        return min(self.mpps, key=lambda m: abs(np.log(m / wanted)))

    # --- looking and encoding ---

    def set_view(self, view: View) -> None:
        """The screen shows this now."""
        if view == self.view:
            return
        before = self.mpp
        self.view = view
        if self.mpp != before:
            self._forget_findings(keep_query=True)
        self.view_changed.emit()
        self.refresh_map()
        self._view_if_live()

    def set_live(self, live: bool) -> None:
        """Encode whatever comes into view, or only when asked."""
        if live != self.live:
            self.live = live
            self._last_error = ""
            self.live_changed.emit(live)
            if live:
                self._view_if_live()
            else:
                self._engine.view(None)

    def encode_view(self) -> None:
        """Encode what is in view now."""
        if self.slide is None or self.view is None:
            return
        slide, box, need = self.slide, self.view.box, needs(self.look)

        def run(encoder: Encoder, sets: Sequence[StoredSet], mask: TissueMask | None) -> Any:
            return encode_view(slide, encoder, sets, box, mask, need)

        self._engine.view(Job("View", self._steps(run)))

    def encode_slide(self) -> None:
        """Encode the whole slide, behind whatever is looked at."""
        if self.slide is None:
            return
        slide = self.slide

        def run(encoder: Encoder, sets: Sequence[StoredSet], mask: TissueMask | None) -> Any:
            return encode_whole(slide, encoder, sets, mask)

        self._engine.slide(Job("Slide", self._steps(run)))

    def stop(self) -> None:
        """Stop encoding. What was encoded is kept."""
        self.set_live(False)
        self._engine.stop()
        self._say(Status("Stopped"))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is encoded or computed any more; False when the time was up."""
        # Encoding asks for analysis and maps, analysis for maps, and never the other way round.
        return all(w.wait(timeout) for w in (self._engine, self._analysis, self._maps))

    @property
    def idle(self) -> bool:
        """Whether nothing is encoded or computed now."""
        return self._engine.idle and self._analysis.idle and self._maps.idle

    def embeddings(self, mpp: float | None = None) -> EmbeddingSet | None:
        """What is encoded at a resolution (default: the one shown), None where nothing is."""
        stored = self._resources.set_at(mpp or self.mpp)
        return None if stored is None else stored.embeddings()

    @property
    def tissue(self) -> TissueMask | None:
        """Where the slide's tissue is, None until that was needed."""
        return self._resources.mask_of(self.slide)

    # --- showing ---

    def set_look(self, **changes: Any) -> None:
        """Change fields of `look`: ``overlay``, ``tokens``, ``head``, ``clusters``."""
        look = replace(self.look, **changes)
        if look == self.look:
            return
        recluster = look.clusters != self.look.clusters
        self.look = look
        self.look_changed.emit()
        if look.overlay == "clusters" and (recluster or self.clusters is None):
            self.find_clusters()
        self.refresh_map()
        self._view_if_live()

    def refresh_map(self) -> None:
        """Compute the overlay for the present state, in the background."""
        self._maps.submit("map", self._make_map)

    def ask(self, x: float, y: float) -> None:
        """What looks like this place (level-0 pixels)? Shows the similarity map."""
        self.query = (float(x), float(y))
        self.query_changed.emit()
        if self.look.overlay != "similarity":
            self.set_look(overlay="similarity")
        self.refresh_map()
        self.encode_view()  # at least the place itself has to be encoded

    def select(self, tiles: npt.ArrayLike, mpp: float | None = None) -> None:
        """Select tiles (n, 2) of the grid that is shown; an empty list selects nothing."""
        mpp = mpp or self.mpp
        if mpp is None:
            return
        chosen = np.asarray(tiles, np.int64).reshape(-1, 2)
        self.selection = Selection(mpp, chosen)
        self.selection_changed.emit()

    def select_region(self, region: Any) -> None:
        """Select the encoded tiles whose centre lies in a shapely geometry (level-0 pixels)."""
        import shapely

        emb = self.embeddings()
        if emb is not None:
            self.select(emb.tiles[shapely.contains_xy(region, *emb.centres.T)])

    def find_clusters(self, k: int | None = None) -> None:
        """Cluster the encoded tiles, in the background."""
        if k is not None and k != self.look.clusters:
            self.look = replace(self.look, clusters=k)
            self.look_changed.emit()
        self._analysis.submit("clusters", self._make_clusters)

    def find_projection(self) -> None:
        """Project the encoded tiles to the plane, in the background: PCA at once, then UMAP."""
        self._analysis.submit("pca", partial(self._make_projection, "pca"))
        self._analysis.submit("umap", partial(self._make_projection, "umap"))

    def set_projecting(self, projecting: bool) -> None:
        """Project again whenever encoding comes to rest, because somebody looks at it."""
        self._projecting = projecting
        if projecting:
            self.find_projection()

    # --- regions ---

    def set_regions(self, regions: Regions) -> None:
        """The annotated regions are these now."""
        self.regions = regions
        self.regions_changed.emit()

    def export_regions(
        self, path: str | Path, what: Literal["annotations", "clusters", "all"] = "all"
    ) -> int:
        """Write annotated regions, cluster outlines or both; returns how many were written."""
        found = [] if what == "clusters" else list(self.regions)
        if what != "annotations" and self.clusters is not None:
            found += list(self.clusters.regions())
        export(Regions(found), path)
        return len(found)

    # --- end ---

    def close(self) -> None:
        """Stop the threads and put everything encoded in its final place."""
        self._engine.close()
        self._analysis.close()
        self._maps.close()
        self._resources.retire_sets()
        self._close_retired()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside ---

    def _steps(self, run: Callable[..., Any]) -> Callable[[], Any]:
        """Steps of a job that starts with loading whatever it needs."""
        slide, mpps = self.slide, self.mpps
        assert slide is not None

        def prepare() -> tuple[Encoder, Sequence[StoredSet], TissueMask | None]:
            slide.require_mpp()
            loaded = self.encoder
            encoder = self._resources.require_encoder()
            if encoder is not loaded:
                self.encoder_changed.emit()
            mask = self._resources.require_mask(slide)
            return encoder, [self._resources.require_set(slide, encoder, m) for m in mpps], mask

        return lambda: prepared(prepare, run)

    def _forget_sets(self) -> None:
        """Let go of the sets of another slide."""
        self._engine.stop()
        self._resources.retire_sets()
        self._analysis.submit("close", self._close_retired)

    def _close_retired(self) -> None:
        for error in self._resources.close_retired():
            self.failed.emit(error)

    def _forget_findings(self, *, keep_query: bool = False) -> None:
        if not keep_query:
            self.query = None
            self.query_changed.emit()
        self.selection = self.clusters = self.projection = self.map = None
        for signal in (
            self.selection_changed,
            self.clusters_changed,
            self.projection_changed,
            self.map_changed,
        ):
            signal.emit()

    def _view_if_live(self) -> None:
        if self.live and self.slide is not None and self.view is not None:
            self.encode_view()

    def _say(self, status: Status) -> None:
        self.status = status
        self.status_changed.emit(status)

    # --- from the engine's thread ---

    def _on_started(self, job: Job) -> None:
        self._say(Status(f"{job.name}: preparing…", busy=True))

    def _on_stepped(self, job: Job, stored: StoredSet, tiles: Any, progress: Progress) -> None:
        self._last_error = ""
        self._say(Status(job.name, progress, busy=True))
        self.tiles_encoded.emit()
        if self.look.overlay != "clusters" and stored is self._resources.set_at(self.mpp):
            self.refresh_map()

    def _on_finished(self, job: Job) -> None:
        progress = self.status.progress if self.status.text == job.name else None
        self._say(Status("Ready", progress))
        self.refresh_map()
        if self.look.overlay == "clusters":
            self.find_clusters()
        if self._projecting:
            self.find_projection()

    def _on_failed(self, job: Job, error: ScaleScopeError) -> None:
        self._say(Status("Not encoded"))
        # A camera that moves asks again and again; saying it once is enough.
        if str(error) != self._last_error:
            self._last_error = str(error)
            self.failed.emit(error)

    # --- from the analysis thread ---

    def _make_map(self) -> None:
        look, view = self.look, self.view
        emb = self.embeddings()
        box = view.box if view is not None else (self.slide.box if self.slide else Box(0, 0, 0, 0))
        made = None
        if emb is not None:
            clusters = self.clusters
            if clusters is not None and clusters.emb.grid != emb.grid:
                clusters = None
            made = make_map(emb, look, box, self.query, clusters, self.tissue)
        if look == self.look:
            self.map = made
            self.map_changed.emit()

    def _make_clusters(self) -> None:
        emb = self.embeddings()
        if emb is None or not len(emb):
            return
        self.clusters = cluster(emb, min(self.look.clusters, len(emb)))
        self.clusters_changed.emit()
        self.refresh_map()

    def _make_projection(self, method: Literal["pca", "umap"]) -> None:
        emb = self.embeddings()
        if emb is None or not len(emb) or (method == "umap" and len(emb) < UMAP_MIN):
            return
        now = self.projection
        if now is not None and now.method == "umap" and now.emb.grid == emb.grid:
            if len(now.emb) == len(emb):
                return  # nothing has been added since
            if method == "pca":
                return  # do not fall back to PCA while UMAP places the new tiles
        self.projection = Projection(project(emb, method), method, emb)
        self.projection_changed.emit()
