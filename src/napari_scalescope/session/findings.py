"""What was found out about the thing that is looked at, and is forgotten with it."""

from __future__ import annotations

import threading
from functools import partial
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ..analysis import Clusters, TileMap, cluster, project
from ..analysis.projection import UMAP_MIN
from ..embeddings import EmbeddingSet
from ..encoders import Encoder
from ..slides import Slide, TissueMask
from ..worker import NewestOnly
from .overlays import make_map
from .reading import TextQuery
from .state import Look, Projection, Selection, View


class Scene(Protocol):
    """What findings are about: the session, as far as this module knows it."""

    @property
    def slide(self) -> Slide | None:
        """The slide that is looked at."""

    @property
    def view(self) -> View | None:
        """The part of it that is on the screen."""

    @property
    def look(self) -> Look:
        """How the encoder's output is to be shown."""

    @property
    def mpp(self) -> float | None:
        """The resolution that is shown."""

    @property
    def encoder(self) -> Encoder | None:
        """What it is looked at with, None until it is loaded."""

    @property
    def tissue(self) -> TissueMask | None:
        """Where the slide's tissue is, if that is known."""

    def embeddings(self, mpp: float | None = None) -> EmbeddingSet | None:
        """What is encoded of it."""

    def mapped(self) -> EmbeddingSet | None:
        """What the map is to be made of."""


class Findings:
    """Question, selection, map, clusters and projection of one slide, encoder and scale.

    The last three are computed in threads, which may take longer than the slide is looked at.
    `forget` therefore begins a new generation, and what was computed for an older one is dropped.

    Parameters
    ----------
    scene : Scene
    maps, analysis : NewestOnly
        Maps are made in a moment; clusters and UMAP take their time and must not delay them.
    """

    query_changed = Signal()
    selection_changed = Signal()
    map_changed = Signal()
    clusters_changed = Signal()
    projection_changed = Signal()

    def __init__(self, scene: Scene, maps: NewestOnly, analysis: NewestOnly) -> None:
        self.query: tuple[float, float] | None = None
        self.words = ""
        self._read: TextQuery | None = None
        self.selection: Selection | None = None
        self.map: TileMap | None = None
        self.clusters: Clusters | None = None
        self.projection: Projection | None = None
        self._scene = scene
        self._maps = maps
        self._analysis = analysis
        self._lock = threading.Lock()
        self._generation = 0
        self._wanted_k = 0

    def forget(self, *, keep_query: bool = False) -> None:
        """Something else is looked at now. Called when the scene has changed completely."""
        with self._lock:
            self._generation += 1
            if not keep_query:
                self.query, self.words, self._read = None, "", None
            self.selection = self.map = self.clusters = self.projection = None
        if not keep_query:
            self.query_changed.emit()
        for signal in (
            self.selection_changed,
            self.clusters_changed,
            self.projection_changed,
            self.map_changed,
        ):
            signal.emit()

    def close(self) -> None:
        """Accept nothing any more."""
        with self._lock:
            self._generation += 1

    # --- what the user points at ---

    def ask(self, x: float, y: float) -> None:
        """The question is what looks like this place (level-0 pixels)."""
        self.query, self.words, self._read = (float(x), float(y)), "", None
        self.query_changed.emit()

    def ask_text(self, text: str) -> None:
        """The question is what looks like this text says, once `answer` has it as a vector."""
        self.query, self.words, self._read = None, text, None
        self.query_changed.emit()

    def answer(self, query: TextQuery) -> None:
        """A text was read. Another question may have been asked meanwhile."""
        if query.text == self.words:
            self._read = query
            self.refresh_map()

    def select(self, tiles: npt.ArrayLike, mpp: float | None = None) -> None:
        """Select tiles (n, 2) of the grid at a resolution, by default the one shown."""
        mpp = mpp or self._scene.mpp
        if mpp is None:
            return
        self.selection = Selection(mpp, np.asarray(tiles, np.int64).reshape(-1, 2))
        self.selection_changed.emit()

    # --- what is computed ---

    def refresh_map(self) -> None:
        """Compute the overlay for the present scene, in the background."""
        self._maps.submit("map", self._make_map)

    def find_clusters(self) -> None:
        """Cluster the encoded tiles, in the background, unless they are clustered already."""
        self._analysis.submit("clusters", self._make_clusters)

    def find_projection(self) -> None:
        """Project the encoded tiles to the plane, in the background: PCA at once, then UMAP."""
        self._analysis.submit("pca", partial(self._make_projection, "pca"))
        self._analysis.submit("umap", partial(self._make_projection, "umap"))

    # --- in the threads ---

    # The generation is read first and compared last: whatever of the scene changed in between,
    # the finding is about a scene that is gone.

    def _make_map(self) -> None:
        generation, scene = self._generation, self._scene
        look, view, slide, emb = scene.look, scene.view, scene.slide, scene.mapped()
        made = None
        if emb is not None and slide is not None:
            clusters = self.clusters
            if clusters is not None and clusters.emb.key != emb.key:
                clusters = None
            box = slide.box if view is None else view.box
            read = self._read if self._read and self._read.encoder is scene.encoder else None
            made = make_map(emb, look, box, self.query or read, clusters, scene.tissue)
        with self._lock:
            if generation != self._generation or look != scene.look:
                return
            self.map = made
        self.map_changed.emit()

    def _make_clusters(self) -> None:
        generation, k, emb = self._generation, self._scene.look.clusters, self._scene.embeddings()
        if emb is None or not len(emb):
            return
        now = self.clusters
        if now is not None and k == self._wanted_k and _nothing_new(now.emb, emb):
            return
        found = cluster(emb, k)
        with self._lock:
            if generation != self._generation:
                return
            self.clusters, self._wanted_k = found, k
        self.clusters_changed.emit()
        self.refresh_map()

    def _make_projection(self, method: Literal["pca", "umap"]) -> None:
        generation, emb = self._generation, self._scene.embeddings()
        if emb is None or not len(emb) or (method == "umap" and len(emb) < UMAP_MIN):
            return
        now = self.projection
        if now is not None and now.method == "umap" and now.emb.key == emb.key:
            if _nothing_new(now.emb, emb):
                return
            if method == "pca":
                return  # do not fall back to PCA while UMAP places the new tiles
        found = Projection(project(emb, method), method, emb)
        with self._lock:
            if generation != self._generation:
                return
            self.projection = found
        self.projection_changed.emit()


def _nothing_new(known: EmbeddingSet, now: EmbeddingSet) -> bool:
    """Whether a set has the tiles it had before. Tiles are added and never taken away."""
    return known.key == now.key and len(known) == len(now)
