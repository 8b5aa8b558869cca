"""Every encoder there is: of the catalogue, of the user's own, and not released yet."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..errors import EncoderError
from .catalogue import Entry, Unreleased, catalogue, unreleased
from .own import own_encoders
from .remembered import remembered_weights


def known_encoders(folder: Path | None) -> dict[str, Entry]:
    """All that can be used, here or somewhere, by id: the user's own after the catalogue's.

    Those that are not released come last, as what a checkpoint of them is expected to be, where
    that is known.

    Parameters
    ----------
    folder : path or None
        The encoder folder.
    """
    own = {key: found.entry for key, found in own_encoders(folder)[0].items()}
    expected = {key: absent.entry() for key, absent in unreleased().items()}
    absent = {key: entry for key, entry in expected.items() if entry is not None}
    return {**catalogue(), **own, **{k: e for k, e in absent.items() if k not in own}}


def find_entry(name: str, *, has_weights: bool = False, folder: Path | None = None) -> Entry:
    """The entry of an encoder by its id, or by its name in any case.

    Parameters
    ----------
    name : str
    has_weights : bool
        Whether there is a checkpoint at hand: then one that is not released is taken for what its
        makers' papers let expect. One that was chosen for it before counts.
    folder : path, optional
        The encoder folder, in which encoders of the user's own are described.

    Raises
    ------
    EncoderError
        If there is none; the text suggests the closest ids. If it is not released; the text says
        what is missing.
    """
    known = dict(catalogue())
    if name in known:
        return known[name]
    own, wrong = own_encoders(folder)
    known |= {key: found.entry for key, found in own.items()}
    for entry in known.values():
        if name.casefold() in (entry.id, entry.name.casefold()):
            return entry
    for absent in unreleased().values():
        if name.casefold() in (absent.id, absent.name.casefold()):
            return _expected(absent, has_weights, folder)
    close = difflib.get_close_matches(name.casefold(), [*known, *unreleased()], n=3, cutoff=0.5)
    if wrong and not close:
        raise EncoderError(f"There is no encoder named {name!r}, and {wrong[0]}")
    hint = f"Did you mean {' or '.join(close)}?" if close else "`scalescope encoders` lists them."
    raise EncoderError(f"There is no encoder named {name!r}.", hint)


def _expected(absent: Unreleased, has_weights: bool, folder: Path | None) -> Entry:
    entry = absent.entry()
    if entry is not None and (has_weights or remembered_weights(entry, folder) is not None):
        return entry
    raise EncoderError(
        f"{absent.name} is not released. {absent.why}",
        f"What would have to appear: {absent.needs[0].lower()}{absent.needs[1:]}",
    )
