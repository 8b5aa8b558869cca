"""`scalescope cohort`: many slides, what was embedded of them, and what looks alike."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .common import AsJson, app, errors_in_words, print_json

cohort = typer.Typer(
    name="cohort",
    help="Search the embeddings of many slides.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(cohort)

File = Annotated[Path, typer.Option("--cohort", "-c", help="The cohort's Parquet file.")]
Encoder = Annotated[str | None, typer.Option("--encoder", "-e", help="Of this encoder.")]
Mpp = Annotated[float | None, typer.Option("--mpp", "-m", help="At this resolution, µm/px.")]
TilePx = Annotated[int | None, typer.Option(help="With tiles of this side.")]
Precision = Annotated[str | None, typer.Option(help="Encoded in fp32, bf16 or fp16.")]
Weights = Annotated[str | None, typer.Option(help="How the sha256 of the weights begins.")]
DEFAULT = Path("cohort.parquet")


@cohort.command()
def scan(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Stores. Default: those of the last scan.", metavar="FOLDER..."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The Parquet file.")] = DEFAULT,
    slides: Annotated[
        list[str] | None,
        typer.Option(help="Folder of the slides, or a slide or its URL; several times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write or refresh the catalogue of some stores. Only sets that changed are read."""
    from ..embeddings.cohort import Cohort

    with errors_in_words(as_json):
        made = Cohort.scan(folders or (), out, slides=slides or ())
    placed = {r.fingerprint for r in made.rows if r.place}
    every = {r.fingerprint for r in made.rows}
    if as_json:
        print_json(
            {
                "cohort": str(out),
                "sets": len(made.rows),
                "read": made.read,
                "slides": len(every),
                "slides_found": len(placed),
                "tiles": sum(r.tiles for r in made.rows),
                "warnings": made.doubts,
            }
        )
        return
    typer.echo(
        f"{out}: {len(made.rows)} sets of {len(every)} slides, "
        f"{sum(r.tiles for r in made.rows):,} tiles; {made.read} sets were new or changed"
    )
    if len(placed) < len(every):
        typer.echo(
            f"note: it is not known where {len(every) - len(placed)} of the slides are; "
            "say so with --slides FOLDER",
            err=True,
        )
    for doubt in made.doubts:
        typer.echo(f"note: {doubt}", err=True)


