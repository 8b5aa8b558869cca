"""What is kept of encoders in their folder: chosen weights, accepted licences, measured numbers."""

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


def _remember(folder: Path, what: str, name: str, value: str | float) -> bool:
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


def remembered_head(entry: Entry, folder: Path | None) -> Path | None:
    """The file of the slide-level head that was used last with an encoder, if it is still there."""
    path = _recalled(folder, "heads").get(entry.id)
    return Path(path) if isinstance(path, str) and Path(path).is_file() else None


def remember_head(entry: Entry, path: Path, folder: Path) -> None:
    """Use this head with the encoder from now on. A disk that refuses is only logged."""
    if remembered_head(entry, folder) != path.absolute():
        _remember(folder, "heads", entry.id, str(path.absolute()))


def recalled_cosine(key: str, folder: Path) -> float | None:
    """What was measured of an encoder's vectors beside those in float32, None if nothing was."""
    found = _recalled(folder, "cosines").get(key)
    return found if isinstance(found, float) else None


def remember_cosine(key: str, cosine: float, folder: Path) -> None:
    """Keep what was measured. A disk that refuses is only logged."""
    _remember(folder, "cosines", key, cosine)


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
