"""How many tiles go through a network at once."""

from __future__ import annotations

from collections import defaultdict

#: Passes of one size that are timed before a larger one is tried.
TRIES = 3
#: A size is as good as the best where a tile takes at most this much longer.
AS_GOOD = 1.03
#: Where a tile takes this much longer than at the best size, larger ones are not tried. A pass that
#: something else on the machine held up must not end the search.
MUCH_WORSE = 1.3
#: Longest a pass may take, s: whoever moves the camera or stops waits for the one that runs.
LONGEST_S = 0.5


class BatchSize:
    """Finds the size that encodes fastest, with tiles that have to be encoded anyway.

    It begins with one tile, so that the first one is there soon, and doubles the size while the
    device has memory and a pass stays short, and then takes the best. How large a batch should be
    depends on the network, the tile size, the device and what else runs on it; nobody can look
    it up.

    Parameters
    ----------
    largest : int
        No pass takes more tiles.
    longest_s : float
        No size is tried whose pass would probably take longer.
    """

    def __init__(self, largest: int, longest_s: float = LONGEST_S) -> None:
        self._size = 1
        self._largest = largest
        self._longest_s = longest_s
        self._settled = False
        self.fixed = False
        self.note = ""
        self._warm = False
        self._seconds: dict[int, list[float]] = defaultdict(list)

    @property
    def size(self) -> int:
        """Tiles of the next pass."""
        return self._size

    @property
    def largest(self) -> int:
        """No pass takes more tiles."""
        return self._largest

    @property
    def settled(self) -> bool:
        """Whether it looks no further."""
        return self._settled

    def fix(self, size: int) -> None:
        """Use this size from now on; it is only ever made smaller, where memory ends."""
        if size < 1:
            raise ValueError(f"a batch has at least one tile, not {size}")
        self._size, self._settled = size, True
        self.fixed = True

    def took(self, tiles: int, seconds: float) -> None:
        """A pass of so many tiles took so long."""
        if self._settled or tiles != self._size:
            return
        if not self._warm:  # libraries set themselves up in the first pass of all
            self._warm = True
            return
        timed = self._seconds[tiles]
        timed.append(seconds / tiles)
        if len(timed) < TRIES:
            return
        larger = 2 * tiles
        worse = min(timed) > MUCH_WORSE * self._best()
        if worse or larger > self._largest or min(timed) * larger > self._longest_s:
            self._settle()
        else:
            self._size = larger

    def halve(self) -> bool:
        """The device ran out of memory; False where a smaller batch is not possible."""
        if self._size == 1:
            return False
        self._size //= 2
        self._settled = True
        self.note = f"memory was short: batches of {self._size} now"
        return True

    def _best(self) -> float:
        return min(min(timed) for timed in self._seconds.values())

    def _settle(self) -> None:
        good = AS_GOOD * self._best()
        self._size = min(size for size, timed in self._seconds.items() if min(timed) <= good)
        self._settled = True
