"""`scalescope pretrain`: from a slide to weights, in two sittings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image
from safetensors import safe_open
from typer.testing import CliRunner, Result

from napari_scalescope.cli import app
from napari_scalescope.slides.phantom import phantom

RECIPE = {
    "name": "tiny",
    "summary": "Two steps.",
    "network": {"dim": 64, "depth": 1, "heads": 2},
    "fields": {"informative": 0.0},
    "phases": [
        {
            "share": 1.0,
            "px": 32,
            "batch": 4,
            "losses": {"stable": 1.0, "cross_local": 1.0, "kde": 0.05},
        }
    ],
    "steps": 4,
}


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    slide = tmp_path / "phantom.png"
    Image.fromarray(phantom((256, 256), seed=3, mpp=2.0).read_level(0, 0, 0, 256, 256)).save(slide)
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    out = str(tmp_path / "run")
    return ["pretrain", str(slide), "--recipe", str(recipe), "--out", out, "--device", "cpu"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_training_goes_on_where_it_stopped(arguments: list[str], tmp_path: Path) -> None:
    first = run(*arguments, "--steps", "3")
    assert first.exit_code == 0, first.output
    assert "phantom.png: 1 pictures" in first.stdout
    assert "3 of 4 steps" in first.stdout
    report = json.loads(run(*arguments, "--json").stdout)
    assert report["steps"] == report["of"] == 4
    assert report["last"]["step"] == 4
    with safe_open(report["weights"], "np") as weights:
        assert weights.get_slice("reg_token").get_shape() == [1, 4, 64]
    assert (tmp_path / "run" / "losses.svg").read_text().startswith("<svg")


def test_what_is_missing_is_said(arguments: list[str], tmp_path: Path) -> None:
    nothing = run("pretrain", "--out", str(tmp_path / "x"), "--recipe", "self-distillation")
    assert nothing.exit_code == 1
    assert "nothing to train on" in nothing.stderr
    empty = run("pretrain", "--out", str(tmp_path / "x"), "--data", str(tmp_path))
    assert empty.exit_code == 1
    assert "CMU-1-Small-Region" in empty.stderr
    teacherless = run("pretrain", *arguments[1:2], "--out", str(tmp_path / "y"))
    assert teacherless.exit_code == 1
    assert "--teacher" in teacherless.stderr
