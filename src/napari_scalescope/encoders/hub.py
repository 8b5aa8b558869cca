"""Weights from the hub: with progress, and failures in words.

The files lie in the hub's own cache, where every other program finds them too, and `find_weights`
does. A mirror (``HF_ENDPOINT``), a token (``HF_TOKEN``, ``hf auth login``), ``HF_HOME`` and
``HF_HUB_OFFLINE`` mean here what they mean everywhere.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import EncoderError
from .catalogue import Entry

#: Told bytes so far and of the whole file, 0 while that is not known.
Report = Callable[[int, int], None]

_BROKE_OFF = {"RemoteProtocolError", "ReadError", "ReadTimeout", "WriteError"}
_NO_NETWORK = {"ConnectError", "ConnectTimeout", "ProxyError", "PoolTimeout"}


def download(entry: Entry, report: Report | None = None, endpoint: str | None = None) -> Path:
    """Get an encoder's weights into the hub's cache. Takes as long as it takes: use a thread.

    The vocabulary of an encoder that reads comes with them, where it is on the same page.

    A connection that breaks is taken up where it broke, for some tries. ``report`` may raise to
    stop it: then nothing is kept, for the hub's client begins every download anew, so that no two
    programs ever write to one file.

    Parameters
    ----------
    entry : Entry
    report : callable, optional
    endpoint : str, optional
        A mirror of the hub.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    EncoderError
        If it is on no hub, its licence is not accepted, the token is missing or wrong, there is no
        network, the disk is full; whatever it is, the text says what to do.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    if entry.hub is None:
        raise EncoderError(
            f"{entry.name} is on no hub.",
            f"Get {' or '.join(entry.files) or 'its weights'} from its makers ({entry.paper}).",
        )
    bar = _bar(report) if report is not None else None
    for name in entry.files:
        try:
            path = Path(hf_hub_download(entry.hub, name, endpoint=endpoint, tqdm_class=bar))
            _get_vocabulary(entry, endpoint)
            return path
        except RemoteEntryNotFoundError:
            continue
        except (OSError, ValueError, RuntimeError) as error:
            raise in_words(error, entry) from error
    raise EncoderError(
        f"{entry.hub} holds none of {', '.join(entry.files)}.",
        "Choose the file it does hold with Local weights…, and tell us.",
    )


def _get_vocabulary(entry: Entry, endpoint: str | None) -> None:
    """Without one the encoder still sees; `text_tokens` says what is missing when it shall read."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    if entry.hub is None or entry.text is None or entry.text.tokenizer_page:
        return
    for name in entry.text.tokenizer:
        try:
            hf_hub_download(entry.hub, name, endpoint=endpoint)
            return
        except RemoteEntryNotFoundError:
            continue


def _bar(report: Report) -> type[Any]:
    """A progress bar as the hub wants one, that shows nothing and tells ``report``."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def display(self, *_: Any, **__: Any) -> None:
            pass

        def update(self, n: float = 1) -> Any:
            shown = super().update(n)
            report(int(self.n), int(self.total or 0))
            return shown

    return Bar


def in_words(error: BaseException, entry: Entry) -> EncoderError:
    """What went wrong while weights were got, and what to do about it.

    The hub wraps what happened into other errors, so all that led to one are looked at. What is
    a special case of something else is asked for first.
    """
    from huggingface_hub import errors

    led = list(_chain(error))

    def first(*kinds: type[BaseException]) -> Any:
        return next((e for e in led if isinstance(e, kinds)), None)

    page = entry.page
    log_in = "log in with `hf auth login`, or set HF_TOKEN"
    gated = first(errors.GatedRepoError)
    if gated is not None:
        if _status(gated) == 403:
            return EncoderError(
                f"Your account may not have {entry.name} yet.",
                f"Accept its licence at {page}; where its makers look at requests, wait for them.",
            )
        return EncoderError(
            f"{entry.name} is given to those who accept its licence ({entry.licence}).",
            f"Accept it at {page}, then {log_in}.",
        )
    if first(errors.RepositoryNotFoundError) is not None:
        return EncoderError(
            f"There is no {entry.hub} on the hub, or it is private.",
            f"Look at {page}; if it is private, {log_in}.",
        )
    if first(errors.DisabledRepoError) is not None:
        return EncoderError(f"The hub has closed {entry.hub}.", "Choose a file you have.")
    if first(errors.OfflineModeIsEnabled) is not None:
        return EncoderError(
            f"HF_HUB_OFFLINE is set, and {entry.name} is not on this machine.",
            "Unset it, or choose a file with Local weights….",
        )
    answered = first(errors.HfHubHTTPError)
    if answered is not None:
        return _answered(_status(answered), entry, log_in)
    if any(isinstance(e, OSError) and e.errno in (errno.ENOSPC, errno.EDQUOT) for e in led):
        return EncoderError(
            f"The disk is full: {entry.name} does not fit.",
            "Make room, or set HF_HOME to a folder on another disk.",
        )
    closed = first(PermissionError)
    if closed is not None:
        return EncoderError(
            f"{closed.filename or 'The cache'} may not be written.",
            "Set HF_HOME to a folder that may.",
        )
    names = {type(e).__name__ for e in led}
    if names & _BROKE_OFF or "Consistency check failed" in " ".join(map(str, led)):
        return EncoderError(
            f"The connection broke off while {entry.name} came.",
            "Try again when the network is better.",
        )
    if names & _NO_NETWORK or first(errors.LocalEntryNotFoundError) is not None:
        return EncoderError(
            f"The hub cannot be reached, and {entry.name} is not on this machine.",
            "Check the network (HF_ENDPOINT names a mirror), or choose a file with Local weights….",
        )
    return EncoderError(f"{entry.name} could not be downloaded ({error}).", f"Look at {page}.")


def _answered(status: int | None, entry: Entry, log_in: str) -> EncoderError:
    if status == 401:
        return EncoderError("The hub does not know your token.", f"Make a new one, then {log_in}.")
    if status == 403:
        return EncoderError(
            f"Your token may not read {entry.hub}.",
            "Allow it “read access to public gated repositories”, or make one of the kind “read”.",
        )
    if status == 429:
        return EncoderError("The hub asks to slow down.", f"Wait some minutes, or {log_in}.")
    return EncoderError(
        f"The hub answered {status}.", "Try again later, or choose a file you have."
    )


def _status(error: Any) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
