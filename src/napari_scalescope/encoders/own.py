"""Encoders of the user's own: a weights file with a few words about it, or a Python function.

Three ways lead here. A YAML file in the encoder folder (the form in the Explorer writes one)
describes a checkpoint. `register_encoder` takes a function. A package that is installed beside
ScaleScope names either in its entry points of the group ``napari_scalescope.encoders``.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import EncoderError
from .catalogue import Entry, catalogue

log = logging.getLogger(__name__)

ENTRY_POINTS = "napari_scalescope.encoders"

#: (n, px, px, 3) uint8 to vectors (n, D), to vectors, patch tokens and attention one after the
#: other, or to an `Encoding` of them.
Function: TypeAlias = Callable[[npt.NDArray[np.uint8]], Any]

#: Of the encoder it is like, what does not hold for another's weights.
_NOT_SHARED: dict[str, Any] = {
    "summary": "",
    "hub": None,
    "packaged": None,
    "seed": None,
    "files": (),
    "native_mpp": (),
    "licence": "your own",
    "commercial": True,
    "gated": False,
    "paper": "",
    "sources": (),
}


@dataclass(frozen=True)
class Own:
    """An encoder of the user's.

    Parameters
    ----------
    entry : Entry
    function : callable or None
        None where there is a weights file, which `Entry.weights` names.
    version : str
        Of the function.
    """

    entry: Entry
    function: Function | None = None
    version: str = ""


_registered: dict[str, Own] = {}


def register_encoder(
    function: Function | None = None,
    *,
    id: str,  # noqa: A002  # as in the catalogue
    dim: int,
    tile_px: int,
    patch_px: int | None = None,
    token_dim: int | None = None,
    heads: int = 0,
    name: str = "",
    summary: str = "",
    native_mpp: tuple[float, ...] = (),
    licence: str = "your own",
    version: str = "",
) -> Any:
    """Make an encoder of a Python function, until Python ends. Also a decorator.

    Parameters
    ----------
    function : callable
        Takes tiles (n, px, px, 3) uint8 in RGB; returns vectors (n, dim) float32, or a tuple or
        `Encoding` of these, patch tokens (n, g, g, token_dim), g being px / patch_px, and
        attention (n, heads, g, g). It may be called with any n from a thread of its own, and
        several times for one tile: the same tile must give the same vector.
    id : str
        What it is called on the command line and in stores; small letters, digits, ``.+-``.
    dim : int
        Length of a vector.
    tile_px : int
        Side of the tiles it wants, pixels.
    patch_px : int, optional
        Side of a patch, pixels. Default: the whole tile; there are no patch tokens then.
    token_dim : int, optional
        Length of a patch token. Default: as a vector.
    heads : int
        Attention heads, 0 for none: the length of patch tokens is shown then.
    name, summary : str
        For people.
    native_mpp : tuple of float
        µm/px it was made for.
    licence : str
    version : str
        Give another where it computes something else though its source is the same, with other
        weights for example: embeddings that are kept are told apart by source and version.

    Raises
    ------
    EncoderError
        If the id belongs to an encoder of the catalogue.
    """
    if function is None:
        return lambda wrapped: register_encoder(
            wrapped, id=id, dim=dim, tile_px=tile_px, patch_px=patch_px, token_dim=token_dim,
            heads=heads, name=name, summary=summary, native_mpp=native_mpp, licence=licence,
            version=version,
        )  # fmt: skip
    entry = Entry(
        id=id,
        name=name or id,
        summary=summary,
        arch="function",
        args={},
        files=(),
        input_px=tile_px,
        mean=(0, 0, 0),
        std=(1, 1, 1),
        embedding="own",
        dim=dim,
        token_dim=token_dim or dim,
        heads=max(heads, 1),
        patch_px=patch_px or tile_px,
        tokens={"cls": int(heads > 0), "registers": 0},  # type: ignore[arg-type]  # validated
        parameters_m=0,
        native_mpp=native_mpp,
        licence=licence,
        commercial=True,
        gated=False,
    )
    _free(entry)
    _registered[id] = Own(entry, function, version)
    return function


def described(spec: Mapping[str, Any], beside: Path) -> Own:
    """An encoder from what is written about it.

    Parameters
    ----------
    spec : mapping
        Fields of `Entry`. ``like``, an id of the catalogue, stands for all that are not given:
        architecture, tile size, normalisation, embedding. ``weights``, the checkpoint.
    beside : path
        Folder a relative ``weights`` is looked for in.

    Raises
    ------
    EncoderError
        If something is missing, unknown or wrong.
    """
    from pydantic import ValidationError

    given = dict(spec)
    name = str(given.get("name") or given.get("id") or "")
    given.setdefault("id", slug(name))
    given.setdefault("name", given["id"])
    like = given.pop("like", None)
    weights = given.pop("weights", None)
    if like is not None and str(like) not in catalogue():
        raise EncoderError(
            f"{name or 'An own encoder'} is like {like!r}, which is not in the catalogue.",
            "`scalescope encoders` lists them.",
        )
    if not weights:
        raise EncoderError(
            f"{name or 'An own encoder'} names no weights file.", "Say `weights: FILE`."
        )
    path = beside / Path(str(weights)).expanduser()
    base = {} if like is None else _made_like(catalogue()[like], given)
    try:
        entry = Entry.model_validate(
            {**base, **_NOT_SHARED, "trained_on": "tissue", **given, "weights": path}
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise EncoderError(
            f"{name or 'An own encoder'} is not described right: {where}: {first['msg']}.",
            "docs/own-encoders.md has an example.",
        ) from error
    _free(entry)
    return Own(entry)


def _made_like(entry: Entry, given: dict[str, Any]) -> dict[str, Any]:
    """What an encoder has in common with one it is like; ``given`` gets the length of vectors."""
    base = entry.model_dump()
    if "embedding" in given:
        if given["embedding"] != entry.embedding:
            # What its embedding goes through, and the texts that lie beside it, are of that one.
            base |= {"head": None, "text": None}
        width = given.get("token_dim", entry.token_dim)
        if base["head"] is None and isinstance(width, int):
            given.setdefault("dim", width * (2 if given["embedding"] == "cls+mean" else 1))
    text = base["text"]
    if text and text["tokenizer"]:
        text["tokenizer_page"] = text["tokenizer_page"] or entry.page  # it is there still
    return base


def save(spec: Mapping[str, Any], folder: Path) -> Entry:
    """Describe a checkpoint in the encoder folder, where it is found from now on.

    Raises
    ------
    EncoderError
        If the description is wrong or cannot be written.
    """
    import yaml

    entry = described(spec, folder).entry
    path = folder / f"{entry.id}.yaml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(dict(spec), allow_unicode=True, sort_keys=False)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EncoderError(
            f"{path} cannot be written ({error}).", "Choose another encoder folder."
        ) from error
    return entry


def own_encoders(folder: Path | None) -> tuple[dict[str, Own], list[EncoderError]]:
    """All of them by id, and what is wrong with those that cannot be used."""
    found: dict[str, Own] = {}
    wrong: list[EncoderError] = []
    for path in sorted(folder.glob("*.yaml")) if folder is not None and folder.is_dir() else ():
        try:
            own = _read(path)
            found[own.entry.id] = own
        except EncoderError as error:
            wrong.append(error)
    wrong += _plugins()
    return {**found, **_registered}, wrong


def slug(name: str) -> str:
    """An id from a name."""
    import re

    return re.sub(r"[^a-z0-9.+-]+", "-", name.casefold()).strip("-.+")


def digest_of(own: Own) -> str:
    """sha256 of a function's source, which stands where a weights file's would."""
    function = own.function
    made_of = function if hasattr(function, "__qualname__") else type(function)
    try:
        source = inspect.getsource(made_of)  # type: ignore[arg-type]  # or it raises
    except (OSError, TypeError):  # made in a shell, or no Python function at all
        source = made_of.__qualname__  # type: ignore[union-attr]
    return hashlib.sha256(f"{own.version}\n{source}".encode()).hexdigest()


def _free(entry: Entry) -> None:
    if entry.id in catalogue():
        raise EncoderError(
            f"{entry.id} is an encoder of the catalogue.", "Give yours another id or name."
        )


def _read(path: Path) -> Own:
    import yaml

    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise EncoderError(f"{path.name} cannot be read ({error}).", "Correct it.") from error
    if not isinstance(spec, dict):
        raise EncoderError(f"{path.name} does not describe an encoder.", "Correct or remove it.")
    return described({"id": path.stem, **spec}, path.parent)


@cache
def _plugins() -> tuple[EncoderError, ...]:
    """Load what other packages offer, once; returns what could not be loaded."""
    from importlib.metadata import entry_points

    wrong = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            offered = point.load()  # importing it registers a decorated function
            if isinstance(offered, Mapping):
                own = described({"id": point.name, **offered}, Path())
                _registered[own.entry.id] = own
            elif all(own.function is not offered for own in _registered.values()):
                raise EncoderError(f"{point.value} is neither a registered function nor a mapping.")
        except Exception as error:  # whatever another package does must not end this one
            log.warning(
                "the encoder %s of %s cannot be used", point.name, point.value, exc_info=True
            )
            wrong.append(
                EncoderError(
                    f"The encoder {point.name} of an installed package cannot be used ({error}).",
                    "Tell its makers, or uninstall it.",
                )
            )
    return tuple(wrong)
