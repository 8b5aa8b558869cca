"""`scalescope compare`: encoders at several magnifications on slides of mine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from .common import AsJson, SlideMpp, app, errors_in_words, print_json


@dataclass(frozen=True)
class Question:
    """What to compare and how; the arguments of `scalescope compare`."""

    slides: tuple[str, ...]
    encoders: tuple[str, ...]
    mpps: tuple[float, ...]
    out: Path
    labels: Path | None = None
    store: Path | None = None
    block_um: float = 1000.0
    device: str = "auto"
    accept_licence: bool = False
    slide_mpp: float | None = None


@app.command()
def compare(
    slides: Annotated[list[str], typer.Argument(help="Slides, folders or patterns.")],
    encoders: Annotated[str, typer.Option(help="Encoders by their ids, with commas.")],
    out: Annotated[Path, typer.Option(help="The report, an HTML file.")],
    mpp: Annotated[str, typer.Option(help="µm per pixel, with commas.")] = "0.5,1,2",
    labels: Annotated[
        Path | None, typer.Option(help="Regions with classes (GeoJSON); probes are tried on them.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of embeddings: what is there is not computed again."),
    ] = None,
    block_um: Annotated[
        float, typer.Option(help="Side of the squares of tissue that probes are tested on, µm.")
    ] = 1000.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps")] = "auto",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licences of the weights.")
    ] = False,
    slide_mpp: SlideMpp = None,
    as_json: AsJson = False,
) -> None:
    """Compare encoders with each other, across magnifications, and on my labels.

    Beside the report a table of every number is written, as JSON with its provenance.
    """
    with errors_in_words(as_json):
        question = Question(
            tuple(slides), _listed(encoders), _numbers(mpp), out, labels, store, block_um, device,
            accept_licence, slide_mpp,
        )  # fmt: skip
        found = answer(question, bar=not as_json)
    if as_json:
        print_json(found)
        return
    for slide in found["slides"]:
        typer.echo(slide["slide"])
        for sentence in (*slide["conclusions"], *slide["notes"]):
            typer.echo(f"  {sentence}")
    typer.echo(f"Report: {found['report']}. Every number: {found['table']}")


def answer(question: Question, *, bar: bool) -> dict[str, Any]:
    """Compare, and write the report and the table; returns what they say and where they are."""
    from ..analysis.comparison import compare_encoders
    from ..encoders import load_encoder
    from ..exchange import read_regions
    from ..reports import comparison_as_dict, comparison_section, conclusions, write_report
    from ..slides import open_slide
    from .whole_slides import expanded

    labels = None if question.labels is None else read_regions(question.labels)
    encoders = [
        load_encoder(n, device=question.device, accept_licence=question.accept_licence)
        for n in question.encoders
    ]
    sections, tables, said = [], [], []
    for path in expanded(question.slides):
        with open_slide(path, mpp=question.slide_mpp) as slide, _told(bar) as report:
            found = compare_encoders(
                slide, encoders, question.mpps, labels, store=question.store,
                block_um=question.block_um, report=report,
            )  # fmt: skip
            sections.append(comparison_section(found, slide, encoders))
        tables.append(comparison_as_dict(found))
        said.append({"slide": found.slide, "conclusions": conclusions(found), "notes": found.notes})
    write_report(question.out, sections, [n["measure"] for t in tables for n in t["numbers"]])
    table = question.out.with_suffix(".json")
    table.write_text(json.dumps({"slides": tables}, indent=1), encoding="utf-8")
    return {"report": str(question.out), "table": str(table), "slides": said}


def _told(bar: bool) -> AbstractContextManager[Callable[[str, float], None]]:
    """A bar of what is being compared, or nothing."""
    return _bar() if bar else nullcontext(lambda _what, _share: None)


@contextmanager
def _bar() -> Iterator[Callable[[str, float], None]]:
    from rich.progress import Progress

    with Progress(transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(text: str) -> tuple[float, ...]:
    from ..errors import ScaleScopeError

    try:
        found = tuple(float(part) for part in _listed(text))
    except ValueError:
        found = ()
    if not found or min(found) <= 0:
        raise ScaleScopeError(f"--mpp {text} is no list of µm per pixel.", "Write 0.5,1,2.")
    return found
