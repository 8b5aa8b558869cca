"""How near an encoder's fast numbers come to float32, on tiles of the slide that is looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ..embeddings import EmbeddingSet
from ..encoders import Encoder, load_encoder
from ..encoders.remembered import recalled_cosine, remember_cosine
from ..errors import ScaleScopeError
from ..slides import Slide, read_tiles
from ..worker import NewestOnly

#: Tiles that are encoded a second time.
TILES = 4
#: Encoders with more parameters (millions) are not loaded a second time for it: the largest take
#: as much memory in float32 as many machines have.
LARGEST_M = 400.0


class PrecisionCheck:
    """Compares once, when nothing else is to be done, and remembers what it found.

    Parameters
    ----------
    worker : NewestOnly
        Thread to do it in.
    folder : Path
        The encoder folder.
    found : callable
        Called when there is something new to say.
    """

    def __init__(self, worker: NewestOnly, folder: Path, found: Callable[[], None]) -> None:
        self._worker, self._folder, self._found = worker, folder, found
        self._cosines: dict[str, float] = {}

    def cosine(self, encoder: Encoder | None) -> float | None:
        """Smallest cosine of its vectors with those in float32, None while that is not known."""
        if encoder is None:
            return None
        key = _key(encoder)
        if key not in self._cosines:
            known = recalled_cosine(key, self._folder)
            if known is None:
                return None
            self._cosines[key] = known
        return self._cosines[key]

    def check(self, slide: Slide | None, encoder: Encoder | None, emb: EmbeddingSet | None) -> None:
        """Compare, in the background, unless that was done for these weights."""
        if slide is None or encoder is None or emb is None:
            return
        fast = encoder.precision != "fp32" and encoder.entry.parameters_m <= LARGEST_M
        if fast and len(emb) and self.cosine(encoder) is None:
            self._worker.submit("precision", partial(self._check, slide, encoder, emb))

    def _check(self, slide: Slide, encoder: Encoder, emb: EmbeddingSet) -> None:
        chosen = emb.tiles[np.linspace(0, len(emb) - 1, min(TILES, len(emb))).astype(int)]
        try:
            pixels = next(iter(read_tiles(slide, emb.grid, tiles=chosen, batch=TILES))).pixels
            exact = load_encoder(
                encoder.entry.id,
                device=encoder.device,
                precision="fp32",
                weights=encoder.weights,
                folder=self._folder,
            )
            a, b = (e.encode(pixels, keep=()).embedding for e in (encoder, exact))
        except ScaleScopeError:
            return  # whatever it is, encoding will say so or has
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        key, cosine = _key(encoder), float(((a * b).sum(1) / np.maximum(lengths, 1e-12)).min())
        self._cosines[key] = cosine
        remember_cosine(key, cosine, self._folder)
        self._found()


def _key(encoder: Encoder) -> str:
    return f"{encoder.entry.id} {encoder.weights_sha256[:16]} {encoder.precision} {encoder.device}"
