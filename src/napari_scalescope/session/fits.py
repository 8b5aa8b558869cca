"""`Fits`: what maps were fitted to, kept while the view moves and tiles arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ..analysis import PcaColours

T = TypeVar("T")

#: A fit on all of a slide is made anew when there is so much more to fit on. What has been encoded
#: grows by a batch at a time, and each such fit reads from all over the slide.
GROWTH = 1.1


class Fits:
    """Ranges and colours that outlive a map.

    The thread that paints uses them, and scripts that ask for a picture of their own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slide: dict[str, tuple[object, int, Any]] = {}
        self._colours: dict[tuple[str, bool], dict[str, PcaColours]] = {}

    def of_slide(self, name: str, what: object, count: int, make: Callable[[], T]) -> T:
        """Something fitted on all of a slide, as it was until there is much more of that.

        Parameters
        ----------
        name : str
            What is fitted; one of a name is kept.
        what : hashable
            What it is fitted on.
        count : int
            How much of that there is now.
        make : callable
            Fits it.
        """
        known = self._slide.get(name)
        if known is not None and known[0] == what and known[1] <= count < known[1] * GROWTH:
            found: T = known[2]
            return found
        made = make()
        self._slide[name] = (what, count, made)
        return made

    def newest_colours(self, space: str, tokens: bool) -> PcaColours | None:
        """The colours that were used last for vectors of an encoder, whatever the slide."""
        return next((c for _, c in self._newest_first(space, tokens)), None)

    def colours_before(self, space: str, tokens: bool, slide: str) -> PcaColours | None:
        """Those that were used last on another slide than the one of a fingerprint."""
        return next((c for of, c in self._newest_first(space, tokens) if of != slide), None)

    def keep_colours(self, colours: PcaColours, slide: str) -> None:
        """These colours were used on a slide."""
        with self._lock:
            kept = self._colours.setdefault((colours.space, colours.tokens), {})
            kept.pop(slide, None)
            kept[slide] = colours

    def _newest_first(self, space: str, tokens: bool) -> list[tuple[str, PcaColours]]:
        with self._lock:
            return list(reversed(self._colours.get((space, tokens), {}).items()))
