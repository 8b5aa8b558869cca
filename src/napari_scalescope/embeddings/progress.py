"""How far a job is, how fast, and where its time goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of a job.

    Parameters
    ----------
    done, total : int
        Tiles dealt with, of those to encode. What the store already had is not counted.
    reused : int
        Tiles the store already had.
    rate : float
        Tiles per second, 0 until it is known.
    reading, encoding, writing : float
        Share of the time spent waiting for pixels, in the encoder, and waiting for the store,
        0 to 1. While it waits the encoder is idle.
    unreadable : int
        Of those done, tiles whose part of the file is damaged: they have no vector.
    left_out : int
        Tiles that were asked for and are not among ``total`` and ``reused``: too many for a job.
    note : str
        What happened on the way that should be known, as that memory became short.
    """

    done: int
    total: int
    reused: int = 0
    rate: float = 0.0
    reading: float = 0.0
    encoding: float = 0.0
    unreadable: int = 0
    left_out: int = 0
    writing: float = 0.0
    note: str = ""

    @property
    def eta_s(self) -> float | None:
        """Seconds left, None while that cannot be said."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


class Meter:
    """Counts tiles and time for a job.

    The rate is that of the last seconds rather than of the whole job, so that it tells what
    happens now.

    Parameters
    ----------
    total, reused, left_out : int
        As in `Progress`.
    part_of : Meter, optional
        That of a larger job, which counts all that is counted here.
    """

    WINDOW_S = 10.0

    def __init__(
        self, total: int, reused: int = 0, left_out: int = 0, part_of: Meter | None = None
    ) -> None:
        self.total, self.reused, self.left_out = total, reused, left_out
        self._whole = part_of
        if part_of is not None:
            part_of.total += total
            part_of.reused += reused
        self.done = self.unreadable = 0
        self.note = ""
        self._read_s = self._encode_s = self._write_s = 0.0
        self._recent = [(time.perf_counter(), 0)]

    def add(
        self, tiles: int, read_s: float, encode_s: float, write_s: float = 0.0, unreadable: int = 0
    ) -> Progress:
        """Count a finished batch, the unreadable ones among its tiles included."""
        now = time.perf_counter()
        self.done += tiles
        self.unreadable += unreadable
        self._read_s += read_s
        self._encode_s += encode_s
        self._write_s += write_s
        self._recent.append((now, self.done))
        while len(self._recent) > 2 and now - self._recent[0][0] > self.WINDOW_S:
            self._recent.pop(0)
        if self._whole is not None:
            self._whole.note = self.note
            self._whole.add(tiles, read_s, encode_s, write_s, unreadable)
        return self.now()

    def wrote(self, seconds: float) -> None:
        """Count time that was spent waiting for the store."""
        self._write_s += seconds
        if self._whole is not None:
            self._whole.wrote(seconds)

    def now(self) -> Progress:
        """The job at this moment."""
        (t0, n0), (t1, n1) = self._recent[0], self._recent[-1]
        spent = self._read_s + self._encode_s + self._write_s
        return Progress(
            self.done,
            self.total,
            self.reused,
            (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0,
            self._read_s / spent if spent else 0.0,
            self._encode_s / spent if spent else 0.0,
            self.unreadable,
            self.left_out,
            self._write_s / spent if spent else 0.0,
            self.note,
        )


Report = Callable[[Progress], None]


def reporter(progress: bool | Report, title: str) -> AbstractContextManager[Report]:
    """Where a job reports to: the callable given, a bar on standard error (True), or nowhere."""
    if callable(progress):
        return nullcontext(progress)
    return _bar(title) if progress else nullcontext(lambda _: None)


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} tiles"),
        TextColumn("{task.fields[rate]:.1f} tiles/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=0, rate=0.0, note="", visible=False)
        yield lambda p: bar.update(
            task, total=p.total, completed=p.done, rate=p.rate, note=p.note, visible=True
        )
