"""What a session works with and is slow to get: the encoder, tissue masks, sets of embeddings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ..embeddings import Store, StoredSet
from ..encoders import Encoder, Entry, load_encoder
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
    """

    def __init__(self, settings: Settings, entry: Entry, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.entry = entry
        self.encoder: Encoder | None = None
        self._say = say
        self._weights: Path | None = None
        self._sets: dict[float, StoredSet] = {}
        self._retired: list[StoredSet] = []
        self._masks: dict[str, TissueMask] = {}
        self._lock = threading.RLock()

    def choose_encoder(self, entry: Entry, weights: Path | None) -> None:
        """Use another encoder from now on."""
        with self._lock:
            self.entry, self._weights, self.encoder = entry, weights, None
            self.retire_sets()

    def require_encoder(self) -> Encoder:
        """The chosen encoder, loaded."""
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
        if self.settings.batch:
            encoder.batch = self.settings.batch
        with self._lock:
            if (self.entry, self._weights) == (entry, weights):
                self.encoder = encoder
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
        """The embeddings of a slide at a resolution, those of earlier days included."""
        with self._lock:
            if mpp not in self._sets or encoder is not self.encoder:
                grid = TileGrid.cover(slide, mpp, encoder.entry.input_px)
                stored = Store(self.settings.store_folder).open_set(slide, encoder, grid)
                if encoder is not self.encoder:
                    return stored  # another one was chosen meanwhile
                self._sets[mpp] = stored
            return self._sets[mpp]

    def set_at(self, mpp: float | None) -> StoredSet | None:
        """The set at a resolution, if it is open."""
        with self._lock:
            return None if mpp is None else self._sets.get(mpp)

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
