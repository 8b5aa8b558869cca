"""Several processes at one set: nothing is missed, and nobody removes what another needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import arrays
from napari_scalescope.embeddings.arrays import Arrays
from napari_scalescope.embeddings.cohort.stored_vectors import StoredVectors
from napari_scalescope.embeddings.disk import flush_tree
from napari_scalescope.embeddings.journal import Batch
from napari_scalescope.slides import Slide

from .fake import FakeEncoder
from .test_store import TILES, encode, opened


def test_what_another_process_did_meanwhile_is_learned(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder
) -> None:
    a, b = opened(tmp_path, slide, encoder), opened(tmp_path, slide, encoder)
    encode(b, slide, encoder, TILES[:2])  # in the block (0, 0), and still in the journal
    encode(b, slide, encoder, TILES[4:])  # in the block (32, 32)
    b.merge([(32, 32)])
    encode(b, slide, encoder, TILES[2:3])  # there too, and not merged
    assert len(a.missing(TILES)) == 5
    a.refresh([(32, 32)])
    assert a.missing(TILES).tolist() == [TILES[0].tolist(), TILES[1].tolist(), TILES[3].tolist()]
    assert np.isfinite(a.embeddings().vectors).all()
    a.refresh([(0, 0)])
    assert a.missing(TILES).tolist() == [TILES[3].tolist()]
    assert np.isfinite(a.embeddings().vectors).all()
    encode(a, slide, encoder, TILES[3:4])
    a.merge([(0, 0)])
    b.close()
    assert not list(tmp_path.rglob("*.npz"))
    vectors = opened(tmp_path, slide, encoder).embeddings().vectors
    assert len(vectors) == 5
    assert np.isfinite(vectors).all()


def test_a_batch_that_is_merged_while_a_process_opens_the_set_is_not_missed(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    state = Arrays.state

    def merged_first(self: Arrays, *area: Any) -> Any:
        monkeypatch.undo()
        stored.close()
        return state(self, *area)

    monkeypatch.setattr(Arrays, "state", merged_first)
    opening = opened(tmp_path, slide, encoder)
    assert not list(tmp_path.rglob("*.npz"))
    assert not len(opening.missing(TILES))
    assert np.isfinite(opening.embeddings().vectors).all()


@pytest.mark.parametrize("when", ["before a batch is written", "after it"])
def test_the_folder_of_the_journal_may_go_at_any_moment(
    tmp_path: Path,
    slide: Slide,
    encoder: FakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    """Whoever merged the last of its batches removes it while it is empty."""
    stored, mkdir, replace, gone = opened(tmp_path, slide, encoder), Path.mkdir, Path.replace, [3]

    def removed(self: Path, *args: Any, **options: Any) -> None:
        mkdir(self, *args, **options)
        if self.parent.name == ".journal" and gone[0]:
            gone[0] -= 1
            self.rmdir()

    def merged(self: Path, target: Path) -> Path:
        replace(self, target)
        if target.suffix == ".npz":
            gone[0] = 0
            opened(tmp_path, slide, encoder).close()
            assert not target.parent.exists()
        return target

    if when == "after it":
        monkeypatch.setattr(Path, "replace", merged)
    else:
        monkeypatch.setattr(Path, "mkdir", removed)
    encode(stored, slide, encoder, TILES)
    assert not gone[0]
    assert len(opened(tmp_path, slide, encoder).embeddings()) == 5


def test_an_opening_process_removes_no_batch_that_another_is_merging(
    tmp_path: Path, slide: Slide, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = opened(tmp_path, slide, encoder)
    encode(stored, slide, encoder, TILES)
    seen = []

    def flushed(path: Path, top: Path) -> None:
        if "state" in path.parts:  # it is written and not yet flushed
            opened(tmp_path, slide, encoder)
            seen.append(len(list(tmp_path.rglob("*.npz"))))
        flush_tree(path, top)

    monkeypatch.setattr(arrays, "flush_tree", flushed)
    stored.close()
    assert seen == [1, 1]
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("reader", ["set", "cohort"])
def test_what_another_process_merges_while_it_is_read_is_there(
    tmp_path: Path,
    slide: Slide,
    encoder: FakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
    reader: str,
) -> None:
    """Read from the arrays too early and from the journal too late, it would be nowhere."""
    writer = opened(tmp_path, slide, encoder)
    coded = encode(writer, slide, encoder, TILES)
    stored = opened(tmp_path, slide, encoder)
    cohort = StoredVectors(stored.path)
    load = Batch.load

    def late(self: Batch, name: str) -> Any:
        monkeypatch.setattr(Batch, "load", load)
        writer.merge()
        return load(self, name)

    monkeypatch.setattr(Batch, "load", late)
    if reader == "set":
        found = stored.read("embedding", TILES)
    else:
        found = cohort.read(TILES[:, 0] * stored.grid.cols + TILES[:, 1])
    np.testing.assert_allclose(found, coded.embedding, atol=1e-3)
