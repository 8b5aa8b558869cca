"""What a session works with: the slide, and what is slow to get: encoder, tissue, embeddings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..embeddings import Store, StoredSet
from ..embeddings.store import set_key
from ..encoders import AttentionSource, Encoder, Entry, load_encoder
from ..encoders.remembered import remember_weights
from ..errors import ScaleScopeError
from ..geometry import TileGrid
from ..settings import Settings
from ..slides import Slide, TissueMask, tissue_mask


class Resources:
    """Loads each thing once, when it is first needed, in whatever thread needs it.

    Parameters
    ----------
    settings : Settings
    entry : Entry
        The encoder to load.
    say : callable
        Told in words what is being waited for.
    loaded : callable
        Called when the encoder has been loaded.
    """

    def __init__(
        self,
        settings: Settings,
        entry: Entry,
        say: Callable[[str], None],
        loaded: Callable[[], object],
    ) -> None:
        self.settings = settings
        self.slide: Slide | None = None
        self.entry = entry
        self.encoder: Encoder | None = None
        self.tile_px = entry.input_px
        self.overlap = 0.0
        self._say = say
        self._loaded = loaded
        self._weights: Path | None = None
        # By `set_key`: whoever asks with a slide, an encoder or a resolution of before finds none.
        self._sets: dict[str, StoredSet] = {}
        self._retired: list[StoredSet] = []
        self._masks: dict[str, TissueMask] = {}
        self._lock = threading.RLock()
        self._loading = threading.Lock()

    def use_slide(self, slide: Slide | None) -> None:
        """Work on another slide from now on."""
        with self._lock:
            self.slide = slide
            self.retire_sets()

    def choose_encoder(self, entry: Entry, weights: Path | None) -> None:
        """Use another encoder from now on."""
        with self._lock:
            self.entry, self._weights, self.encoder = entry, weights, None
            self.tile_px = entry.input_px
            self.retire_sets()

    def choose_tiles(self, tile_px: int, overlap: float) -> None:
        """Cut other tiles from now on: pixels along a side, and the share that neighbours share."""
        with self._lock:
            self.tile_px, self.overlap = tile_px, overlap
            self.retire_sets()

    def grid(self, slide: Slide, mpp: float) -> TileGrid:
        """The tiles of a slide at a resolution."""
        stride_px = max(1, round(self.tile_px * (1 - self.overlap)))
        return TileGrid.cover(slide, mpp, self.tile_px, stride_px)

    def require_encoder(self) -> Encoder:
        """The chosen encoder, loaded."""
        with self._loading:  # by one of those who need it
            return self._require_encoder()

    def _require_encoder(self) -> Encoder:
        with self._lock:
            entry, weights = self.entry, self._weights
            if self.encoder is not None:
                return self.encoder
        self._say(f"Loading {entry.name}…")
        encoder = load_encoder(
            entry.id,
            device=self.settings.device,
            precision=self.settings.precision,
            weights=weights,
            folder=self.settings.encoder_folder,
        )
        if weights is not None and weights.is_file():
            remember_weights(entry, weights, self.settings.encoder_folder)
        if self.settings.batch:
            encoder.batch = self.settings.batch
        with self._lock:
            if (self.entry, self._weights) != (entry, weights):
                return encoder
            self.encoder = encoder
        self._loaded()
        return encoder

    def require_mask(self, slide: Slide) -> TissueMask:
        """Where the tissue of a slide is."""
        key = f"{slide.fingerprint} {slide.mpp}"
        if key not in self._masks:
            self._say("Finding tissue…")
            self._masks[key] = tissue_mask(slide)
        return self._masks[key]

    def mask_of(self, slide: Slide | None) -> TissueMask | None:
        """Where the tissue of a slide is, if that has been found."""
        return None if slide is None else self._masks.get(f"{slide.fingerprint} {slide.mpp}")

    def require_set(self, slide: Slide, encoder: Encoder, mpp: float) -> StoredSet:
        """The embeddings of a slide at a resolution, those of earlier days included.

        Kept for others only while slide and encoder are those of the session. A job that was
        overtaken gets a set of its own, which is closed with the others.
        """
        with self._lock:
            grid = self.grid(slide, mpp)
        key = set_key(slide, encoder.identity, grid)
        with self._lock:
            if key in self._sets:
                return self._sets[key]
        stored = Store(self.settings.store_folder).open_set(slide, encoder, grid)
        with self._lock:
            now = self.encoder is not None and encoder.shares_network(self.encoder)
            if slide is self.slide and now and grid == self.grid(slide, mpp):
                return self._sets.setdefault(key, stored)
            self._retired.append(stored)
            return stored

    def set_at(
        self, mpp: float | None, attention: AttentionSource | None = None
    ) -> StoredSet | None:
        """The set of the slide by the encoder at a resolution, if it is open.

        With ``attention``: the set whose attention maps are made of that.
        """
        with self._lock:
            slide, encoder = self.slide, self.encoder
            if mpp is None or slide is None or slide.mpp is None or encoder is None:
                return None
            grid = self.grid(slide, mpp)
            return self._sets.get(set_key(slide, encoder.looking(attention).identity, grid))

    def retire_sets(self) -> None:
        """Stop using the open sets, because the slide or the encoder is another now."""
        with self._lock:
            self._retired += self._sets.values()
            self._sets = {}

    def close_retired(self) -> list[ScaleScopeError]:
        """Merge the batches of sets that are not used any more; returns what went wrong.

        Batches that could not be merged stay in the journal and are not lost.
        """
        errors: list[ScaleScopeError] = []
        while True:
            with self._lock:
                if not self._retired:
                    return errors
                stored = self._retired.pop()
            try:
                stored.close()
            except ScaleScopeError as error:
                errors.append(error)
