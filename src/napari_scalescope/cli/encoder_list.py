"""The encoders, as rows for a program, a table for a terminal and a page for the docs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..encoders import Entry, availability, catalogue, known_encoders, unreleased
from ..encoders.weights import lacks

#: How the page of the docs is made anew.
COMMAND = "scalescope encoders --markdown"


def rows(folder: Path) -> list[dict[str, Any]]:
    """What is known of each encoder, and whether it can be used here."""
    return [
        {
            "id": e.id,
            "name": e.name,
            "state": availability(e, folder),
            "lacks": lacks(e, folder),
            "parameters_m": e.parameters_m,
            "dim": e.dim,
            "tile_px": e.input_px,
            "other_tile_px": list(e.other_px),
            "native_mpp": list(e.native_mpp),
            "trained_on": e.trained_on,
            "embedding": e.embedding,
            "shows": e.shows,
            "reads": e.text is not None,
            "licence": e.licence,
            "commercial": e.commercial,
            "gated": e.gated,
            "hub": e.hub,
        }
        for e in known_encoders(folder).values()
        if e.id not in unreleased()
    ]


def missing_rows() -> list[dict[str, Any]]:
    """Encoders that are not released, and what they need."""
    return [u.model_dump() for u in unreleased().values()]


def print_table(folder: Path) -> None:
    """A table as wide as the terminal; a pipe has no width, and nothing is cut off for it."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "M params", "D", "µm/px", "licence", "now", box=None)
    for e in known_encoders(folder).values():
        if e.id in unreleased():
            continue
        state = availability(e, folder)
        if state in ("on this machine", "your own"):
            state = lacks(e, folder) or state  # type: ignore[assignment]  # for a reader
        table.add_row(e.id, f"{e.parameters_m:.0f}", str(e.dim), _mpp(e), e.licence, state)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(f"Weights are looked for in {folder} and in the hub's cache.")
    console.print("`scalescope download ID` gets them from the hub.")
    console.print("\nNot released, and what would have to appear:")
    for u in unreleased().values():
        console.print(f"{u.id}: {u.why} → {u.needs}", highlight=False)


def markdown() -> str:
    """The page of the docs."""
    return "\n".join([*_page()]) + "\n"


def _page() -> Iterator[str]:
    known = list(catalogue().values())
    yield "# Encoders"
    yield ""
    yield f"Made by `{COMMAND}` from the catalogue, which is where each fact has its source."
    yield (
        "Every encoder here is built in the tests and its parameters are counted; its weights are "
        "its makers' and are got from them. *Commercial* is what its licence says: read it. "
        "*Shows* is what stands for where it looks: an encoder without a class token has no "
        "attention to show, and the norm of its last features is shown and called so. *Reads*: "
        "it can be asked [in words](text-queries.md)."
    )
    yield ""
    yield (
        "| id | name | parameters | tile | patch | embedding | length | µm/px | shows "
        "| reads | weights | licence | commercial |"
    )
    yield "| --- " * 13 + "|"
    for e in known:
        yield f"| {' | '.join(_cells(e))} |"
    yield ""
    yield "## Not released"
    yield ""
    yield "| id | name | makers | why | what would have to appear | paper |"
    yield "| --- " * 6 + "|"
    for u in unreleased().values():
        needs = u.needs
        if u.like:
            needs += f" A file of that kind loads today: it is taken for one like `{u.like}`."
        yield f"| `{u.id}` | {u.name} | {u.makers} | {u.why} | {needs} | {u.paper} |"


def _cells(e: Entry) -> Iterator[str]:
    yield f"`{e.id}`"
    yield e.name
    yield f"{e.parameters_m:,.1f} M"
    yield ", ".join(f"{px} px" for px in (e.input_px, *e.other_px))
    yield f"{e.patch_px} px"
    yield {"head": f"its {(e.head or '').replace('-', ' ')}"}.get(e.embedding, e.embedding)
    yield str(e.dim)
    yield _mpp(e)
    yield e.shows
    yield "yes" if e.text is not None else ""
    if e.seed is not None:
        yield "random"
    elif e.packaged is not None:
        yield "come with ScaleScope"
    else:
        place = f"[{e.hub}]({e.page})" if e.hub else "from its makers"
        yield place + (", gated" if e.gated else "")
    yield e.licence
    yield {True: "yes", False: "no", None: "?"}[e.commercial]


def _mpp(e: Entry) -> str:
    return e.native_text or ("not said" if e.trained_on == "tissue" else e.trained_on)
