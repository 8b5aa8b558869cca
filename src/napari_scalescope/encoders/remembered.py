"""Weights files the user has chosen and licences the user has accepted, in the encoder folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .. import remembering
from ..errors import EncoderError
from .catalogue import Entry


def _file(folder: Path) -> Path:
    return folder / "remembered.json"


def _recalled(folder: Path | None, what: str) -> dict[str, Any]:
    found = {} if folder is None else remembering.recall(_file(folder)).get(what)
    return found if isinstance(found, dict) else {}


def _remember(folder: Path, what: str, name: str, value: str) -> bool:
    facts = remembering.recall(_file(folder))
    facts[what] = {**_recalled(folder, what), name: value}
    return remembering.remember(_file(folder), facts)


def remembered_weights(entry: Entry, folder: Path | None) -> Path | None:
    """The weights file that was chosen for an encoder before, if it is still there."""
    path = _recalled(folder, "weights").get(entry.id)
    return Path(path) if isinstance(path, str) and Path(path).is_file() else None


def remember_weights(entry: Entry, path: Path, folder: Path) -> None:
    """Use this file for the encoder from now on. A disk that refuses is only logged."""
    _remember(folder, "weights", entry.id, str(path.absolute()))


def licence_accepted(entry: Entry, folder: Path | None) -> bool:
    """Whether its licence asks nothing, or has been accepted as it is worded in the catalogue."""
    return not entry.asks or _recalled(folder, "licences").get(entry.id) == entry.licence


def accept_licence(entry: Entry, folder: Path) -> None:
    """The user accepts the licence of an encoder's weights.

    Raises
    ------
    EncoderError
        If that cannot be written down.
    """
    if entry.asks and not _remember(folder, "licences", entry.id, entry.licence):
        raise EncoderError(
            f"That the licence of {entry.name} is accepted cannot be written to {folder}.",
            "Choose another encoder folder in the preferences.",
        )


def require_licence(entry: Entry, folder: Path) -> None:
    """Make sure of it before the weights are used.

    Raises
    ------
    EncoderError
        If it has not been accepted; the text says what it asks and how to accept it.
    """
    if not licence_accepted(entry, folder):
        raise EncoderError(
            f"{entry.name} is licensed under {entry.licence}. {entry.use_text}",
            f"If you accept that, run `scalescope licence {entry.id} --accept`.",
        )
