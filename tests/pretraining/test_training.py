from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_scalescope.pretraining.networks import make_student
from napari_scalescope.pretraining.plot import plot_log
from napari_scalescope.pretraining.recipes import (
    Phase,
    RecipeError,
    Weights,
    load_recipe,
    recipe_names,
)
from napari_scalescope.pretraining.sources import Source
from napari_scalescope.pretraining.train import CHECKPOINT, LOG, Trainer
from napari_scalescope.pretraining.views import Disturbance, disturbed
from tests.pretraining.small import SMALL, Colours, recipe, tissue


@pytest.fixture(scope="module", name="tissue")
def _tissue() -> tuple[Source, np.ndarray]:
    return tissue(3072)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_along_makes_sense(name: str) -> None:
    assert load_recipe(name).name == name


def test_recipes_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="There is no recipe"):
        load_recipe("alchemy")
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: broken\nsumary: x\n")
    with pytest.raises(RecipeError, match="does not make sense"):
        load_recipe(str(broken))
    with pytest.raises(ValueError, match="do not sum to 1"):
        recipe(phases=(Phase(share=0.5, losses=Weights(kde=1)),))
    with pytest.raises(ValueError, match="no loss has a weight"):
        Phase(share=1, losses=Weights())


def test_phases_follow_each_other() -> None:
    r = recipe(10)
    assert [r.phase_at(s).px for s in (0, 4, 5, 9)] == [64, 64, 96, 96]


def test_students_are_the_same_for_the_same_seed() -> None:
    a, b, c = (make_student(SMALL, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["blocks.0.attn.qkv.weight"], c["blocks.0.attn.qkv.weight"])


def test_a_run_that_was_stopped_ends_with_the_same_bits(
    tissue: tuple[Source, np.ndarray], tmp_path: Path
) -> None:
    source = [tissue[0]]
    whole = Trainer(recipe(), source, tmp_path / "whole", Colours(), "cpu")
    whole.run(every=100)
    # stopped between checkpoints, in the second phase: what came after the last one is lost
    first = Trainer(recipe(), source, tmp_path / "parts", Colours(), "cpu")
    first.run(4, every=2)
    kept = (tmp_path / "parts" / CHECKPOINT).read_bytes()
    first.run(1)
    (tmp_path / "parts" / CHECKPOINT).write_bytes(kept)
    with (tmp_path / "parts" / LOG).open("a") as log:
        log.write(json.dumps({"step": 5, "loss": 0.0}) + "\n")
    second = Trainer(recipe(), source, tmp_path / "parts", Colours(), "cpu")
    assert second.step == 4
    assert "loss" not in (tmp_path / "parts" / LOG).read_text()
    second.run()
    assert second.step == whole.step == 6
    for mine, theirs in (
        (whole.student, second.student),
        (whole.average, second.average),
        (whole.heads, second.heads),
    ):
        a, b = mine.state_dict(), theirs.state_dict()
        assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_folder_of_another_recipe_is_left_alone(
    tissue: tuple[Source, np.ndarray], tmp_path: Path
) -> None:
    Trainer(recipe(), [tissue[0]], tmp_path, Colours(), "cpu").save()
    with pytest.raises(RecipeError, match="another recipe"):
        Trainer(recipe(8), [tissue[0]], tmp_path, Colours(), "cpu")


def test_distilling_needs_a_teacher(tissue: tuple[Source, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="distils a teacher"):
        Trainer(recipe(), [tissue[0]], tmp_path, None, "cpu")


def nearest_neighbour_accuracy(model: torch.nn.Module, source: Source, truth: np.ndarray) -> float:
    """Leave-one-out 5-NN balanced accuracy of tiles of 64 µm, each in another stain.

    In units of chance. With the stain of one laboratory, colour alone would tell the classes.
    """
    picture = source.pictures[0]
    rng = np.random.default_rng(5)
    tiles, labels = [], []
    for y in range(0, 3072 - 64, 64):
        for x in range(0, 3072 - 64, 64):
            part = truth[y // 8 : y // 8 + 8, x // 8 : x // 8 + 8]
            values, counts = np.unique(part, return_counts=True)
            if counts.max() == part.size:
                tiles.append(disturbed(picture.read(x, y, 64, 64), Disturbance(), rng))
                labels.append(values[0])
    label = np.array(labels)
    with torch.inference_mode():
        x_ = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 127.5 - 1
        z = torch.nn.functional.normalize(model.eval().forward_features(x_).mean(1), dim=1).numpy()
    z = z - z.mean(0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    near = np.argsort(-(z @ z.T) + 2 * np.eye(len(z)), axis=1)[:, :5]
    said = np.array([np.bincount(row).argmax() for row in label[near]])
    kinds = [k for k in np.unique(label) if (label == k).sum() >= 10]
    assert len(kinds) >= 4
    return float(np.mean([(said[label == k] == k).mean() for k in kinds])) * len(kinds)


def test_a_small_run_learns(tissue: tuple[Source, np.ndarray], tmp_path: Path) -> None:
    source, truth = tissue
    losses = Weights(dino=1.0, stable=1.0, cross_global=0.5, cross_local=0.5, kde=0.05)
    phases = (Phase(share=1, px=64, batch=24, losses=losses),)
    small = recipe(120, phases=phases, warmup=20, ema=(0.95, 0.99))
    trainer = Trainer(small, [source], tmp_path, None, "cpu")
    before = nearest_neighbour_accuracy(trainer.average, source, truth)
    trainer.run()
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.2
    after = nearest_neighbour_accuracy(trainer.average, source, truth)
    assert after > max(before + 0.2, 2)
    plot_log(tmp_path / LOG, tmp_path / "losses.svg")
    assert (tmp_path / "losses.svg").read_text().count("<polyline") == 6


def test_weights_are_kept_in_half_precision_and_load_into_the_architecture(
    tissue: tuple[Source, np.ndarray], tmp_path: Path
) -> None:
    state = Trainer(recipe(), [tissue[0]], tmp_path, Colours(), "cpu").state()
    assert {t.dtype for t in state.values() if t.ndim > 1} == {torch.float16}
    assert all(t.dtype != torch.float16 for t in state.values() if t.ndim < 2)
    make_student(SMALL, 5).load_state_dict(state)
