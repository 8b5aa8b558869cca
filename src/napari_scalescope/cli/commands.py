"""`scalescope`: what the docks do, for scripts and machines without a screen.

``--json`` prints one JSON object on standard output and nothing else. The exit status is 0 only
on success; errors are one sentence and a remedy on standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .common import AsJson, SlideMpp, SlidePath, app, errors_in_words, print_json

# --- demo -------------------------------------------------------------------------------------


@app.command()
def demo(
    slide: Annotated[
        str | None, typer.Argument(help="A slide of yours. Default: the sample slide.")
    ] = None,
    screenshots: Annotated[
        Path | None,
        typer.Option(help="Run the tour by itself and write its pictures to this folder."),
    ] = None,
    slide_mpp: SlideMpp = None,
) -> None:
    """Open a slide in napari with the Explorer beside it and live encoding on.

    On a machine without a display the same is done off-screen and pictures of it are written to
    the folder demo_out.
    """
    from .offscreen import has_display, run_offscreen

    with errors_in_words(False):
        if not has_display():
            folder = screenshots or Path("demo_out")
            arguments = ["demo", *([slide] if slide else []), "--screenshots", str(folder)]
            if slide_mpp is not None:
                arguments += ["--slide-mpp", str(slide_mpp)]
            raise typer.Exit(run_offscreen(arguments))
        from ..widgets.tour import run_demo

        run_demo(slide, screenshots, slide_mpp)


# --- info -------------------------------------------------------------------------------------


@app.command()
def info(slide: SlidePath, slide_mpp: SlideMpp = None, as_json: AsJson = False) -> None:
    """Say what is known of a slide: size, levels, resolution and where it comes from."""
    from ..slides import open_slide
    from ..slides.formats.icc import describe

    with errors_in_words(as_json), open_slide(slide, mpp=slide_mpp) as opened:
        facts: dict[str, Any] = {
            "name": opened.name,
            "format": opened.format,
            "dimensions": list(opened.dimensions),
            "size_mm": opened.size_mm,
            "mpp": opened.mpp,
            "mpp_source": opened.mpp_source,
            "objective": opened.resolution.objective,
            "warnings": list(opened.resolution.warnings),
            "levels": [
                {
                    "width": level.width,
                    "height": level.height,
                    "downsample": level.downsample,
                    "chunk": list(level.chunk),
                }
                for level in opened.levels
            ],
            "fluorescence": bool(opened.channels),
            "channels": list(opened.channels),
            "icc_profile": None if opened.profile is None else describe(opened.profile),
            "associated": list(opened.associated),
            "fingerprint": opened.fingerprint,
        }
    if as_json:
        print_json(facts)
        return
    w, h = facts["dimensions"]
    typer.echo(f"{facts['name']}: {facts['format']}, {w} × {h} px")
    if facts["mpp"] is None:
        typer.echo(f"resolution unknown ({facts['mpp_source']})")
    else:
        mm = " × ".join(f"{v:.2f}" for v in facts["size_mm"])
        typer.echo(f"{facts['mpp']:.4g} µm/px ({facts['mpp_source']}), {mm} mm")
    if facts["objective"]:
        typer.echo(f"objective {facts['objective']:g}×")
    if facts["fluorescence"]:
        channels = ", ".join(facts["channels"])
        typer.echo(f"fluorescence: {channels}; it is shown in false colours and not encoded")
    for warning in facts["warnings"]:
        typer.echo(f"note: {warning}")
    for i, level in enumerate(facts["levels"]):
        chunk = "×".join(map(str, level["chunk"]))
        typer.echo(
            f"level {i}: {level['width']} × {level['height']} px, 1/{level['downsample']:g}, "
            f"pieces of {chunk}"
        )
    if facts["icc_profile"] is not None:
        typer.echo(f"ICC profile: {facts['icc_profile']}; applied only where --icc asks for it")
    if facts["associated"]:
        typer.echo("also holds: " + ", ".join(facts["associated"]))
    typer.echo(f"fingerprint {facts['fingerprint'][:16]}…")


# --- embed ------------------------------------------------------------------------------------


@app.command()
def embed(
    slides: Annotated[
        list[str],
        typer.Argument(
            help="Slides to embed: files, folders, patterns in quotes ('*.svs'), URLs of OME-Zarr.",
            metavar="SLIDE...",
        ),
    ],
    encoder: Annotated[
        list[str], typer.Option("--encoder", "-e", help="Encoder; may be given several times.")
    ],
    mpp: Annotated[
        list[float],
        typer.Option("--mpp", "-m", min=0.05, max=100, help="µm/px to embed at; several times."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the store.")],
    tile_px: Annotated[
        int | None, typer.Option(min=14, help="Side of a tile; default: the encoder's own.")
    ] = None,
    stride_px: Annotated[
        int | None, typer.Option(min=1, help="Distance between tiles; default: no overlap.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Keep attention or patch_tokens beside the vectors; several times."),
    ] = None,
    all_tiles: Annotated[
        bool, typer.Option("--all-tiles", help="Embed glass too, not only tissue.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or fp32.")] = "auto",
    weights: Annotated[
        Path | None, typer.Option(help="Weights file or folder of the encoder.")
    ] = None,
    slide_mpp: SlideMpp = None,
    icc: Annotated[
        bool,
        typer.Option("--icc", help="Correct the colours by the slide's ICC profile first."),
    ] = False,
    skip_existing: Annotated[
        bool,
        typer.Option(help="Pass over slides whose sets are complete, without looking for tissue."),
    ] = False,
    accept_licence: Annotated[
        bool, typer.Option(help="Accept what the licence of the encoder's weights asks.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Run on a cluster of dask.distributed: its address or scheduler file, "
            "dask (what dask is configured for), or local:4 (processes here)."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Embed whole slides. What the store has is not computed again; stop and go on at will.

    A slide is read once for all encoders and resolutions. Single tiles that cannot be decoded are
    counted and printed, and tried again in the next run. A log of the run is in the store's
    folder .runs. The exit status is 0 if every slide was embedded; 1 if one could not be, or none
    of its tiles could be decoded (the others are embedded all the same), or if an encoder could
    not be loaded; 2 for arguments that make no sense; 130 after Ctrl-C.
    """
    from .whole_slides import Request, embed_slides

    if keep and not {*keep} <= {"attention", "patch_tokens"}:
        raise typer.BadParameter("--keep takes attention or patch_tokens")
    if precision not in ("auto", "bf16", "fp16", "fp32"):
        raise typer.BadParameter("--precision takes auto, bf16, fp16 or fp32")
    request = Request(
        slides=tuple(slides),
        encoders=tuple(encoder),
        mpps=tuple(mpp),
        out=out,
        tile_px=tile_px,
        stride_px=stride_px,
        keep=tuple(keep or ()),
        tissue=not all_tiles,
        device=device,
        precision=precision,
        weights=weights,
        slide_mpp=slide_mpp,
        icc=icc,
        skip_existing=skip_existing,
        accept_licence=accept_licence,
        scheduler=scheduler,
    )
    with errors_in_words(as_json):
        report = embed_slides(request, bar=not as_json and sys.stderr.isatty())
    if as_json:
        print_json(report)
    else:
        for row in report["sets"]:
            bad = f", {row['unreadable']} unreadable" if row["unreadable"] else ""
            typer.echo(
                f"{row['slide']} · {row['encoder']} · {row['mpp']:g} µm/px: {row['tiles']} tiles "
                f"({row['encoded']} new{bad}, {row['seconds']:.1f} s) in {row['path']}"
            )
        if report["skipped"]:
            typer.echo(f"{len(report['skipped'])} slides were complete and passed over")
        for doubt in report["warnings"]:
            typer.echo(f"note: {doubt['warning']}", err=True)
        for failure in report["failed"]:
            typer.echo(f"{failure['slide']}: {failure['error']} {failure['remedy']}", err=True)
    if report["failed"]:
        raise typer.Exit(1)


