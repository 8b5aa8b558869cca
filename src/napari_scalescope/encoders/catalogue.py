"""The encoders ScaleScope knows, as checked data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .text_spec import TextSpec

Rgb = tuple[float, float, float]

#: Sides of tiles people cut, pixels.
USUAL_PX = (112, 224, 256, 336, 448, 512)

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
    weights: Path | None = None
    attention_block: Annotated[int, Field(lt=0)] = -1
    input_px: Annotated[int, Field(gt=0)]
    other_px: tuple[int, ...] = ()
    mean: Rgb
    std: Rgb
    channels_apart: bool = False
    embedding: Literal["cls", "cls+mean", "mean", "head", "own"]
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
        if (self.embedding == "own") != (self.arch == "function"):
            raise ValueError(f"{self.id}: embedding {self.embedding} of {self.arch}")
        if any(px % self.patch_px for px in (self.input_px, *self.other_px)):
            raise ValueError(f"{self.id}: {self.input_px} px is no multiple of {self.patch_px} px")
        if self.arch == "function":
            return self
        if self.head is None and self.dim != vectors * self.token_dim:
            raise ValueError(f"{self.id}: dim {self.dim} is not {vectors} x {self.token_dim}")
        if not self.tokens.cls and self.embedding != "mean":
            raise ValueError(f"{self.id}: {self.embedding} of a network without a class token")
        if (self.seed is not None) != (self.trained_on == "nothing"):
            raise ValueError(f"{self.id}: seed {self.seed}, trained on {self.trained_on}")
        if self.text is not None and not self.text.image_projection and self.text.dim != self.dim:
            raise ValueError(f"{self.id}: texts have {self.text.dim} dimensions, not {self.dim}")
        if not (self.seed is not None or self.files or self.packaged or self.weights):
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
    def looks_with(self) -> int | Literal["feature norm"]:
        """What its attention maps are made of where nobody chose: see `Encoder.looking`."""
        return self.attention_block if self.tokens.cls else "feature norm"

    @property
    def asks(self) -> bool:
        """Whether its licence asks something of who uses it: a form, or what not to use it for."""
        return self.gated or not self.commercial

    @property
    def use_text(self) -> str:
        """What its licence asks, in words."""
        use = {
            True: "",
            False: "It is not for commercial use. ",
            None: "Whether it may be used commercially must be read in it. ",
        }[self.commercial]
        gate = f"Its makers want it accepted at {self.page} first." if self.gated else ""
        return (use + gate).strip()

    @property
    def page(self) -> str:
        """Where it is on the hub."""
        return f"https://huggingface.co/{self.hub}"

    @property
    def native_text(self) -> str:
        """Resolutions it was trained at, finest first, empty where its makers do not say."""
        return ", ".join(f"{m:g}" for m in sorted(self.native_mpp))

    @property
    def tile_sizes(self) -> tuple[int, ...]:
        """Sides of tiles to choose from, pixels: its own, those its makers name, and usual ones.

        Each is whole patches. A vision transformer takes any such size: its position embedding
        is interpolated, or rotary. What is far from its own size it has not seen in training.
        """
        usual = {round(px / self.patch_px) * self.patch_px for px in USUAL_PX}
        around = {px for px in usual if self.input_px / 2 <= px <= self.input_px * 2}
        return tuple(sorted({self.input_px, *self.other_px, *around} - {0}))

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
