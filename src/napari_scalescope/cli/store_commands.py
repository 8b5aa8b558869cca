"""`scalescope store ls | verify | prune | merge`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import StoreError
from .common import AsJson, app, errors_in_words, print_json

if TYPE_CHECKING:
    from ..embeddings.inventory import SetFacts

store = typer.Typer(help="Look after folders of embeddings.", no_args_is_help=True)
app.add_typer(store, name="store")

Folder = Annotated[Path, typer.Argument(help="Folder of a store.")]


@store.command("ls")
def ls(folder: Folder, as_json: AsJson = False) -> None:
    """List what a store holds: slides, encoders, resolutions, how much of each, and its size."""
    from ..embeddings.inventory import survey

    with errors_in_words(as_json):
        found = survey(folder)
    if as_json:
        print_json({"sets": [facts.as_dict() for facts in found], **_totals(found)})
        return
    _print_sets(found)


@store.command()
def verify(
    folder: Folder,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Mark what cannot be read as not yet encoded."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read all of a store and say what is damaged.

    The exit status is 1 if something is damaged and was not repaired.
    """
    from ..embeddings import upkeep
    from ..embeddings.inventory import survey

    damages: list[dict[str, Any]] = []
    with errors_in_words(as_json):
        found = survey(folder)
        for facts in found:
            for damage in upkeep.verify(facts.path, repair=repair):
                mended = repair and damage.mended
                damages.append({**vars(damage), "set": str(facts.path), "repaired": mended})
                if not as_json:
                    again = f" ({damage.tiles} tiles to encode again)" if damage.tiles else ""
                    done = "repaired" if mended else "damaged"
                    typer.echo(f"{done}: {damage.where}: {damage.what}{again}")
    bad = [d for d in damages if not d["repaired"]]
    if as_json:
        print_json({"ok": not bad, "sets": len(found), "damages": damages})
    else:
        typer.echo(f"{_number(len(found), 'set')}: {len(damages) or 'nothing'} damaged")
        if bad and not repair:
            typer.echo("--repair marks what cannot be read as not yet encoded.")
    if bad:
        raise typer.Exit(1)