# --- pretrain ---------------------------------------------------------------------------------


@app.command()
def pretrain(
    out: Annotated[
        Path, typer.Option(help="Folder for checkpoint, log and weights; a run there goes on.")
    ],
    slides: Annotated[
        list[Path] | None, typer.Argument(help="Slides to train on, in place of --data.")
    ] = None,
    recipe: Annotated[str, typer.Option(help="A recipe by its name, or a YAML file.")] = "across",
    data: Annotated[
        Path | None, typer.Option(help="Folder the list of sources is relative to.")
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="YAML list of sources. Default: the built-in encoder's.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Any encoder of `scalescope encoders`.")
    ] = None,
    teacher_weights: Annotated[
        Path | None, typer.Option(help="The teacher's weights file.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many steps; run again to go on.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    as_json: AsJson = False,
) -> None:
    """Train a small encoder across magnifications. Killed, it goes on from its checkpoint."""
    with errors_in_words(as_json):
        from .pretraining import Run
        from .pretraining import pretrain as train

        report = train(
            Run(
                tuple(slides or ()),
                recipe,
                out,
                data,
                sources,
                teacher,
                teacher_weights,
                steps,
                device,
            ),
            quiet=as_json,
        )
        if as_json:
            print_json(report)
        else:
            typer.echo(f"{report['steps']} of {report['of']} steps; weights: {report['weights']}")


# --- doctor -----------------------------------------------------------------------------------


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine: what works, what does not, and what to do about it."""
    from .doctor import examine

    checks = examine()
    good = all(c.ok or not c.needed for c in checks)
    if as_json:
        print_json({"ok": good, "checks": [c.as_dict() for c in checks]})
    else:
        for c in checks:
            mark = "ok " if c.ok else ("BAD" if c.needed else "-  ")
            typer.echo(f"{mark} {c.name}: {c.found}" + (f"  → {c.remedy}" if c.remedy else ""))
    if not good:
        raise typer.Exit(1)
