"""The loss plot of a run, as SVG."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

WIDTH, HEIGHT, GAP = 300, 150, 46


def plot_log(log: Path, out: Path) -> None:
    """Draw every column of a training log against the step, a panel each.

    Parameters
    ----------
    log : Path
        ``log.jsonl`` of a run.
    out : Path
        Where the SVG goes.
    """
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    names = sorted({k for line in lines for k in line} - {"step", "seconds", "views_per_s", "rate"})
    names.remove("loss")
    names.insert(0, "loss")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    w, h = columns * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP
    last = max(line["step"] for line in lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}">',
        '<g font-family="sans-serif" font-size="11" fill="#444">',
        f'<rect width="{w}" height="{h}" fill="white"/>',
    ]
    for i, name in enumerate(names):
        x = GAP + i % columns * (WIDTH + GAP)
        y = GAP + i // columns * (HEIGHT + GAP)
        parts += _panel(name, [line for line in lines if name in line], last, x, y)
    out.write_text("\n".join([*parts, "</g></svg>\n"]), encoding="utf-8")


def _panel(name: str, lines: list[dict[str, float]], last: float, x: int, y: int) -> list[str]:
    steps = np.array([line["step"] for line in lines])
    values = np.array([line[name] for line in lines])
    low, high = float(values.min()), float(values.max())
    across = x + steps / last * WIDTH
    down = y + HEIGHT - (values - low) / max(high - low, 1e-9) * HEIGHT
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, down, strict=True))
    return [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ccc"/>',
        f'<text x="{x}" y="{y - 6}" font-weight="bold">{name.replace("_", " ")}</text>',
        f'<text x="{x - 4}" y="{y + 9}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{x - 4}" y="{y + HEIGHT}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{x + WIDTH}" y="{y + HEIGHT + 13}" text-anchor="end">step {last:g}</text>',
        f'<polyline points="{points}" fill="none" stroke="#7a3e9d" stroke-width="1.5"/>',
    ]
