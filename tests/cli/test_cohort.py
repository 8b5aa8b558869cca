"""`scalescope cohort`: what it prints is enough to open the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_scalescope.cli import app

from ..embeddings.many import fill, made_set

pytest.importorskip("pyarrow")
pytest.importorskip("usearch")


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["cohort", *map(str, arguments)])


@pytest.fixture
def store(tmp_path: Path, rng: np.random.Generator) -> Path:
    for name in ("a", "b", "c"):
        fill(made_set(tmp_path / "store", name), rng.normal(size=(42, 6)) + 2)
    return tmp_path / "store"


@pytest.fixture
def cohort(store: Path, tmp_path: Path) -> Path:
    path = tmp_path / "cohort.parquet"
    assert run("scan", store, "--out", path).exit_code == 0
    return path


def test_scan(store: Path, cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "a.svs").write_bytes(b"")
    arguments = ("scan", "--out", cohort, "--slides", tmp_path / "slides")
    told = json.loads(run(*arguments, "--json").stdout)
    assert told == {
        "cohort": str(cohort),
        "sets": 3,
        "read": 0,
        "slides": 3,
        "slides_found": 1,
        "tiles": 126,
        "warnings": [],
    }
    shown = run(*arguments)
    assert "3 sets of 3 slides, 126 tiles; 0 sets were new or changed" in shown.stdout
    assert "not known where 2 of the slides are" in shown.stderr
    (next(store.glob("b-*/fake-*")) / "zarr.json").write_text("{")
    assert "damaged" in run(*arguments).stderr


def test_ls(cohort: Path) -> None:
    shown = run("ls", "--cohort", cohort, "--sets").stdout
    assert "fake (weights ffffffff, fp32) at 0.5 µm/px" in shown
    assert "no index" in shown
    assert "a.svs: 42 tiles, place unknown" in shown
    assert run("index", "--cohort", cohort).exit_code == 0
    assert "of the ten nearest found" in run("ls", "--cohort", cohort).stdout
    told = json.loads(run("ls", "--cohort", cohort, "--sets", "--json").stdout)
    (one,) = told["collections"]
    assert (one["slides"], one["tiles"], one["index"]["lacks"]) == (3, 126, 0)
    assert [s["slide"] for s in one["sets"]] == ["a.svs", "b.svs", "c.svs"]


def test_search(cohort: Path) -> None:
    asked = ("search", "--cohort", cohort, "--slide", "b", "--at", "150,100")
    told = json.loads(run(*asked, "-k", 4, "--json").stdout)
    assert told["exact"]
    assert told["tiles"] == 126
    best = told["hits"][0]
    assert (best["slide"], best["tile"], best["mpp"]) == ("b.svs", [1, 2], 0.5)
    assert best["box"] == [128, 64, 64, 64]
    assert best["cosine"] == pytest.approx(1, abs=1e-5)
    assert {"path", "fingerprint", "slide_mpp", "set", "encoder", "centre"} <= set(best)
    assert len(told["hits"]) == 4
    lines = run(*asked, "-k", 3).stdout.splitlines()
    assert lines[0] == "1.0000  b.svs  at 160,96"
    assert len(lines) == 3
    others = json.loads(run(*asked, "--others", "--exclude", "a", "--json").stdout)
    assert {h["slide"] for h in others["hits"]} == {"c.svs"}
    few = json.loads(run(*asked, "--per-slide", 1, "--distinct", "--json").stdout)
    assert sorted(h["slide"] for h in few["hits"]) == ["a.svs", "b.svs", "c.svs"]


def test_search_with_the_index(cohort: Path) -> None:
    asked = ("search", "--cohort", cohort, "--slide", "b", "--at", "150,100", "-k", 5)
    failed = run(*asked, "--method", "index", "--json")
    assert failed.exit_code == 1
    assert "cohort index" in json.loads(failed.stdout)["remedy"]
    built = json.loads(run("index", "--cohort", cohort, "--no-measure", "--json").stdout)
    assert (built["added"], built["tiles"], built["recall"]) == (126, 126, None)
    assert "not measured" in run("ls", "--cohort", cohort).stdout
    built = json.loads(run("index", "--cohort", cohort, "--json").stdout)
    assert (built["added"], built["tiles"]) == (0, 126)
    assert built["recall"] >= 0.95
    near = run(*asked, "--method", "index")
    assert near.stdout == run(*asked).stdout
    assert "found with the index among 126 tiles" in near.stderr


def test_what_goes_wrong_is_said(cohort: Path, store: Path, tmp_path: Path) -> None:
    assert run("scan", tmp_path / "none").exit_code == 1
    missing = run("ls", "--cohort", tmp_path / "none.parquet", "--json")
    assert missing.exit_code == 1
    assert "scalescope cohort scan" in json.loads(missing.stdout)["remedy"]
    asked = ("search", "--cohort", cohort, "--slide", "b")
    assert run(*asked, "--at", "here").exit_code == 2
    assert run(*asked, "--at", "1,1", "--method", "magic").exit_code == 2
    nowhere = run(*asked, "--at", "9000,9000")
    assert nowhere.exit_code == 1
    assert "is not encoded" in nowhere.stderr
    fill(made_set(store, "other", mpp=1.0), np.ones((3, 6)))
    run("scan", "--out", cohort)
    several = run(*asked, "--at", "150,100")
    assert several.exit_code == 1
    assert "cannot be compared with each other" in several.stderr
    assert run(*asked, "--at", "150,100", "--mpp", 0.5).exit_code == 0
