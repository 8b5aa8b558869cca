"""The page of a comparison of encoders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from ..analysis.comparison import Comparison, Number, agreement_map
from ..analysis.measures import MEASURES, measure_of
from ..analysis.robustness import PERTURBATIONS
from ..encoders import Encoder, Entry
from ..errors import ExchangeError
from ..slides import Slide
from .chart import Point, line_chart
from .conclusions import RANKED_BY, conclusions, interval
from .page import cell, heading, page, paragraph, shaded, table
from .pictures import image, map_figure, small

ALIKE = ("neighbours", "cka", "rsa", "ari", "ami")
ITSELF = ("rank", "hubness", "uniformity")
#: Maps of agreement that a page holds at most.
MAPS = 6


def comparison_section(found: Comparison, slide: Slide, encoders: Sequence[Encoder]) -> str:
    """A comparison on one slide, as a part of a page.

    Parameters
    ----------
    found : Comparison
    slide : Slide
        That was compared on; open.
    encoders : sequence of Encoder
        That were compared.
    """
    parts = [
        *_top(found, slide, encoders),
        *_labels(found),
        *_scales(found),
        *_alike(found),
        *_stability(found),
        *_itself(found),
        *_provenance(found, [e.entry for e in encoders]),
    ]
    return f"<section>{''.join(parts)}</section>"


def write_report(path: str | Path, sections: Sequence[str], used: Iterable[str]) -> None:
    """Write sections as one HTML file that needs nothing else.

    Parameters
    ----------
    path : path
    sections : sequence of str
        Of `comparison_section`.
    used : iterable of str
        Keys of the measures that are explained at the end.

    Raises
    ------
    ExchangeError
        If it cannot be written.
    """
    text = page("Encoders compared", [*sections, *_how_to_read(used)])
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExchangeError(
            f"{path} could not be written: {error.strerror}.", "Choose another place with --out."
        ) from error


def _top(found: Comparison, slide: Slide, encoders: Sequence[Encoder]) -> Iterator[str]:
    yield f"<h1>Encoders on {escape(slide.name)}</h1>"
    w, h = slide.dimensions
    size = slide.size_mm
    extent = "" if size is None else f", {size[0]:.1f} × {size[1]:.1f} mm"
    yield paragraph(
        f"{w:,} × {h:,} pixels{extent}, {slide.require_mpp():.4g} µm/px ({slide.mpp_source}). "
        f"{len(encoders)} encoders at {', '.join(f'{m:g}' for m in found.mpps)} µm/px.",
        soft=True,
    )
    said = conclusions(found)
    if said:
        yield f'<ul class="said">{"".join(f"<li>{escape(s)}</li>" for s in said)}</ul>'
    for note in found.notes:
        yield paragraph(note, soft=True)
    yield f"<figure>{image(small(slide), slide.name)}</figure>"
    yield heading("The encoders")
    yield table(
        ["Encoder", "Trained at, µm/px", "Embedding", "Parameters", "Tiles/s here", "Precision"],
        (
            [
                escape(e.entry.name) + f'<br><small class="soft">{escape(e.name)}</small>',
                escape(_trained(e.entry)),
                f"{e.dim}",
                f"{e.entry.parameters_m:.3g} M",
                " / ".join(
                    f"{n.value:.3g}" for m in found.mpps if (n := found.of("speed", e.name, m))
                ),
                f"{e.precision}, {e.device}",
            ]
            for e in encoders
        ),
    )


def _trained(entry: Entry) -> str:
    if not entry.trained:
        return "not trained"
    if entry.trained_on == "photographs":
        return "on photographs"
    return ", ".join(f"{m:g}" for m in entry.native_mpp) or "not said"


def _over_mpp(found: Comparison, measure: str) -> dict[str, list[Point]]:
    lines = {
        name: [
            Point(mpp, n.value, n.low, n.high)
            for mpp in found.mpps
            if (n := found.of(measure, name, mpp)) is not None
        ]
        for name in found.encoders
    }
    return {name: points for name, points in lines.items() if points}


def _labels(found: Comparison) -> Iterator[str]:
    if not found.labelled:
        return
    yield heading("On my labels")
    yield paragraph(MEASURES["balanced_accuracy"].tooltip, soft=True)
    lines = _over_mpp(found, RANKED_BY)
    if lines:
        yield line_chart(lines, y_label="Balanced accuracy, logistic probe")
    for mpp, labelled in sorted(found.labelled.items()):
        yield heading(f"{mpp:g} µm/px", 3)
        tested = labelled.tallies[next(iter(labelled.tallies))]["kNN"].tested
        counts = {
            str(c): int((labelled.labels[tested] == c).sum()) for c in sorted(set(labelled.labels))
        }
        yield paragraph(
            ", ".join(f"{c}: {n} tiles" for c, n in counts.items())
            + "".join(f". {c} lies in one place only and was left out" for c in labelled.left_out)
            + ".",
            soft=True,
        )
        columns = [
            f"{score}, {metric}"
            for score in ("balanced_accuracy", "macro_f1", "auc")
            for metric in ("kNN", "logistic", "few-shot")
        ]
        yield _scores(found, mpp, columns)
        yield f'<div class="maps">{map_figure(labelled.best_map(), "Best encoder")}</div>'


def _scores(found: Comparison, mpp: float, columns: Sequence[str]) -> str:
    of = {c: {e: found.of(c, e, mpp) for e in found.encoders} for c in columns}
    top = {c: max((n.value for n in by.values() if n), default=None) for c, by in of.items()}
    tests = {
        n.encoder: n.value for n in found.numbers if n.measure == "p, McNemar" and n.mpp == mpp
    }

    def row(name: str) -> list[str]:
        cells = [escape(name)]
        for c in columns:
            there = of[c][name]
            if there is None:
                cells.append("")
                continue
            low, high, value = there.low, there.high, there.value
            note = "" if low is None or high is None else f"{low:.2f} to {high:.2f}"
            cells.append(cell(f"{value:.3f}", note, best=value == top[c]))
        p = tests.get(name)
        return [*cells, "best" if p is None else f"{p:.2g}"]

    heads = [
        f'<span title="{escape(measure_of(c).tooltip)}">{escape(measure_of(c).name)}<br>'
        f"{escape(c.partition(', ')[2])}</span>"
        for c in columns
    ]
    return table(["Encoder", *heads, "p to best<br>McNemar"], map(row, found.encoders))


def _scales(found: Comparison) -> Iterator[str]:
    of = [n for n in found.numbers if n.measure in ("same place", "agreement")]
    if not of:
        return
    yield heading("Across magnifications")
    pairs = sorted({(n.other_mpp or 0.0, n.mpp) for n in of})
    for measure in ("same place", "agreement"):
        yield heading(MEASURES[measure].name, 3)
        yield paragraph(MEASURES[measure].tooltip, soft=True)
        by = {(n.encoder, n.other_mpp, n.mpp): n for n in of if n.measure == measure}
        yield table(
            ["Encoder", *(f"{fine:g} ↔ {coarse:g} µm/px" for fine, coarse in pairs)],
            (
                [
                    escape(name),
                    *(
                        shaded(interval(n), n.value) if (n := by.get((name, *pair))) else ""
                        for pair in pairs
                    ),
                ]
                for name in found.encoders
            ),
        )


def _alike(found: Comparison) -> Iterator[str]:
    pairs: dict[tuple[str, str], dict[tuple[str, float], Number]] = {}
    for n in found.numbers:
        if n.measure in ALIKE:
            pairs.setdefault((n.encoder, n.other), {})[n.measure, n.mpp] = n
    if not pairs:
        return
    yield heading("Beside one another")
    for measure in ALIKE:
        yield heading(MEASURES[measure].name, 3)
        yield paragraph(MEASURES[measure].tooltip, soft=True)
        yield table(
            ["Pair", *(f"{m:g} µm/px" for m in found.mpps)],
            (
                [
                    escape(f"{a} – {b}"),
                    *(
                        shaded(f"{at.value:.2f}", at.value) if (at := by.get((measure, m))) else ""
                        for m in found.mpps
                    ),
                ]
                for (a, b), by in pairs.items()
            ),
        )
    yield heading("Where they agree", 3)
    yield paragraph(
        "Light: the same tiles are nearest to both encoders. Dark: they see something else there.",
        soft=True,
    )
    maps = []
    middle = found.mpps[len(found.mpps) // 2]
    for a, b in list(pairs)[:MAPS]:
        drawn = agreement_map(found.sets[a, middle], found.sets[b, middle])
        maps.append(map_figure(drawn, f"{a} – {b}, {middle:g} µm/px"))
    yield f'<div class="maps">{"".join(maps)}</div>'


def _stability(found: Comparison) -> Iterator[str]:
    if not found.stability:
        return
    yield heading("Under changes that should not matter")
    yield paragraph(MEASURES["drift"].tooltip, soft=True)
    keys = [k for k in PERTURBATIONS if any(f"drift, {k}" == n.measure for n in found.numbers)]
    for mpp in found.mpps:
        yield heading(f"{mpp:g} µm/px", 3)
        yield table(
            [
                "Encoder",
                *(
                    f'<span title="{escape(PERTURBATIONS[k].meaning)}">'
                    f"{escape(PERTURBATIONS[k].name)}</span>"
                    for k in keys
                ),
            ],
            (
                [
                    escape(name),
                    *(
                        shaded(f"{d.value:.2f}", d.value)
                        if (d := found.of(f"drift, {k}", name, mpp))
                        else ""
                        for k in keys
                    ),
                ]
                for name in found.encoders
            ),
        )


def _itself(found: Comparison) -> Iterator[str]:
    yield heading("How each fills its space")
    for measure in ITSELF:
        lines = _over_mpp(found, measure)
        if lines:
            yield heading(MEASURES[measure].name, 3)
            yield paragraph(MEASURES[measure].tooltip, soft=True)
            yield line_chart(lines, y_label=MEASURES[measure].name)


def _how_to_read(used: Iterable[str]) -> Iterator[str]:
    yield heading("What the numbers are")
    yield "<dl>"
    for measure in {m.name: m for m in map(measure_of, used)}.values():
        yield f"<dt>{escape(measure.name)}</dt><dd>{escape(measure.tooltip)}</dd>"
    yield "</dl>"
    yield paragraph(
        "Intervals are 95 % of bootstrap samples of the tiles of this slide: they say how far the "
        "number depends on which tiles were looked at, not how it would be on another slide.",
        soft=True,
    )


def _provenance(found: Comparison, entries: Sequence[Entry]) -> Iterator[str]:
    yield heading("Where it comes from")
    facts = []
    for entry in entries:
        emb = found.sets[entry.id, found.mpps[0]]
        made = emb.provenance.get("encoder", {})
        facts.append(
            [
                escape(entry.name),
                escape(str(made.get("weights_sha256", ""))[:12]),
                escape(str(made.get("precision", ""))),
                " / ".join(f"{len(found.sets[entry.id, m]):,}" for m in found.mpps),
                f"{emb.grid.tile_px} px",
            ]
        )
    yield table(["Encoder", "Weights", "Precision", "Tiles", "Tile"], facts)
    yield paragraph("For research. Not for diagnosis.", soft=True)
