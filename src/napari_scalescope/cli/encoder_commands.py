"""`scalescope encoders`, `download` and `licence`."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import EncoderError
from .common import AsJson, app, errors_in_words, print_json


@app.command()
def encoders(
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option(help="Print the page of the docs.")] = False,
) -> None:
    """List the encoders, and which of them can be used on this machine now."""
    from ..settings import Settings
    from . import encoder_list

    folder = Settings().encoder_folder
    if as_json:
        known, missing = encoder_list.rows(folder), encoder_list.missing_rows()
        print_json({"encoder_folder": str(folder), "encoders": known, "not_released": missing})
    elif markdown:
        typer.echo(encoder_list.markdown(), nl=False)
    else:
        encoder_list.print_table(folder)


@app.command()
def download(
    encoder: Annotated[str, typer.Argument(help="An encoder of `scalescope encoders`.")],
    accept_licence: Annotated[
        bool, typer.Option(help="Say yes to its licence without being asked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Get an encoder's weights from the hub, with HF_TOKEN, HF_ENDPOINT and HF_HOME as usual."""
    from ..encoders import find_entry
    from ..encoders.remembered import accept_licence as accept
    from ..encoders.weights import sha256_of_file
    from ..settings import Settings
    from . import downloading

    folder = Settings().encoder_folder
    with errors_in_words(as_json):
        entry = find_entry(encoder)
        if not accept_licence and not downloading.agreed(entry, folder, ask=not as_json):
            raise EncoderError(
                f"{entry.name} was not downloaded: its licence ({entry.licence}) was not accepted.",
                "Read it, then say --accept-licence.",
            )
        accept(entry, folder)
        path = downloading.fetch(entry, show=not as_json)
        if as_json:
            print_json({"encoder": entry.id, "path": str(path), "sha256": sha256_of_file(path)})
        else:
            typer.echo(f"{entry.name} is at {path}\nsha256 {sha256_of_file(path)}")


@app.command()
def licence(
    encoder: Annotated[str, typer.Argument(help="An encoder of `scalescope encoders`.")],
    accept: Annotated[bool, typer.Option("--accept", help="Accept it, from now on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what the licence of an encoder's weights asks, and accept it.

    Weights that are gated, not for commercial use, or under a licence that must be read are not
    used before.
    """
    from ..encoders import find_entry
    from ..encoders.remembered import accept_licence, licence_accepted
    from ..settings import Settings

    folder = Settings().encoder_folder
    with errors_in_words(as_json):
        entry = find_entry(encoder, has_weights=True, folder=folder)
        if accept:
            accept_licence(entry, folder)
        accepted = licence_accepted(entry, folder)
        if as_json:
            facts = {"commercial": entry.commercial, "gated": entry.gated, "accepted": accepted}
            print_json({"encoder": entry.id, "licence": entry.licence, **facts})
        else:
            asked = entry.use_text or "It asks nothing before use."
            state = "Accepted." if accepted else f"Accept: scalescope licence {entry.id} --accept"
            typer.echo(f"{entry.name}: {entry.licence}. {asked}")
            if entry.asks:
                typer.echo(state)
