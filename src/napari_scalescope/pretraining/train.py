"""Training: one step after another, resumable to the bit.

What a step draws depends on the recipe's seed and the step's number alone, so a run that was
killed and goes on from its checkpoint ends, on the same machine, with the very same weights.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..encoders.devices import pick_device
from ..encoders.torch_import import torch_module
from . import losses as L
from .networks import average_into, embedding_of, make_heads, make_student, through
from .objective import crossed, distilled, teach
from .recipes import Phase, Recipe, RecipeError, Weights
from .sources import Source
from .teachers import LATTICE, Teacher, Whitening, targets
from .views import Places, Sampler, turn_indices

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
#: Fields the teacher's whitening is fitted on.
WHITENED = 2048


class Trainer:
    """One training run.

    Parameters
    ----------
    recipe : Recipe
    sources : sequence of Source
    out : Path
        Folder for checkpoint and log. A checkpoint that is there is gone on from.
    teacher : Teacher, optional
        Needed where the recipe distils.
    device : str
        "auto", "cpu", "cuda", ….

    Raises
    ------
    RecipeError
        If the recipe needs a teacher and there is none, or the folder holds another run.
    """

    def __init__(
        self,
        recipe: Recipe,
        sources: Sequence[Source],
        out: Path,
        teacher: Teacher | None = None,
        device: str = "auto",
    ) -> None:
        torch = torch_module()
        if recipe.distills and teacher is None:
            raise RecipeError(
                f"The recipe {recipe.name} distils a teacher.", "Name one with --teacher."
            )
        self.recipe, self.out = recipe, out
        self.device = pick_device(device)
        self._sources = sources
        self._teacher = teacher if recipe.distills else None
        self._samplers: dict[Phase, Sampler] = {}
        self.step = 0
        self.seconds = 0.0
        out.mkdir(parents=True, exist_ok=True)
        saved = self._saved()
        whitening = saved["whitening"] if saved else self._fit_whitening()
        self._whitening = [Whitening(*(t.to(self.device) for t in pair)) for pair in whitening]
        self.student = make_student(recipe.network, recipe.seed).to(self.device)
        self.heads = make_heads(recipe, [w.dim for w in self._whitening]).to(self.device)
        if self.device == "cpu":
            # The backward pass of the fused kernel takes twice as long as plain products here,
            # at the few tokens of a view.
            for block in self.student.blocks:
                block.attn.fused_attn = False
        self.average = copy.deepcopy(self.student).requires_grad_(False).eval()
        self.average_heads = copy.deepcopy(self.heads).requires_grad_(False).eval()
        self.anchor: Any = None
        parameters = [*self.student.parameters(), *self.heads.parameters()]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.ndim > 1]},
                {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.99),
        )
        if saved:
            self._restore(saved)

    # --- checkpoints ---

    def _saved(self) -> dict[str, Any] | None:
        path = self.out / CHECKPOINT
        if not path.exists():
            return None
        saved: dict[str, Any] = torch_module().load(path, map_location="cpu", weights_only=True)
        if saved["recipe"] != self.recipe.model_dump(mode="json"):
            raise RecipeError(
                f"{self.out} holds a run of another recipe ({saved['recipe']['name']}).",
                "Choose another folder, or delete it.",
            )
        return saved

    def _restore(self, saved: dict[str, Any]) -> None:
        self.student.load_state_dict(saved["student"])
        self.heads.load_state_dict(saved["heads"])
        self.average.load_state_dict(saved["average"])
        self.average_heads.load_state_dict(saved["average_heads"])
        self._optimizer.load_state_dict(saved["optimizer"])
        if saved["anchor"] is not None:
            self.anchor = copy.deepcopy(self.average)
            self.anchor.load_state_dict(saved["anchor"])
        self.step, self.seconds = saved["step"], saved["seconds"]
        log = self.out / LOG
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= self.step]
        log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def save(self) -> None:
        """Write the checkpoint; a kill while writing leaves the one before."""
        torch = torch_module()
        state = {
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "seconds": self.seconds,
            "student": self.student.state_dict(),
            "heads": self.heads.state_dict(),
            "average": self.average.state_dict(),
            "average_heads": self.average_heads.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "anchor": None if self.anchor is None else self.anchor.state_dict(),
            "whitening": [(w.mean.cpu(), w.matrix.cpu()) for w in self._whitening],
        }
        draft = self.out / f".{CHECKPOINT}"
        torch.save(state, draft)
        draft.replace(self.out / CHECKPOINT)

    # --- what a step sees ---

    def _sampler(self, phase: Phase) -> Sampler:
        if phase not in self._samplers:
            self._samplers[phase] = Sampler(
                self._sources,
                self.recipe.fields,
                phase.disturbance,
                phase.px,
                self.recipe.teacher_grid,
                phase.together,
                twice=phase.losses.stable > 0,
            )
        return self._samplers[phase]

    def _places(self, step: int) -> Places:
        phase = self.recipe.phase_at(step)
        rng = np.random.default_rng((self.recipe.seed, step))
        return self._sampler(phase).draw(rng, phase.batch)

    def _ahead(self, steps: int) -> Iterator[Places]:
        """Places of the coming steps; on another device than the CPU, drawn while it computes."""
        last = min(self.step + steps, self.recipe.steps)
        if self.device == "cpu":
            # Beside each other they would slow each other down: torch waits for its slowest thread.
            yield from (self._places(step) for step in range(self.step, last))
            return
        with ThreadPoolExecutor(1, "ahead") as pool:
            waiting = [
                pool.submit(self._places, s) for s in range(self.step, min(self.step + 2, last))
            ]
            for step in range(self.step, last):
                places = waiting.pop(0).result()
                if step + 2 < last:
                    waiting.append(pool.submit(self._places, step + 2))
                yield places

    def _fit_whitening(self) -> list[tuple[Tensor, Tensor]]:
        """Mean and matrix for the teacher's embeddings and for its lattices; none without one."""
        if self._teacher is None:
            return []
        sampler = self._sampler(self.recipe.phases[0])
        rng = np.random.default_rng((self.recipe.seed, 2**40))
        embeddings, lattices = [], []
        for _ in range(WHITENED // 64):
            embedding, lattice = targets(
                self._teacher, sampler.draw(rng, 64).clean_coarse, self.recipe.teacher_grid
            )
            embeddings.append(embedding)
            lattices.append(lattice[:, :: LATTICE + 1].reshape(-1, lattice.shape[-1]))
        fits = [Whitening.fit(np.concatenate(v)) for v in (embeddings, lattices)]
        return [(w.mean, w.matrix) for w in fits]

    def _tensor(self, pixels: Any) -> Tensor:
        x = torch_module().from_numpy(pixels).to(self.device)
        return x.permute(0, 3, 1, 2).float() / 127.5 - 1

    # --- a step ---

    def _tokens(self, model: Any, x: Tensor, back: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings, and patch tokens in the order they had before the views were turned."""
        torch = torch_module()
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            tokens = model.forward_features(x)
        embedding, patch = embedding_of(tokens.float(), self.recipe.network.registers)
        index = back[..., None].expand(-1, -1, patch.shape[-1])
        return embedding, patch.gather(1, index)

    def losses(self, places: Places, weights: Weights) -> dict[str, Tensor]:
        """Every loss that has a weight on a batch of places, unweighted."""
        torch = torch_module()
        n = len(places)
        side = places.views[0].shape[1] // 16
        back = torch.from_numpy(turn_indices(side)[places.turns.T.ravel()]).to(self.device)
        x = torch.cat([self._tensor(v) for v in places.views])
        embedding, patch = self._tokens(self.student, x, back)
        out: dict[str, Tensor] = {}
        if weights.stable > 0:
            # Not through a head: a head would learn to look past what the embedding still holds.
            tokens = L.negative_cosine(patch[:n], patch[2 * n :])
            out["stable"] = L.negative_cosine(embedding[:n], embedding[2 * n :]) + tokens / 2
        x, back = x[: 2 * n], back[: 2 * n]
        embedding, patch = embedding[: 2 * n], patch[: 2 * n]
        if weights.distills:
            assert self._teacher is not None
            taught = teach(self._teacher, places, self.recipe.teacher_grid, self.device)
            out |= distilled(self.heads, self._whitening, taught, embedding, patch)
        if weights.kde > 0:
            out["kde"] = L.kde_uniformity(embedding)
        if weights.crosses:
            out |= crossed(places, embedding, patch, weights)
        if weights.dino > 0:
            scores = self._prototypes(self.heads, embedding)
            with torch.no_grad():
                past, _ = self._tokens(self.average, x, back)
                assigned = L.sinkhorn(self._prototypes(self.average_heads, past))
            # each field is asked for what the past says of the other one
            out["dino"] = L.dino(scores, torch.cat([assigned[n:], assigned[:n]]))
        if weights.gram > 0:
            with torch.no_grad():
                _, held = self._tokens(self.anchor, x, back)
            out["gram"] = L.gram(patch, held)
        return out

    def _prototypes(self, heads: Any, embedding: Tensor) -> Tensor:
        normalize = torch_module().nn.functional.normalize
        vectors = normalize(through(heads["dino"], embedding), dim=-1)
        out: Tensor = vectors @ normalize(heads["prototypes"].weight, dim=-1).T
        return out

    def _rate(self) -> float:
        recipe = self.recipe
        if self.step < recipe.warmup:
            return recipe.learning_rate * (self.step + 1) / recipe.warmup
        done = (self.step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
        return recipe.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)

    def _advance(self, places: Places) -> dict[str, float]:
        torch = torch_module()
        recipe, phase = self.recipe, self.recipe.phase_at(self.step)
        if phase.losses.gram > 0 and self.anchor is None:
            self.anchor = copy.deepcopy(self.average)
        rate = self._rate()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        # Batch norms learn from places drawn independently: with few pictures in a batch they would
        # take away what tells the pictures apart, which they do not do to a single tile.
        self.student.train(phase.together == 1)
        self.heads.train(phase.together == 1)
        parts = self.losses(places, phase.losses)
        weights = phase.losses.model_dump()
        total = sum((weights[name] * part for name, part in parts.items()), torch.zeros(()))
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 3.0)
        self._optimizer.step()
        low, high = recipe.ema
        momentum = high - (high - low) * (1 + math.cos(math.pi * self.step / recipe.steps)) / 2
        average_into(self.average, self.student, momentum)
        average_into(self.average_heads, self.heads, momentum)
        self.step += 1
        return {"loss": total.item(), **{k: v.item() for k, v in parts.items()}, "rate": rate}

    def run(
        self,
        steps: int | None = None,
        every: int = 500,
        report: Callable[[dict[str, float]], None] | None = None,
    ) -> None:
        """Train to the end of the recipe, or for some steps.

        Parameters
        ----------
        steps : int, optional
            At most so many more.
        every : int
            Steps between checkpoints.
        report : callable, optional
            Given the mean of each loss over the last 20 steps, and the views per second.
        """
        steps = self.recipe.steps if steps is None else steps
        recent: list[dict[str, float]] = []
        began, seen = time.perf_counter(), 0
        with (self.out / LOG).open("a", encoding="utf-8") as log:
            for places in self._ahead(steps):
                recent.append(self._advance(places))
                seen += places.turns.size
                if self.step % 20 == 0 or self.step == self.recipe.steps:
                    now = time.perf_counter()
                    self.seconds += now - began
                    names = set.intersection(*(set(r) for r in recent))
                    line = {
                        "step": self.step,
                        **{k: float(np.mean([r[k] for r in recent])) for k in sorted(names)},
                        "views_per_s": seen / (now - began),
                        "seconds": self.seconds,
                    }
                    log.write(json.dumps({k: round(v, 6) for k, v in line.items()}) + "\n")
                    log.flush()
                    if report is not None:
                        report(line)
                    recent, began, seen = [], time.perf_counter(), 0
                if self.step % every == 0:
                    self.save()
        self.save()

    def state(self) -> dict[str, Tensor]:
        """The weights to keep: the average of the student's past, better than its present.

        Matrices in float16; the few numbers that are none, variances among them, as they are.
        """
        torch = torch_module()
        return {
            name: tensor.to("cpu", torch.float16 if tensor.ndim > 1 else None).contiguous()
            for name, tensor in self.average.state_dict().items()
        }
