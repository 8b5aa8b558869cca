"""`scalescope compare` from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from napari_scalescope.cli import app
from napari_scalescope.exchange.tiff import write_pyramidal_tiff

from ..embeddings.fake import FakeEncoder
from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide.tif"
    write_pyramidal_tiff(memory_slide(smooth_picture(512, 512), 0.5), path)
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["compare", *map(str, arguments)])


def test_a_report_and_a_table_are_written(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_scalescope.encoders.load_encoder", lambda *_, **__: FakeEncoder())
    out = tmp_path / "report.html"
    done = run(slide, "--encoders", "fake", "--mpp", "0.5,1", "--out", out, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["report"] == str(out)
    assert "<h1>Encoders on slide" in out.read_text(encoding="utf-8")
    table = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert {n["mpp"] for n in table["slides"][0]["numbers"]} == {0.5, 1.0}


@pytest.mark.parametrize("mpp", ["", "a", "0.5,-1", "0"])
def test_nonsense_for_mpp_is_refused(slide: Path, tmp_path: Path, mpp: str) -> None:
    done = run(slide, "--encoders", "builtin", "--mpp", mpp, "--out", tmp_path / "r.html")
    assert done.exit_code == 1
    assert "list of µm per pixel" in done.output


def test_an_unknown_encoder_is_named(slide: Path, tmp_path: Path) -> None:
    done = run(slide, "--encoders", "nonesuch", "--out", tmp_path / "r.html")
    assert done.exit_code == 1
    assert "nonesuch" in done.output
