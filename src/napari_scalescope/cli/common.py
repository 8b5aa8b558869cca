"""What all commands share: the application, options, and how errors and JSON are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from ..errors import ScaleScopeError

app = typer.Typer(
    name="scalescope",
    help="See what pathology foundation models see in a whole-slide image.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SlidePath = Annotated[
    str, typer.Argument(help="A slide: SVS, NDPI, SCN, TIFF, OME-Zarr (or its URL), PNG, JPEG.")
]
SlideMpp = Annotated[
    float | None,
    typer.Option("--slide-mpp", min=0.01, help="µm per pixel of the slide, if it does not say."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@contextmanager
def errors_in_words(as_json: bool) -> Iterator[None]:
    """Print what the user can act on, and exit with 1."""
    try:
        yield
    except ScaleScopeError as error:
        if as_json:
            print_json({"error": error.problem, "remedy": error.remedy})
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def print_json(value: dict[str, Any]) -> None:
    """One object on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
