"""Stores are listed, checked, mended, pruned and brought together."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import TileState, upkeep
from napari_scalescope.embeddings.inventory import survey
from napari_scalescope.embeddings.leftovers import find_leftovers, sweep
from napari_scalescope.embeddings.stored_set import StoredSet
from napari_scalescope.errors import StoreError
from napari_scalescope.slides import Slide

from ..slides.memory import coloured_slide
from .fake import FakeEncoder, Killed
from .test_store import TILES, encode, opened, tree

ALL = ("attention", "patch_tokens")


@pytest.fixture
def stored(tmp_path: Path, slide: Slide, encoder: FakeEncoder) -> StoredSet:
    """A set of five tiles in two blocks, merged."""
    made = opened(tmp_path, slide, encoder)
    encode(made, slide, encoder, TILES)
    made.mark([[1, 1], [34, 34]], TileState.BACKGROUND)
    made.close()
    return made


def damages(path: Path, **options: Any) -> list[upkeep.Damage]:
    return list(upkeep.verify(path, **options))


# --- survey -----------------------------------------------------------------------------------


def test_a_survey_tells_what_is_there_and_changes_nothing(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    encode(stored, slide, encoder, [[2, 2]], keep=())
    stored.mark([[3, 3]], TileState.UNREADABLE)
    before = tree(tmp_path)
    (facts,) = survey(tmp_path)
    assert tree(tmp_path) == before
    assert (facts.slide, facts.encoder, facts.mpp, facts.tile_px) == ("memory", "fake", 0.5, 64)
    assert (facts.tiles, facts.encoded, facts.background, facts.tissue) == (38 * 47, 5, 2, 1784)
    assert facts.parts == ("attention", "patch_tokens")
    assert facts.unmerged == 1
    assert facts.bytes == sum(len(v) for k, v in before.items() if "/" in k) - len(
        before[f"{stored.path.parent.name}/zarr.json"]
    )
    assert facts.trained is False
    assert not facts.other_version
    assert json.dumps(facts.as_dict())


def test_a_changed_slide_gets_a_fresh_set_and_the_old_one_is_named(
    tmp_path: Path, stored: StoredSet, encoder: FakeEncoder
) -> None:
    changed = coloured_slide(3000, 2401)
    fresh = opened(tmp_path, changed, encoder)
    assert len(fresh.embeddings()) == 0
    for path in stored.path.rglob("*"):
        os.utime(path, (1e9, 1e9))
    versions = {f.path: f.other_version for f in survey(tmp_path)}
    assert versions == {stored.path: True, fresh.path: False}


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        survey(tmp_path / "nowhere")
    (tmp_path / "slide.ome.zarr" / "0").mkdir(parents=True)
    assert survey(tmp_path) == []


# --- verify -----------------------------------------------------------------------------------


def test_what_is_sound_is_said_to_be(stored: StoredSet) -> None:
    assert damages(stored.path) == []


def spoil(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    left = {"empty": b"", "half": data[: len(data) // 2], "zeros": bytes(len(data))}
    path.write_bytes(left.get(how, data))


@pytest.mark.parametrize("how", ["empty", "half", "zeros", "one bit", "removed"])
@pytest.mark.parametrize("name", ["embedding", "attention", "patch_tokens"])
def test_what_is_damaged_is_found_and_encoded_again(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder, name: str, how: str
) -> None:
    whole = tree(tmp_path)
    (file,) = (p for p in (stored.path / name / "c" / "0" / "0").rglob("*") if p.is_file())
    file.unlink() if how == "removed" else spoil(file, how)
    if how != "removed":
        with pytest.raises(StoreError, match="damaged") as caught:
            opened(tmp_path, slide, encoder).read(name, TILES)  # type: ignore[arg-type]
        assert "verify" in caught.value.remedy
    found = damages(stored.path)
    assert found
    assert name in found[0].where
    assert damages(stored.path) == found  # nothing was changed
    assert damages(stored.path, repair=True)
    assert damages(stored.path) == []
    again = opened(tmp_path, slide, encoder)
    left = again.missing(TILES, ALL)
    assert 1 <= len(left) <= 3  # the other block is as it was
    assert {tuple(t) for t in left.tolist()} <= {(5, 7), (6, 7), (0, 0)}
    encode(again, slide, encoder, left)
    again.close()
    assert tree(tmp_path) == whole


@pytest.mark.parametrize("how", ["empty", "half", "zeros", "one bit", "removed"])
def test_a_damaged_state_is_told_anew_from_the_vectors(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder, how: str
) -> None:
    file = stored.path / "state" / "c" / "0" / "0"
    if how == "removed":
        file.unlink()
        assert len(opened(tmp_path, slide, encoder).embeddings()) == 0
    else:
        spoil(file, how)
        with pytest.raises(StoreError, match="state cannot be decoded"):
            opened(tmp_path, slide, encoder)
        assert survey(tmp_path)[0].problem
    assert len(damages(stored.path)) == 1
    assert len(damages(stored.path, repair=True)) == 1
    again = opened(tmp_path, slide, encoder)
    assert len(again.missing(TILES, ALL)) == 0
    assert again.count(TileState.ENCODED) == 5


def test_a_set_without_its_description_can_only_be_removed(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    for damage in (lambda p: p.write_text("{"), Path.unlink):
        damage(stored.path / "zarr.json")
        with pytest.raises(StoreError, match="damaged"):
            opened(tmp_path, slide, encoder)
        (found,) = damages(stored.path, repair=True)
        assert not found.mended
    upkeep.remove_set(stored.path)
    assert len(opened(tmp_path, slide, encoder).embeddings()) == 0


def test_batches_set_aside_are_told_of(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    encode(stored, slide, encoder, [[2, 2]])
    (batch,) = tmp_path.rglob("*.npz")
    spoil(batch, "half")
    (found,) = damages(stored.path, repair=True)
    assert found.where.endswith(".damaged")
    assert damages(stored.path) == []
    assert opened(tmp_path, slide, encoder).missing([[2, 2]]).tolist() == [[2, 2]]


def test_merging_into_a_damaged_block_keeps_the_batch(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    spoil(next((stored.path / "embedding" / "c").glob("0/0/*")), "half")
    again = opened(tmp_path, slide, encoder)
    encode(again, slide, encoder, [[2, 2]])
    with pytest.raises(StoreError, match="damaged"):
        again.close()
    damages(stored.path, repair=True)
    again = opened(tmp_path, slide, encoder)
    assert len(again.missing([[2, 2]], ALL)) == 0
    again.close()
    assert damages(stored.path) == []


# --- prune ------------------------------------------------------------------------------------


def test_a_set_is_removed_with_all_that_is_its(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    other = opened(tmp_path, slide, encoder, mpp=1.0)
    encode(other, slide, encoder, [[2, 2]])
    encode(stored, slide, encoder, [[2, 2]])
    upkeep.remove_set(stored.path)
    assert [f.path for f in survey(tmp_path)] == [other.path]
    assert len(other.embeddings().vectors) == 1
    upkeep.remove_set(other.path)
    assert [p.name for p in tmp_path.iterdir()] == [".locks"]


def test_leftovers_are_removed_and_nothing_else(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    encode(stored, slide, encoder, [[2, 2]])
    whole = tree(tmp_path)
    group = stored.path.parent
    journal = group / ".journal" / stored.name
    left = [
        group / f".{stored.name}.{'0' * 32}" / "zarr.json",
        stored.path / "embedding" / "c" / "0" / "0" / "0.abc.partial",
        journal / "999999999-0.partial",
        journal / "1-0.damaged",
        group / ".journal" / "gone-0.5um-64px-00000000" / "1-0.npz",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    living = journal / f"{os.getpid()}-0.partial"
    elsewhere = journal / "1-0@another-machine.partial"
    for path in (living, elsewhere):
        path.write_bytes(b"x")
    assert len(list(find_leftovers(tmp_path))) == 5
    assert len(sweep(tmp_path)) == 5
    assert living.exists()
    assert elsewhere.exists()
    living.unlink()
    elsewhere.unlink()
    assert tree(tmp_path) == whole


# --- merge ------------------------------------------------------------------------------------


def test_journals_are_merged(
    tmp_path: Path, stored: StoredSet, slide: Slide, encoder: FakeEncoder
) -> None:
    encode(stored, slide, encoder, [[2, 2]])
    assert list(upkeep.merge_journals(tmp_path)) == [(stored.path, 1)]
    assert list(upkeep.merge_journals(tmp_path)) == []
    assert not list(tmp_path.rglob("*.npz"))


def test_stores_of_two_machines_become_the_one_of_a_single(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    roots = {name: tmp_path / name for name in ("a", "b", "both", "whole")}
    for name, tiles in (("a", TILES[:3]), ("b", TILES[2:]), ("whole", TILES)):
        stored = opened(roots[name], slide, encoder)
        encode(stored, slide, encoder, tiles)
        if name != "b":
            stored.mark([[9, 9]], TileState.BACKGROUND)
        # What waits in a journal comes too.
        stored.merge([(0, 0)] if name == "a" else None)
    sources = {n: tree(roots[n]) for n in "ab"}
    for name, tiles, kept in (("a", 3, 0), ("b", 2, 1), ("b", 0, 3)):
        (brought,) = upkeep.bring_in(survey(roots[name]), roots["both"])
        assert (brought.tiles, brought.parts, brought.kept) == (tiles, 0, kept)
    assert {n: tree(roots[n]) for n in "ab"} == sources
    assert tree(roots["both"]) == tree(roots["whole"])
    with pytest.raises(StoreError, match="into itself"):
        list(upkeep.bring_in(survey(roots["a"]), roots["a"]))


def test_of_a_tile_that_both_have_the_one_already_there_stays(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    a, b = (opened(tmp_path / name, slide, encoder) for name in "ab")
    mine = encode(a, slide, encoder, TILES[:2], keep=())
    theirs = encoder.encode(np.full((2, 64, 64, 3), 90, np.uint8))
    b.write(TILES[:2], theirs)
    (brought,) = upkeep.bring_in(survey(tmp_path / "b"), tmp_path / "a")
    assert (brought.tiles, brought.parts, brought.kept) == (0, 2, 2)
    again = opened(tmp_path / "a", slide, encoder)
    np.testing.assert_allclose(again.read("embedding", TILES[:2]), mine.embedding, atol=1e-3)
    np.testing.assert_allclose(again.read("attention", TILES[:2]), theirs.attention, atol=1e-3)


def test_a_merge_that_is_stopped_goes_on(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = opened(tmp_path / "a", slide, encoder)
    encode(source, slide, encoder, TILES)
    source.close()

    write = StoredSet.write
    calls = iter(range(9))

    def fragile(self: StoredSet, *given: Any) -> None:
        if next(calls) == 1:
            raise Killed
        write(self, *given)

    monkeypatch.setattr(StoredSet, "write", fragile)
    with pytest.raises(Killed):
        list(upkeep.bring_in(survey(tmp_path / "a"), tmp_path / "b"))
    list(upkeep.bring_in(survey(tmp_path / "a"), tmp_path / "b"))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    shutil.rmtree(tmp_path / "a")
    assert damages(tmp_path / "b" / source.path.relative_to(tmp_path / "a")) == []
