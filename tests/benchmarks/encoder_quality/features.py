"""Features of sets of tiles, made once per encoder and set."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_scalescope.slides.slide import Pixels

from .describers import Describer, Vectors

BATCH = 32
_STARTED = time.monotonic()


def say(text: str) -> None:
    """A line of progress, with the seconds since the start."""
    print(f"[{time.monotonic() - _STARTED:5.0f} s] {text}", flush=True)


@dataclass(frozen=True, eq=False)
class Features:
    """What an encoder makes of a set of tiles.

    Parameters
    ----------
    embedding : (n, D) float32
    mean_token : (n, d) float32 or None
        None for an encoder without tokens.
    tokens : (n, g, g, d) float32 or None
        Only where they were asked for: the tokens of a whole set would fill the memory.
    """

    embedding: Vectors
    mean_token: Vectors | None
    tokens: Vectors | None


class Bank:
    """Makes features, and keeps them in a folder where one is given.

    Parameters
    ----------
    describers : list of Describer
    cache : Path, optional
    """

    def __init__(self, describers: list[Describer], cache: Path | None = None) -> None:
        self.describers = describers
        self._cache = cache

    def features(
        self, title: str, pixels: Pixels, tokens: bool = False
    ) -> Iterator[tuple[str, Features]]:
        """Features of a set of tiles by every encoder in turn.

        Parameters
        ----------
        title : str
            What the set is called in the lines of progress.
        pixels : (n, px, px, 3) uint8
        tokens : bool
            Whether to keep all tokens of every tile.

        Yields
        ------
        (str, Features)
            Name of the encoder, and what it makes of the tiles.
        """
        content = hashlib.sha256(pixels.tobytes()).hexdigest() if self._cache else ""
        for describer in self.describers:
            started = time.monotonic()
            path = self._path(describer, content, tokens)
            if path is not None and path.is_file():
                found, how = _read(path), "from the cache"
            else:
                found = _describe(describer, pixels, tokens)
                how = f"{time.monotonic() - started:.1f} s"
                if path is not None:
                    _write(path, found)
            say(f"{title}: {len(pixels)} tiles by {describer.name}, {how}")
            yield describer.name, found

    def all(self, title: str, pixels: Pixels, tokens: bool = False) -> dict[str, Features]:
        """Features of a set of tiles by the name of the encoder."""
        return dict(self.features(title, pixels, tokens))

    def _path(self, describer: Describer, content: str, tokens: bool) -> Path | None:
        if self._cache is None:
            return None
        facts = json.dumps([describer.identity, content, tokens], sort_keys=True)
        return self._cache / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.npz"


def _describe(describer: Describer, pixels: Pixels, tokens: bool) -> Features:
    vectors, means, kept = [], [], []
    for start in range(0, len(pixels), BATCH):
        embedding, maps = describer.describe(pixels[start : start + BATCH])
        vectors.append(embedding)
        if maps is not None:
            means.append(maps.mean((1, 2)))
            if tokens:
                kept.append(maps)
    return Features(
        np.concatenate(vectors),
        np.concatenate(means) if means else None,
        np.concatenate(kept) if kept else None,
    )


def _write(path: Path, found: Features) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {k: v for k, v in vars(found).items() if v is not None}
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    partial.replace(path)


def _read(path: Path) -> Features:
    with np.load(path) as arrays:
        return Features(arrays["embedding"], arrays.get("mean_token"), arrays.get("tokens"))
