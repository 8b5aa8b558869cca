"""OME-Zarr at an address: https, s3, memory and whatever else fsspec reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from ...errors import SlideError, UnreachableError

#: What fsspec needs beyond itself for an address.
BACKENDS = {
    "http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs",
    "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "ssh": "paramiko",
    "sftp": "paramiko", "hf": "huggingface_hub",
}  # fmt: skip
#: Seconds to wait for a connection, and for more of an answer that has begun.
CONNECT_S, READ_S = 15, 60

#: At least two letters before the colon: "C:" is a drive.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://", re.ASCII)
#: Packages whose errors are those of a network.
_NETWORKS = {"aiohttp", "botocore", "aiobotocore", "gcsfs", "google", "azure", "paramiko"}


def place_of(path: str | Path) -> Path | str:
    """A path on this machine, ``file://`` included, or else the URL."""
    text = str(path)
    match = None if isinstance(path, Path) else _URL.match(text)
    if match is None:
        return Path(path).expanduser()
    if match[1].lower() in ("file", "local"):
        return Path(url2pathname(urlsplit(text).path))
    return text


def name_of(url: str) -> str:
    """The last component of a URL, to call the slide by."""
    parts = urlsplit(url)
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.netloc or url


def shown(url: str) -> str:
    """A URL without what may be secret in it: passwords and signatures."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def of_the_network(error: BaseException) -> bool:
    """Whether an error says something of the way to the data, and nothing of the data."""
    if isinstance(error, OSError):
        return not isinstance(error, FileNotFoundError)
    return any(cls.__module__.partition(".")[0] in _NETWORKS for cls in type(error).__mro__)


def open_store(url: str) -> Any:
    """The zarr store at a URL; nothing is read yet.

    Raises
    ------
    SlideError
        If this kind of address needs a package that is not here, or is not known at all.
    """
    from zarr.storage import FsspecStore

    scheme = url.partition("://")[0].lower()
    if "?" in url:
        raise SlideError(
            f"{shown(url)} was given with a query (?…), and the names of the pieces cannot be put "
            "behind one.",
            "Give an address without it.",
        )
    # an instance of our own, whose connections are closed with the slide
    options: dict[str, Any] = {} if scheme == "memory" else {"skip_instance_cache": True}
    try:
        if scheme in ("http", "https"):
            import aiohttp

            limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S)
            options["client_kwargs"] = {"timeout": limits}
        return FsspecStore.from_url(url, options, read_only=True)
    except ImportError as error:
        package = BACKENDS.get(scheme, error.name or f"fsspec's package for {scheme}://")
        raise SlideError(
            f"{shown(url)} is read through {package}, and that is not here.",
            f"Install it: pip install {package}",
        ) from error
    except ValueError as error:
        raise SlideError(
            f"{shown(url)} cannot be opened ({error}).",
            "ScaleScope reads OME-Zarr over https, s3 and what else fsspec knows.",
        ) from error


def close_store(store: Any) -> None:
    """Close the connections of a store made by `open_store`."""
    from zarr.core.sync import sync

    session = getattr(getattr(store, "fs", None), "_session", None)
    if session is not None:
        sync(session.close())
    store.close()


@contextmanager
def address_errors_in_words(url: str) -> Iterator[None]:
    """Errors of opening what lies at a URL, as errors of ours."""
    try:
        yield
    except SlideError:
        raise
    except Exception as error:  # every backend has its own kinds
        status = getattr(error, "status", None)
        if isinstance(error, FileNotFoundError):
            raise SlideError(
                f"There is no OME-Zarr at {shown(url)}.",
                "Check the address. Slides of other formats have to be downloaded first.",
            ) from error
        if status in (401, 403) or isinstance(error, PermissionError):
            raise SlideError(
                f"{shown(url)} may not be read ({_brief(error)}).",
                "Check the address, or ask its owner for access.",
            ) from error
        if of_the_network(error):
            raise UnreachableError(
                f"{shown(url)} cannot be reached now ({_brief(error)}).",
                "Check the address and the network, then try again.",
            ) from error
        raise


def _brief(error: BaseException) -> str:
    status = getattr(error, "status", None)
    message = getattr(error, "message", "") or str(error) or type(error).__name__
    return f"{status} {message}" if status else str(message).splitlines()[0]
