"""`scalescope pretrain`: one training run, from files to weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ..errors import SlideError
from ..pretraining.plot import plot_log
from ..pretraining.recipes import load_recipe
from ..pretraining.sources import (
    Source,
    SourceEntry,
    load_picture,
    load_sources,
    packaged_sources,
    read_source_list,
)
from ..pretraining.teachers import EncoderTeacher, Teacher
from ..pretraining.train import LOG, Trainer


@dataclass(frozen=True)
class Run:
    """What to train on and how; the arguments of `scalescope pretrain`."""

    slides: tuple[Path, ...]
    recipe: str
    out: Path
    data: Path | None = None
    sources: Path | None = None
    teacher: str | None = None
    teacher_weights: Path | None = None
    steps: int | None = None
    device: str = "auto"


def pretrain(run: Run, *, quiet: bool = False) -> dict[str, Any]:
    """Train, or go on training, and write the weights beside the log.

    Returns
    -------
    dict
        Steps done, seconds, the last losses, and where the weights are.
    """
    from safetensors.torch import save_file

    recipe = load_recipe(run.recipe)
    sources = _sources(run)
    teacher: Teacher | None = None
    if recipe.distills and run.teacher is not None:
        teacher = EncoderTeacher(run.teacher, run.teacher_weights, run.device)
    if not quiet:
        for source in sources:
            typer.echo(
                f"{source.entry.name}: {len(source.pictures)} pictures, "
                f"{source.megapixels:.0f} MP, {source.entry.licence}"
            )
    trainer = Trainer(recipe, sources, run.out, teacher, run.device)
    if trainer.step and not quiet:
        typer.echo(f"going on from step {trainer.step}")

    def report(line: dict[str, float]) -> None:
        left = (recipe.steps - line["step"]) * line["seconds"] / line["step"] / 60
        typer.echo(
            f"step {line['step']:.0f} of {recipe.steps}  loss {line['loss']:.3f}  "
            f"{line['views_per_s']:.0f} views/s  {left:.0f} min left"
        )

    trainer.run(run.steps, report=None if quiet else report)
    weights = run.out / f"{recipe.name}.safetensors"
    save_file(trainer.state(), weights)
    last = (run.out / LOG).read_text(encoding="utf-8").splitlines()[-1:]
    if last:
        plot_log(run.out / LOG, run.out / "losses.svg")
    return {
        "recipe": recipe.name,
        "steps": trainer.step,
        "of": recipe.steps,
        "seconds": round(trainer.seconds, 1),
        "weights": str(weights),
        "last": json.loads(last[0]) if last else {},
    }


def _sources(run: Run) -> list[Source]:
    if run.slides:
        return [
            Source(
                SourceEntry(name=path.name, files=path.name, licence="yours"),
                (load_picture(path),),
            )
            for path in run.slides
        ]
    if run.data is None:
        raise SlideError("There is nothing to train on.", "Name slides, or a folder with --data.")
    entries = read_source_list(run.sources) if run.sources else packaged_sources()
    return load_sources(entries, run.data)
