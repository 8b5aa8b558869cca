"""A chart of a measure over magnifications, as SVG that scales and prints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ..regions import palette

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 40
#: Which line is which is told by its marker too, for those who do not see its colour.
CORNERS: dict[str, list[tuple[float, float]]] = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "triangle": [(0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
    "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
}
MARKERS = ("circle", *CORNERS)


@dataclass(frozen=True)
class Point:
    """One point of a line, with its interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


def line_chart(
    lines: Mapping[str, Sequence[Point]],
    *,
    y_label: str,
    x_label: str = "µm per pixel",
    y_range: tuple[float, float] | None = None,
) -> str:
    """Lines over a logarithmic axis, with whiskers for intervals and a legend below.

    Parameters
    ----------
    lines : mapping of name to points
        At least one point in all.
    y_label, x_label : str
    y_range : (float, float), optional
        Default: what occurs, and a little room.

    Returns
    -------
    str
        ``<figure>`` with an ``<svg>``.
    """
    every = [p for points in lines.values() for p in points]
    xs = sorted({p.x for p in every})
    values = [v for p in every for v in (p.y, p.low, p.high) if v is not None and math.isfinite(v)]
    lo, hi = y_range or _with_room(min(values), max(values))
    left, right = math.log(xs[0]), math.log(xs[-1])
    if right == left:
        left, right = left - 1, right + 1

    def x_of(x: float) -> float:
        share = (math.log(x) - left) / (right - left)
        return LEFT + 18 + share * (WIDTH - LEFT - RIGHT - 36)

    def y_of(y: float) -> float:
        return HEIGHT - BOTTOM - (min(max(y, lo), hi) - lo) / (hi - lo) * (HEIGHT - TOP - BOTTOM)

    name = escape(f"{y_label} over {x_label}")
    out = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">']
    for tick in ticks(lo, hi):
        y = y_of(tick)
        out.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(f'<text class="tick end" x="{LEFT - 6}" y="{y + 4:.1f}">{tick:.3g}</text>')
    out += (
        f'<text class="tick mid" x="{x_of(x):.1f}" y="{HEIGHT - BOTTOM + 16}">{x:g}</text>'
        for x in xs
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out.append(
        f'<text class="label mid" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}">'
        f"{escape(x_label)}</text>"
        f'<text class="label mid" transform="translate(13 {middle}) rotate(-90)">'
        f"{escape(y_label)}</text>"
    )
    keys = []
    count = max(1, len(lines) - 1)
    for i, ((name, points), colour) in enumerate(
        zip(lines.items(), palette(len(lines)), strict=True)
    ):
        # Side by side, so that whiskers at one resolution do not lie on each other.
        aside = 0.0 if len(lines) == 1 else (i / count - 0.5) * min(14, 4 * len(lines))
        ink = "rgb({}, {}, {})".format(*colour)
        marker = MARKERS[i % len(MARKERS)]
        at = [(x_of(p.x) + aside, y_of(p.y), p) for p in sorted(points, key=lambda p: p.x)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in at)
        out.append(f'<polyline fill="none" stroke="{ink}" stroke-width="1.6" points="{path}"/>')
        for x, y, p in at:
            if p.low is not None and p.high is not None:
                out.append(
                    f'<line stroke="{ink}" x1="{x:.1f}" x2="{x:.1f}" y1="{y_of(p.low):.1f}" '
                    f'y2="{y_of(p.high):.1f}"/>'
                )
            title = f"{name}, {p.x:g} {x_label}: {p.y:.3g}"
            out.append(f"<g><title>{escape(title)}</title>{_marker(marker, x, y, ink)}</g>")
        key = f'<svg viewBox="0 0 12 12">{_marker(marker, 6, 6, ink)}</svg>'
        keys.append(f'<span class="key">{key}{escape(name)}</span>')
    out.append("</svg>")
    return f"<figure>{''.join(out)}<figcaption>{''.join(keys)}</figcaption></figure>"


def ticks(lo: float, hi: float, about: int = 6) -> list[float]:
    """Round numbers between two ends."""
    rough = (hi - lo) / about
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    first = math.ceil(lo / step - 1e-9)
    last = math.floor(hi / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _with_room(lo: float, hi: float) -> tuple[float, float]:
    room = 0.08 * (hi - lo) or max(abs(hi), 1e-6) * 0.1
    return lo - room, hi + room


def _marker(kind: str, x: float, y: float, ink: str) -> str:
    r = 4.2
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{ink}"/>'
    points = " ".join(f"{x + r * dx:.1f},{y + r * dy:.1f}" for dx, dy in CORNERS[kind])
    return f'<polygon points="{points}" fill="{ink}"/>'
