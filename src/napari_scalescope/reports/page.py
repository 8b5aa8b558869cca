"""One HTML file that needs nothing else: no network, no fonts, no scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6676; --line: #d5dae2;
  --page: #ffffff; --card: #f5f7fa; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --soft: #9aa5b4; --line: #39424f; --page: #171b21; --card: #20262e; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 62rem; color: var(--ink);
  background: var(--page); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .4rem; border-top: 1px solid var(--line);
  padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p, li { max-width: 46rem; }
.soft { color: var(--soft); font-size: .88rem; }
.said { background: var(--card); border-radius: .5rem; padding: .6rem 1rem .6rem 2rem; }
figure { margin: .6rem 0; max-width: 46rem; }
figure > svg, figure > img { width: 100%; height: auto; display: block; }
figure > img.map { image-rendering: pixelated; }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .88rem;
  color: var(--soft); }
.key svg { width: .8em; height: .8em; margin-right: .3em; vertical-align: -.05em; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .tick { fill: var(--soft); }
svg .mid { text-anchor: middle; }
svg .end { text-anchor: end; }
svg .grid { stroke: var(--line); stroke-width: 1; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
td.best { font-weight: 700; }
td small { color: var(--soft); display: block; font-size: .78em; }
.maps { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .8rem; }
dl { max-width: 46rem; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; color: #000; background: #fff; }
  h2 { break-after: avoid; }
  figure, tr, .maps > * { break-inside: avoid; }
  .wide { overflow: visible; }
}
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document."""
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself where the page is narrow. Cells are HTML, `cell` makes them.

    Cells that begin with ``<td`` are taken as they are.
    """
    heads = "".join(f'<th scope="col">{h}</th>' for h in head)
    body = "".join(
        "<tr>" + "".join(c if c.startswith("<td") else f"<td>{c}</td>" for c in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cell(text: str, note: str = "", *, best: bool = False) -> str:
    """A cell with a smaller line below, in bold where it is the best of its column."""
    small = f"<small>{escape(note)}</small>" if note else ""
    return (
        f'<td class="best">{escape(text)}{small}</td>'
        if best
        else (f"<td>{escape(text)}{small}</td>")
    )


def shaded(text: str, share: float) -> str:
    """A cell of a matrix, the darker the greater its share, 0 to 1. The number is always there."""
    weight = round(100 * min(max(share, 0), 1) * 0.55)
    style = f"background: color-mix(in srgb, rgb(0, 114, 178) {weight}%, transparent)"
    return f'<td style="{style}">{escape(text)}</td>'


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, *, soft: bool = False) -> str:
    """A paragraph of plain text."""
    return f'<p class="soft">{escape(text)}</p>' if soft else f"<p>{escape(text)}</p>"
