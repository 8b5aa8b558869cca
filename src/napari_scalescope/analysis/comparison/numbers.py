"""`Number`: one figure of a comparison, with all that says what it is of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..probe import Score


@dataclass(frozen=True)
class Number:
    """One row of a tidy table.

    Parameters
    ----------
    measure : str
        Key of the measure.
    encoder : str
        What it is of.
    mpp : float
        At which resolution, µm per pixel.
    value : float
    other, other_mpp : str and float, optional
        What it is compared with, where it is.
    low, high : float, optional
        95 % interval.
    n : int
        How many tiles it was made of.
    note : str
    """

    measure: str
    encoder: str
    mpp: float
    value: float
    other: str = ""
    other_mpp: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    note: str = ""

    @classmethod
    def of(cls, score: Score, **facts: Any) -> Number:
        """A figure with its interval."""
        return cls(value=score.value, low=score.low, high=score.high, **facts)

    def as_dict(self) -> dict[str, Any]:
        """One row."""
        return asdict(self)
