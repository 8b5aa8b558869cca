"""`scalescope store`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from napari_scalescope.cli import app
from napari_scalescope.embeddings import StoredSet

from ..embeddings.fake import FakeEncoder
from ..embeddings.test_store import TILES, encode, opened, tree
from ..slides.memory import coloured_slide


@pytest.fixture
def run() -> Callable[..., Any]:
    def call(*arguments: Any, typed: str | None = None) -> Any:
        return CliRunner().invoke(app, ["store", *(str(a) for a in arguments)], input=typed)

    return call


@pytest.fixture
def stored(tmp_path: Path) -> StoredSet:
    made = opened(tmp_path / "store", coloured_slide(3000, 2400), FakeEncoder())
    encode(made, coloured_slide(3000, 2400), FakeEncoder(), TILES)
    made.close()
    return made


@pytest.fixture
def root(stored: StoredSet) -> Path:
    return stored.path.parent.parent


def test_ls(run: Callable[..., Any], root: Path, stored: StoredSet) -> None:
    result = run("ls", root)
    assert result.exit_code == 0
    head, row, total = result.stdout.splitlines()
    # Numbers end where their titles end.
    assert head.index("encoded") + len("encoded") == row.index(" 5 ") + 2
    assert "memory" in row
    assert "attention, patch_tokens" in row
    assert total.startswith("1 set, 5 tiles encoded")
    facts = json.loads(run("ls", root, "--json").stdout)
    assert facts["encoded"] == 5
    assert facts["sets"][0]["path"] == str(stored.path)
    assert facts["sets"][0]["tissue"] == 38 * 47


def test_ls_names_the_earlier_version_of_a_slide(
    run: Callable[..., Any], root: Path, stored: StoredSet
) -> None:
    for path in stored.path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    opened(root, coloured_slide(3000, 2401), FakeEncoder())
    result = run("ls", root)
    assert "memory *" in result.stdout
    assert f"note: {stored.name}" in result.stdout
    assert "another version of memory" in result.stdout


def test_ls_of_nothing(run: Callable[..., Any], tmp_path: Path) -> None:
    assert "0 sets" in run("ls", tmp_path).stdout
    result = run("ls", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "no store" in result.stderr
    result = run("ls", tmp_path / "nowhere", "--json")
    assert result.exit_code == 1
    assert "no store" in json.loads(result.stdout)["error"]


def test_verify(run: Callable[..., Any], root: Path, stored: StoredSet) -> None:
    result = run("verify", root)
    assert result.exit_code == 0
    assert "1 set: nothing damaged" in result.stdout
    next((stored.path / "embedding" / "c").glob("0/0/*")).write_bytes(b"")
    result = run("verify", root)
    assert result.exit_code == 1
    assert "embedding/c/0/0" in result.stdout
    assert "3 tiles to encode again" in result.stdout
    facts = json.loads(run("verify", root, "--repair", "--json").stdout)
    assert facts["ok"]
    assert [d["repaired"] for d in facts["damages"]] == [True] * len(facts["damages"])
    facts = json.loads(run("verify", root, "--json").stdout)
    assert (facts["ok"], facts["damages"]) == (True, [])
    (stored.path / "zarr.json").write_text("{")
    result = run("verify", root, "--repair")
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        (["--encoder", "fake"], True),
        (["--encoder", "other"], False),
        (["--slide", "memory", "--mpp", 0.5], True),
        (["--slide", "memory", "--mpp", 1], False),
        (["--older-than", 0], True),
        (["--older-than", 1], False),
        (["--unusable"], False),
    ],
)
def test_prune(
    run: Callable[..., Any], root: Path, stored: StoredSet, options: list[Any], gone: bool
) -> None:
    before = tree(root)
    result = run("prune", root, *options, "--dry-run")
    assert result.exit_code == 0
    assert ("memory" in result.stdout) == gone
    assert tree(root) == before
    result = run("prune", root, *options, typed="n\n")
    assert ("Nothing was removed." in result.stdout) == gone
    assert tree(root) == before
    result = run("prune", root, *options, "--yes", "--json")
    assert json.loads(result.stdout)["removed"] == gone
    assert stored.path.exists() != gone


def test_prune_asks_and_says_what_it_needs(
    run: Callable[..., Any], root: Path, stored: StoredSet
) -> None:
    assert "not said what" in run("prune", root).stderr
    result = run("prune", root, "--encoder", "fake", "--json")
    assert result.exit_code == 1
    assert "--yes" in json.loads(result.stdout)["remedy"]
    assert "Removed." in run("prune", root, "--encoder", "fake", typed="y\n").stdout
    assert not stored.path.exists()


def test_prune_leftovers(run: Callable[..., Any], root: Path, stored: StoredSet) -> None:
    before = tree(root)
    (stored.path / "state" / "c" / "0" / "0.x.partial").write_bytes(b"x")
    result = run("prune", root, "--leftovers", "--yes")
    assert "left over" in result.stdout
    assert tree(root) == before
    assert "Nothing meets that." in run("prune", root, "--leftovers", "--yes").stdout


def test_merge(run: Callable[..., Any], root: Path, stored: StoredSet) -> None:
    encode(stored, coloured_slide(3000, 2400), FakeEncoder(), [[2, 2]])
    assert "1 batch merged" in run("merge", root).stdout
    assert "nothing to merge" in run("merge", root).stdout
    both = root.with_name("both")
    assert "6 tiles came" in run("merge", root, "--into", both).stdout
    rows = json.loads(run("merge", root, "--into", both, "--json").stdout)["sets"]
    assert (rows[0]["tiles"], rows[0]["kept"]) == (0, 6)
    assert tree(both) == tree(root)
    (stored.path / "state" / "c" / "0" / "0").write_bytes(b"")
    result = run("merge", root, "--into", both)
    assert result.exit_code == 1
    assert "left out" in result.stderr
