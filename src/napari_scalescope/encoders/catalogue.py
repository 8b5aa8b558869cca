"""The encoders ScaleScope knows, as checked data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import EncoderError
from .text_spec import TextSpec

Rgb = tuple[float, float, float]

#: The encoder that is chosen where the user chose none.
DEFAULT_ENCODER = "builtin"


class PrefixTokens(BaseModel):
    """Tokens that come before the patch tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cls: Annotated[int, Field(ge=0, le=1)]
    registers: Annotated[int, Field(ge=0)]


class EmbeddingBlocks(BaseModel):
    """Blocks, counted from the end, whose tokens the parts of an embedding are taken from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cls: Annotated[int, Field(lt=0)] = -1
    mean: Annotated[int, Field(lt=0)] = -1


class Entry(BaseModel):
    """One encoder: how to build it, what to feed it, what to read from it, who may use it.

    Building an encoder with one argument wrong often succeeds and gives other numbers, so every
    argument is written down here and nothing is left to defaults that may change.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*$")]
    name: str
    summary: str = ""
    arch: str
    args: dict[str, Any]
    seed: int | None = None
    hub: str | None = None
    files: tuple[str, ...] = ()
    packaged: str | None = None
    attention_block: Annotated[int, Field(lt=0)] = -1
    input_px: Annotated[int, Field(gt=0)]
    mean: Rgb
    std: Rgb
    channels_apart: bool = False
    embedding: Literal["cls", "cls+mean", "mean", "head"]
    head: Literal["projection", "mlp", "attention-pool"] | None = None
    embedding_blocks: EmbeddingBlocks = EmbeddingBlocks()
    text: TextSpec | None = None
    dim: Annotated[int, Field(gt=0)]
    token_dim: Annotated[int, Field(gt=0)]
    heads: Annotated[int, Field(gt=0)]
    patch_px: Annotated[int, Field(gt=0)]
    tokens: PrefixTokens
    parameters_m: float
    native_mpp: tuple[float, ...]
    trained_on: Literal["tissue", "photographs", "nothing"] = "tissue"
    licence: str
    commercial: bool | None
    gated: bool
    paper: str = ""
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Entry:
        if (self.embedding == "head") != (self.head is not None):
            raise ValueError(f"{self.id}: embedding {self.embedding}, head {self.head}")
        vectors = {"cls+mean": 2}.get(self.embedding, 1)
        if self.head is None and self.dim != vectors * self.token_dim:
            raise ValueError(f"{self.id}: dim {self.dim} is not {vectors} x {self.token_dim}")
        if not self.tokens.cls and self.embedding != "mean":
            raise ValueError(f"{self.id}: {self.embedding} of a network without a class token")
        if self.input_px % self.patch_px:
            raise ValueError(f"{self.id}: {self.input_px} px is no multiple of {self.patch_px} px")
        if (self.seed is not None) != (self.trained_on == "nothing"):
            raise ValueError(f"{self.id}: seed {self.seed}, trained on {self.trained_on}")
        if self.text is not None and not self.text.image_projection and self.text.dim != self.dim:
            raise ValueError(f"{self.id}: texts have {self.text.dim} dimensions, not {self.dim}")
        if self.seed is None and not self.files and self.packaged is None:
            raise ValueError(f"{self.id}: neither weights nor a seed to make them from")
        return self

    @property
    def trained(self) -> bool:
        """False for random weights, which must be labelled as such wherever they show."""
        return self.trained_on != "nothing"

    @property
    def shows(self) -> Literal["attention", "feature norm"]:
        """What it can show of where it looks."""
        return "attention" if self.tokens.cls else "feature norm"

    @property
    def asks(self) -> bool:
        """Whether its licence asks something of who uses it: a form, or what not to use it for."""
        return self.gated or not self.commercial

    @property
    def page(self) -> str:
        """Where it is on the hub."""
        return f"https://huggingface.co/{self.hub}"

    @property
    def native_text(self) -> str:
        """Resolutions it was trained at, finest first, empty where its makers do not say."""
        return ", ".join(f"{m:g}" for m in sorted(self.native_mpp))

    @property
    def grid(self) -> int:
        """Patch tokens along one side of a tile of the usual size."""
        return self.input_px // self.patch_px


class Unreleased(BaseModel):
    """An encoder that is known but not public, and what would have to appear for it to load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    makers: str
    why: str
    needs: str
    like: str | None = None
    paper: str = ""

    def entry(self) -> Entry | None:
        """What a checkpoint of it is expected to be, None where that is not known."""
        if self.like is None:
            return None
        gone = {"hub": None, "sources": (), "gated": False, "commercial": None, "native_mpp": ()}
        own = {"id": self.id, "name": self.name, "paper": self.paper, "licence": "its makers'"}
        return catalogue()[self.like].model_copy(update={**gone, **own})


@cache
def catalogue() -> dict[str, Entry]:
    """Every encoder by its id, in the order of the file."""
    entries = [Entry.model_validate(item) for item in _read("catalogue.yaml")]
    by_id = {entry.id: entry for entry in entries}
    if len(by_id) != len(entries):
        raise ValueError("catalogue.yaml names an encoder twice")
    return by_id


@cache
def unreleased() -> dict[str, Unreleased]:
    """Every encoder whose weights are not public, by its id."""
    return {item["id"]: Unreleased.model_validate(item) for item in _read("unreleased.yaml")}


def _read(name: str) -> list[dict[str, Any]]:
    import yaml

    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)
    return found


def find_entry(name: str, *, has_weights: bool = False) -> Entry:
    """The entry of an encoder by its id, or by its name in any case.

    Parameters
    ----------
    name : str
    has_weights : bool
        Whether there is a checkpoint at hand: then one that is not released is taken for what its
        makers' papers let expect.

    Raises
    ------
    EncoderError
        If there is none; the text suggests the closest ids. If it is not released; the text says
        what is missing.
    """
    import difflib

    known = catalogue()
    if name in known:
        return known[name]
    for entry in known.values():
        if entry.name.casefold() == name.casefold():
            return entry
    for absent in unreleased().values():
        if name.casefold() in (absent.id, absent.name.casefold()):
            expected = absent.entry()
            if expected is not None and has_weights:
                return expected
            raise EncoderError(
                f"{absent.name} is not released. {absent.why}",
                f"What would have to appear: {absent.needs[0].lower()}{absent.needs[1:]}",
            )
    close = difflib.get_close_matches(name.casefold(), [*known, *unreleased()], n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else "`scalescope encoders` lists them."
    raise EncoderError(f"There is no encoder named {name!r}.", hint)
