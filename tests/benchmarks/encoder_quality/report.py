"""The results as tables, for a terminal and for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from napari_scalescope.analysis.probe.bootstrap import LEVEL, RESAMPLES, Score
from napari_scalescope.analysis.probe.classifiers import GRID, NEIGHBOURS
from napari_scalescope.analysis.probe.evaluation import DRAWS, FEW_SHOT_C, METRICS
from napari_scalescope.analysis.probe.folds import SHOTS

from .claims import PARTS, Claim
from .clusters import MPP, SEEDS, STRIDE_PX
from .data import MIN_TISSUE
from .drift import TILES_PER_SET
from .maps import MPP as MAP_MPP
from .scales import PAIRS, TOPS, TREATMENTS


@dataclass
class Table:
    """Rows under a title, with what one has to know to read them."""

    title: str
    note: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def text(self) -> str:
        """For a terminal: columns as wide as what is in them."""
        lines = [self.header, *self.rows]
        wide = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        out = ["  ".join(c.ljust(w) for c, w in zip(line, wide, strict=True)) for line in lines]
        rule = "  ".join("-" * w for w in wide)
        return "\n".join([f"\n{self.title}", self.note, out[0], rule, *out[1:]])

    def markdown(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {self.title}\n\n{self.note}\n\n{body}\n"


def tables(results: dict[str, Any], names: list[str], twins: dict[str, str]) -> list[Table]:
    """Every table the results fill.

    Parameters
    ----------
    results : dict
        By the name of the part: what its ``run`` returned.
    names : list of str
        The columns.
    twins : dict of str
        For each encoder under test the name of its untrained twin.
    """
    makers = {
        "classification": lambda found: _classification(found, names, twins),
        "scales": lambda found: _scales(found, names),
        "drift": lambda found: _drift(found, names),
        "clusters": lambda found: _clusters(found, names),
        "maps": lambda found: _maps(found, names),
    }
    return [t for part, make in makers.items() if part in results for t in make(results[part])]


def markdown(made: list[Table], claims: list[Claim], settings: dict[str, Any]) -> str:
    """A page of the docs."""
    lines = [
        "# Encoder quality",
        "",
        (
            "Made by `python -m tests.benchmarks.encoder_quality`. Features are frozen; brackets "
            f"are {LEVEL:g} % percentile intervals of {RESAMPLES} bootstrap samples of the test "
            "items, the same samples for every encoder, so that differences are paired."
        ),
        "",
    ]
    for name, identity in settings["encoders"].items():
        weights = identity.get("weights_sha256", "none")[:16]
        lines.append(
            f"- `{name}`: {identity.get('encoder') or identity['describer']}, "
            f"weights sha256 {weights}"
        )
    out = ["\n".join(lines) + "\n", *(table.markdown() for table in made)]
    if claims:
        out.append(claims_table(claims).markdown())
    return "\n".join(out)


def claims_table(claims: list[Claim]) -> Table:
    rows = [[c.encoder, c.text, "holds" if c.holds else "DOES NOT HOLD", c.detail] for c in claims]
    note = "A claim holds where the whole interval is on its side."
    return Table("Claims", note, ["encoder", "claim", "", "figure"], rows)


def _classification(
    found: dict[str, Any], names: list[str], twins: dict[str, str]
) -> Iterator[Table]:
    note = (
        "Balanced accuracy. Features standardised by the training part; "
        f"kNN: {NEIGHBOURS} nearest by cosine; logistic: C of {GRID[0]:g} to {GRID[-1]:g} by "
        f"inner cross validation; few-shot: {SHOTS} labels a class (all of a class with fewer), "
        f"{DRAWS} draws, all other test tiles scored, C = {FEW_SHOT_C:g}. Intervals are over test "
        "tiles; the untrained weights are one draw, whose own scatter they leave out.\n\n"
    ) + "\n".join(
        f"- {title}: n = {s['n']}, {len(s['classes'])} classes; {s['note']}."
        for title, s in found["sets"].items()
    )
    scores = {title: s["scores"] for title, s in found["sets"].items()} | found["means"]
    table = Table("Labels", note, ["set", "metric", *names])
    for title, of in scores.items():
        for metric in METRICS:
            table.rows.append([title, metric, *(_cell(of[metric][name]) for name in names)])
    yield table
    compared = [(e, b) for e, twin in twins.items() for b in (twin, "colour", "mobilenet")]
    compared = [(e, b) for e, b in compared if b in names]
    if compared:
        header = ["set", "metric", *(f"{e} − {b}" for e, b in compared)]
        table = Table("Labels: differences", "Paired differences of the table above.", header)
        for title, of in scores.items():
            for metric in METRICS:
                cells = [_signed(of[metric][e] - of[metric][b]) for e, b in compared]
                table.rows.append([title, metric, *cells])
        yield table


def _scales(found: dict[str, Any], names: list[str]) -> Iterator[Table]:
    places = ", ".join(f"{section} {n['places']}" for section, n in found["counts"].items())
    note = (
        f"HER2ST {', '.join(found['sections'])}; a place is a 224 px tile at 1 µm/px at least "
        f"{100 * MIN_TISSUE:g} % tissue ({places}). Whole tiles: a tile is to find, by cosine, the "
        "tile around the same centre at another scale among all places of its slide, up and down. "
        "Parts of tiles: tokens of a coarse tile, pooled over the area of a fine tile inside it, "
        "are to find that tile's mean token. Vectors as they are, or each scale's set centred, or "
        f"standardised. Means over the pairs {', '.join(f'{a}–{b}' for a, b in PAIRS)} µm/px. "
        "Neighbouring places are not independent, which intervals over places ignore."
    )
    table = Table("Scales", note, ["what", "vectors", "", "chance", *names])
    for part, title in PARTS.items():
        of = found[part]
        for treatment in TREATMENTS:
            for top in (f"top-{n}" for n in TOPS):
                chance = next(iter(of.values()))["means"]["chance"][top]
                cells = [
                    _cell(of[n]["means"][treatment][top]) if n in of else "no tokens" for n in names
                ]
                table.rows.append([title, treatment, top, f"{chance:.3f}", *cells])
    yield table
    table = Table(
        "Scales by pair",
        "Top-1 of each pair; up is from fine to coarse.",
        ["what", "pair", "n", "chance", *names],
    )
    for part, title in PARTS.items():
        of = found[part]
        for key, first in next(iter(of.values()))["scores"].items():
            cells = [_cell(of[n]["scores"][key]["top-1"]) if n in of else "" for n in names]
            table.rows.append([title, key, str(first["n"]), f"{first['chance 1']:.3f}", *cells])
    yield table
    table = Table(
        "Agreement across scales",
        "Mean cosine of a place with itself at another scale / with other places, and what is "
        "left of the first when the second is taken off: (matched − random) / (1 − random).",
        ["pair", "", *names],
    )
    for a, b in PAIRS:
        of = {n: found["agreement"][n][f"{a}–{b}"] for n in names}
        cosines = [f"{of[n]['matched']:.3f} / {of[n]['random']:.3f}" for n in names]
        table.rows.append([f"{a}–{b}", "matched / random", *cosines])
        table.rows.append([f"{a}–{b}", "relative", *(_cell(of[n]["relative"]) for n in names)])
    yield table


def _drift(found: dict[str, Any], names: list[str]) -> Iterator[Table]:
    note = (
        f"1 − cosine between a tile and its changed version, mean over up to {TILES_PER_SET} tiles "
        f"of each of {', '.join(found['sets'])}; relative: as a share of the mean 1 − cosine of "
        "different tiles, so that an encoder to which all tiles are alike does not look stable. "
        "Lower is better. Stain: haematoxylin up and eosin down by the share, and the reverse."
    )
    table = Table("Drift", note, ["change", "", *names])
    for change in found["raw"]:
        for measure in ("relative", "raw"):
            cells = [_cell(found[measure][change][n], 4) for n in names]
            table.rows.append([change, measure, *cells])
    for title, one in found["sets"].items():
        cells = [f"{one['between tiles'][n]:.4f}" for n in names]
        table.rows.append([f"different tiles of {title}", "raw", *cells])
    yield table


def _clusters(found: dict[str, Any], names: list[str]) -> Iterator[Table]:
    slides = found["slides"]
    painted = ", ".join(f"{name} {n}" for name, n in slides["sample slide"]["classes"].items())
    sizes = ", ".join(f"{name} {of['n']} into {of['k']}" for name, of in slides.items())
    note = (
        f"k-means of the tiles of the sample slide and of phantoms made with other numbers "
        f"({MPP:g} µm/px, 224 px every {STRIDE_PX} px; {sizes}) into as many groups as there are "
        f"classes, against the class most of a tile is painted in (on the sample slide {painted}): "
        f"adjusted Rand index, mean ± deviation over {SEEDS} seeds. All these slides are made up; "
        "nothing was chosen by the phantoms."
    )
    table = Table("Clusters", note, ["slide", "vectors", *names])
    for treatment, means in found["means"].items():
        for slide, of in slides.items():
            of = of["ari"][treatment]
            cells = [f"{of[n]['mean']:.3f} ± {of[n]['sd']:.3f}" for n in names]
            table.rows.append([slide, treatment, *cells])
        table.rows.append(["mean", treatment, *(f"{means[n]:.3f}" for n in names)])
    yield table


def _cell(score: Score, digits: int = 3) -> str:
    return f"{score.value:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]"


def _signed(score: Score) -> str:
    return f"{score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}]"


def _maps(found: dict[str, Any], names: list[str]) -> Iterator[Table]:
    blocks = ", ".join(f"{title} {one['n']}" for title, one in found.items())
    tissue = ", ".join(f"{one['seams of the tissue']:.2f} on {t}" for t, one in found.items())
    note = (
        f"On adjoining tiles of {MAP_MPP:g} µm/px ({blocks}). Attention and haematoxylin: "
        "Spearman's correlation over the patches of a tile of the attention of CLS, mean of heads, "
        "with the density of haematoxylin. At the border: mean attention of a tile's outermost "
        "patches over that of the others. Seams: how much more the PCA colours of neighbouring "
        "patches differ with a seam between them than without; the tissue's own mean colours: "
        f"{tissue}."
    )
    shown = [n for n in names if all(n in one for one in found.values())]
    table = Table("Maps", note, ["slide", "", *shown])
    for title, one in found.items():
        for what in ("attention and haematoxylin", "attention at the border"):
            table.rows.append([title, what, *(_cell(one[n][what], 2) for n in shown)])
        seams = [f"{one[n]['seams of PCA colours']:.2f}" for n in shown]
        table.rows.append([title, "seams of PCA colours", *seams])
    yield table