@store.command()
def prune(
    folder: Folder,
    encoder: Annotated[str | None, typer.Option("--encoder", "-e", help="Of this encoder.")] = None,
    slide: Annotated[str | None, typer.Option(help="Of the slide of this name.")] = None,
    mpp: Annotated[float | None, typer.Option("--mpp", "-m", help="At these µm/px.")] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Last written so many days ago.", metavar="DAYS")
    ] = None,
    unusable: Annotated[
        bool, typer.Option("--unusable", help="Of another layout, or beyond repair.")
    ] = False,
    leftovers: Annotated[
        bool, typer.Option("--leftovers", help="What killed processes left half written.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove sets that meet all the conditions that are given. Lists them first, and asks."""
    from ..embeddings.inventory import survey
    from ..embeddings.leftovers import find_leftovers, sweep
    from ..embeddings.upkeep import remove_set

    with errors_in_words(as_json):
        conditions = (encoder, slide, mpp, older_than, unusable or None)
        by_set = any(c is not None for c in conditions)
        if not by_set and not leftovers:
            raise StoreError(
                "It was not said what to remove.",
                "Say --encoder, --slide, --mpp, --older-than, --unusable or --leftovers.",
            )
        before = None if older_than is None else time.time() - older_than * 86400
        doomed = [
            facts
            for facts in (survey(folder) if by_set else [])
            if (encoder is None or facts.encoder == encoder)
            and (slide is None or slide in (facts.slide, Path(facts.slide).stem))
            and (mpp is None or abs(facts.mpp - mpp) < 1e-6)
            and (before is None or facts.modified <= before)
            and (not unusable or facts.problem)
        ]
        rest = list(find_leftovers(folder)) if leftovers else []
        if not as_json:
            _print_sets(doomed) if by_set else None
            for path in rest:
                typer.echo(f"left over: {path.relative_to(folder)}")
        if dry_run or not (doomed or rest):
            sure = False
        elif not yes and as_json:
            raise StoreError(
                "Nothing was removed: nobody can be asked.", "Say --yes, or --dry-run."
            )
        else:
            sure = yes or typer.confirm(
                f"Remove {_number(len(doomed), 'set')} and {_number(len(rest), 'leftover')}?"
            )
        if sure:
            for facts in doomed:
                remove_set(facts.path)
            rest = sweep(folder) if leftovers else []
    if as_json:
        paths = [str(p) for p in rest]
        listed = [facts.as_dict() for facts in doomed]
        print_json({"removed": sure, "sets": listed, "leftovers": paths, **_totals(doomed)})
    elif not (doomed or rest):
        typer.echo("Nothing meets that.")
    else:
        typer.echo("Removed." if sure else "Nothing was removed.")


@store.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Folders of stores.", metavar="FOLDER...")],
    into: Annotated[
        Path | None, typer.Option("--into", help="Bring all of them together in this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Merge batches that wait in journals, or stores of several machines into one.

    Into a store come the tiles that it lacks; what it has stays as it is. The sources are left
    as they are.
    """
    from ..embeddings.inventory import survey
    from ..embeddings.upkeep import bring_in, merge_journals

    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    with errors_in_words(as_json):
        for folder in folders:
            if into is None:
                for path, batches in merge_journals(folder):
                    rows.append({"path": str(path), "batches": batches})
                    if not as_json:
                        typer.echo(f"{path.name}: {_number(batches, 'batch', 'es')} merged")
                continue
            found = survey(folder)
            for facts in found:
                if facts.problem:
                    skipped.append({"path": str(facts.path), "problem": facts.problem})
                    if not as_json:
                        typer.echo(f"left out: {facts.problem}", err=True)
            for brought in bring_in((f for f in found if not f.problem), into):
                rows.append(brought.as_dict())
                if not as_json:
                    typer.echo(
                        f"{brought.path.name}: {brought.tiles} tiles came, {brought.parts} got "
                        f"more parts, {brought.kept} were there"
                    )
    if as_json:
        print_json({"sets": rows, "left_out": skipped})
    elif not rows:
        typer.echo("There was nothing to merge.")
    if skipped:
        raise typer.Exit(1)


# --- printing ---------------------------------------------------------------------------------


#: Columns of the table, and whether they hold numbers.
COLUMNS = {
    "slide": False,
    "encoder": False,
    "µm/px": True,
    "tile": True,
    "tiles": True,
    "encoded": True,
    "done": True,
    "background": True,
    "unreadable": True,
    "kept": False,
    "waiting": True,
    "size": True,
    "written": False,
    "weights": False,
}


def _print_sets(found: list[SetFacts]) -> None:
    """An aligned table, notes below it, and totals."""
    head = list(COLUMNS)
    table = [head, *(_row(facts) for facts in found)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table if found else []:
        cells = [
            text.rjust(width) if COLUMNS[name] else text.ljust(width)
            for name, text, width in zip(head, row, widths, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())
    for facts in found:
        if facts.problem:
            typer.echo(f"note: {facts.problem}")
        elif facts.other_version:
            typer.echo(
                f"note: {facts.path.name} ({facts.fingerprint[:12]}) is of another version of "
                f"{facts.slide} than the one that was embedded last."
            )
    totals = _totals(found)
    typer.echo(
        f"{_number(len(found), 'set')}, {totals['encoded']} tiles encoded, {_size(totals['bytes'])}"
    )


def _row(facts: SetFacts) -> list[str]:
    weights = {True: "trained", False: "random", None: "?"}[facts.trained]
    return [
        facts.slide + (" *" if facts.other_version else ""),
        facts.encoder or "?",
        f"{facts.mpp:.4g}",
        str(facts.tile_px),
        str(facts.tiles),
        "unusable" if facts.problem else str(facts.encoded),
        "" if facts.problem else f"{int(facts.done * 100)} %",
        str(facts.background),
        str(facts.unreadable),
        ", ".join(facts.parts) or "-",
        str(facts.unmerged),
        _size(facts.bytes),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(facts.modified)),
        weights,
    ]


def _totals(found: list[SetFacts]) -> dict[str, int]:
    return {"encoded": sum(f.encoded for f in found), "bytes": sum(f.bytes for f in found)}


def _number(count: int, what: str, plural: str = "s") -> str:
    return f"{count} {what}{'' if count == 1 else plural}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
