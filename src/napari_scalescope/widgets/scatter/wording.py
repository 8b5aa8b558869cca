"""Numbers as they are written over the points."""

from __future__ import annotations


def grouped(number: int) -> str:
    """A count with its thousands apart."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def short(number: int) -> str:
    """A count in at most five characters, for where there is no room for all of it."""
    if number < 10_000:
        return grouped(number)
    value, unit = (number / 1e3, "k") if number < 999_500 else (number / 1e6, "M")
    return f"{value:.0f}{unit}" if value >= 9.95 else f"{value:.1f}{unit}"


def counted(points: int) -> str:
    """A count of points."""
    return f"{grouped(points)} point{'' if points == 1 else 's'}"


def measured(value: float) -> str:
    """A value at the end of a scale."""
    return f"{value:.3g}".replace("-", "−")