@cohort.command()
def ls(
    file: File = DEFAULT,
    sets: Annotated[bool, typer.Option("--sets", help="Each slide too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what can be searched together, and which index there is."""
    from ..embeddings.cohort import Cohort

    with errors_in_words(as_json):
        rows = [_facts(c, sets) for c in Cohort.open(file).collections()]
    if as_json:
        print_json({"cohort": str(file), "collections": rows})
        return
    for row in rows:
        index = "no index"
        if row["index"]["tiles"]:
            lacks = row["index"]["lacks"]
            index = f"index, {_recall(row['index']['recall'])}"
            index += f", {lacks:,} tiles not in it" if lacks else ""
        typer.echo(f"{row['title']}: {row['slides']} slides, {row['tiles']:,} tiles, {index}")
        for one in row.get("sets", ()):
            typer.echo(
                f"  {one['slide']}: {one['tiles']:,} tiles, {one['path'] or 'place unknown'}"
            )


def _facts(collection: Any, sets: bool) -> dict[str, Any]:
    index = collection.index
    row = collection.rows[0]
    facts = {
        "title": collection.title,
        "space": collection.space,
        "encoder": row.encoder,
        "weights_sha256": row.weights_sha256,
        "precision": row.precision,
        "mpp": row.mpp,
        "tile_px": row.tile_px,
        "dim": collection.dim,
        "slides": collection.slides,
        "tiles": collection.tiles,
        "index": {
            "tiles": index.count,
            "bytes": index.bytes,
            "recall": index.contents.recall,
            "lacks": sum(r.tiles for r in index.lacks(collection.rows)),
        },
    }
    if sets:
        facts["sets"] = [
            {
                "slide": r.slide,
                "fingerprint": r.fingerprint,
                "path": r.place or None,
                "set": str(r.path),
                "stride_px": r.stride_px,
                "tiles": r.tiles,
            }
            for r in collection.rows
        ]
    return facts


@cohort.command()
def index(
    file: File = DEFAULT,
    encoder: Encoder = None,
    mpp: Mpp = None,
    tile_px: TilePx = None,
    precision: Precision = None,
    weights: Weights = None,
    measure: Annotated[
        bool, typer.Option(help="Measure its recall, which takes one exact search.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Build the index that is needed above a million tiles, or bring it up to date."""
    from ..embeddings.cohort import Cohort

    with errors_in_words(as_json):
        chosen = Cohort.open(file).select(
            encoder, mpp, tile_px=tile_px, precision=precision, weights=weights
        )
        done = 0

        def report(new: int) -> None:
            nonlocal done
            done += new
            if not as_json and sys.stderr.isatty():
                typer.echo(f"\r{done:,} tiles", nl=False, err=True)

        added = chosen.build_index(measure=measure, report=report)
    said = chosen.index
    facts = {
        "title": chosen.title,
        "added": added,
        "tiles": said.count,
        "bytes": said.bytes,
        "recall": said.contents.recall,
        "asked": said.contents.asked,
        "folder": str(said.folder),
    }
    if as_json:
        print_json(facts)
    else:
        typer.echo(
            f"{chosen.title}: {added:,} tiles added, {said.count:,} in all, "
            f"{said.bytes / 2**20:,.1f} MiB, {_recall(said.contents.recall)}"
        )


@cohort.command()
def search(
    slide: Annotated[str, typer.Option(help="Slide to ask about: name, path or fingerprint.")],
    at: Annotated[str, typer.Option(metavar="X,Y", help="Place on it, level-0 pixels.")],
    file: File = DEFAULT,
    encoder: Encoder = None,
    mpp: Mpp = None,
    tile_px: TilePx = None,
    precision: Precision = None,
    weights: Weights = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 20,
    per_slide: Annotated[
        int | None, typer.Option(min=1, help="At most so many of one slide.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Slide to leave out; several times.")
    ] = None,
    others: Annotated[bool, typer.Option("--others", help="Leave out the slide itself.")] = False,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Leave out tiles that overlap a better one.")
    ] = False,
    method: Annotated[str, typer.Option(help="auto, exact or index.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Find the tiles of all slides that look most like a place of one of them."""
    from ..embeddings.cohort import Cohort

    x, y = _place(at)
    if method not in ("auto", "exact", "index"):
        raise typer.BadParameter("--method takes auto, exact or index")
    with errors_in_words(as_json):
        chosen = Cohort.open(file).select(
            encoder, mpp, tile_px=tile_px, precision=precision, weights=weights
        )
        vector = chosen.vector_at(slide, x, y)
        own = [chosen.of_slide(slide)[0].fingerprint] if others else []
        found = chosen.search(
            vector,
            k,
            per_slide=per_slide,
            exclude=[*(exclude or ()), *own],
            overlapping=not distinct,
            method=method,  # type: ignore[arg-type]
        )
    if as_json:
        print_json(
            {
                "collection": chosen.title,
                "tiles": found.tiles,
                "exact": found.exact,
                "recall": found.recall,
                "hits": [h.as_dict() for h in found],
            }
        )
        return
    for hit in found:
        x, y = hit.box.centre
        typer.echo(f"{hit.cosine:.4f}  {hit.slide}  at {x:.0f},{y:.0f}")
    if not found.exact:
        typer.echo(
            f"found with the index among {found.tiles:,} tiles; {_recall(found.recall)}", err=True
        )


def _recall(recall: float | None) -> str:
    """How much an index finds."""
    return "recall not measured" if recall is None else f"{recall:.1%} of the ten nearest found"


def _place(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter("--at takes X,Y in level-0 pixels, as 12000,8000") from None
    return x, y
