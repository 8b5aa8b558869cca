"""Recipes: what a training run is, as checked data, one YAML file each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import ScaleScopeError
from .views import Disturbance, FieldRule


class RecipeError(ScaleScopeError):
    """A recipe does not exist or does not make sense."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Strict):
    """The student: a ViT of timm with `ConvStem` and a learned position embedding."""

    dim: Annotated[int, Field(gt=0)] = 256
    depth: Annotated[int, Field(gt=0)] = 6
    heads: Annotated[int, Field(gt=0)] = 4
    registers: Annotated[int, Field(ge=0)] = 4


class Weights(_Strict):
    """How much each loss counts; 0 leaves it, and what it needs, out.

    Parameters
    ----------
    distill_global, distill_local : float
        Against the frozen teacher: embedding, and 4 × 4 lattice of the field.
    dino : float
        Self-distillation between the two fields of a place, both ways.
    stable : float
        One field in two turns, stains and sharpnesses: its embeddings and its tokens.
    cross_global, cross_local : float
        Coarse tokens over the fine field against the fine field's mean token and its tokens.
    cross_contrast : float
        The fine field's embedding against the coarse ones', its own to be found among them; the
        same for each of its quarters against the coarse tokens the quarters lie on.
    kde : float
        Uniformity of the embeddings.
    gram : float
        Anchoring of token similarities to those at the beginning of the first phase that asks for
        it: for late phases.
    """

    distill_global: float = 0.0
    distill_local: float = 0.0
    dino: float = 0.0
    stable: float = 0.0
    cross_global: float = 0.0
    cross_local: float = 0.0
    cross_contrast: float = 0.0
    kde: float = 0.0
    gram: float = 0.0

    @property
    def distills(self) -> bool:
        """Whether a frozen teacher is needed."""
        return self.distill_global + self.distill_local > 0

    @property
    def crosses(self) -> bool:
        """Whether the map between the tokens of both fields is needed."""
        return self.cross_global + self.cross_local + self.cross_contrast > 0


class Phase(_Strict):
    """A stretch of training with one kind of views and one set of losses.

    Parameters
    ----------
    share : float
        Its part of all steps.
    losses : Weights
    disturbance : Disturbance
    px : int
        Pixels along a view.
    batch : int
        Places in a step, of two views each, or three where they are to stay stable.
    together : int
        How many of them come from one picture (see `Sampler`).
    """

    share: Annotated[float, Field(gt=0, le=1)]
    losses: Weights
    disturbance: Disturbance = Disturbance()
    px: Annotated[int, Field(gt=0, multiple_of=16)] = 128
    batch: Annotated[int, Field(gt=1)] = 64
    together: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _asks(self) -> Phase:
        if not any(self.losses.model_dump().values()):
            raise ValueError("no loss has a weight")
        return self


class Recipe(_Strict):
    """One way of training.

    Parameters
    ----------
    name, summary : str
    papers : tuple of str
        What each choice comes from.
    teacher_grid : int
        The frozen teacher sees the coarse field in grid × grid finer tiles (XMAG); 1 is the field
        itself at its own scale, and then the fine field is distilled as well.
    """

    name: str
    summary: str
    papers: tuple[str, ...] = ()
    network: Network = Network()
    fields: FieldRule = FieldRule()
    teacher_grid: Annotated[int, Field(ge=1)] = 1
    phases: tuple[Phase, ...]
    steps: Annotated[int, Field(gt=0)]
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 200
    ema: tuple[float, float] = (0.99, 0.9995)
    prototypes: int = 1024
    seed: int = 0

    @model_validator(mode="after")
    def _whole(self) -> Recipe:
        if abs(sum(p.share for p in self.phases) - 1) > 1e-6:
            raise ValueError("the shares of the phases do not sum to 1")
        return self

    @property
    def distills(self) -> bool:
        """Whether a frozen teacher is needed in any phase."""
        return any(p.losses.distills for p in self.phases)

    @property
    def self_distills(self) -> bool:
        """Whether prototypes are needed in any phase."""
        return any(p.losses.dino > 0 for p in self.phases)

    def phase_at(self, step: int) -> Phase:
        """The phase a step lies in."""
        done = 0.0
        for phase in self.phases:
            done += phase.share
            if step < round(done * self.steps):
                return phase
        return self.phases[-1]


FOLDER = files(__package__).joinpath("recipes")


def recipe_names() -> list[str]:
    """Names of the recipes that come with ScaleScope."""
    return sorted(p.name.removesuffix(".yaml") for p in FOLDER.iterdir() if p.name[0] != "_")


def load_recipe(name: str) -> Recipe:
    """A recipe by its name, or from a YAML file.

    Raises
    ------
    RecipeError
        If there is none, or it does not make sense.
    """
    import yaml
    from pydantic import ValidationError

    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"There is no recipe {path}.", "Check the path.")
        text = path.read_text(encoding="utf-8")
    elif name in recipe_names():
        text = FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    else:
        known = ", ".join(recipe_names())
        raise RecipeError(f"There is no recipe {name!r}.", f"There are: {known}.")
    try:
        return Recipe.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise RecipeError(
            f"The recipe {name} does not make sense: {error}", "Correct it."
        ) from None
