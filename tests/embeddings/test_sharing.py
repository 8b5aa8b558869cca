"""What a worker of a cluster holds, and which shard it is given."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from napari_scalescope.embeddings import TileState, embed, shards
from napari_scalescope.embeddings.shards import Job, Model, Source, Tiling
from napari_scalescope.embeddings.sharing import ENOUGH, Sharing
from napari_scalescope.embeddings.shelf import Shelf
from napari_scalescope.errors import EncoderError, SlideError, StoreError
from napari_scalescope.slides import open_slide

from ..slides.conftest import write_pyramid
from ..slides.memory import coloured_slide
from .fake import FakeEncoder
from .test_store import tree


def test_slides_are_finished_one_after_the_other_and_nobody_waits() -> None:
    sharing: Sharing[tuple[int, int]] = Sharing()
    for slide in range(3):
        sharing.add(slide, [(slide, i) for i in range(2 * ENOUGH)])
    given = []
    while len(sharing):
        given += [shard for worker in "ab" if (shard := sharing.next_for(worker)) is not None]
    assert sharing.next_for("a") is None
    assert sorted(given) == [(slide, i) for slide in range(3) for i in range(2 * ENOUGH)]
    ended = [max(i for i, (slide, _) in enumerate(given) if slide == s) for s in range(3)]
    assert ended[0] < ended[2]
    begun = [given.index((slide, 0)) for slide in range(3)]
    assert begun == sorted(begun)


def test_a_worker_stays_with_its_slide() -> None:
    sharing: Sharing[tuple[int, int]] = Sharing()
    sharing.add(0, [(0, i) for i in range(3 * ENOUGH)])
    sharing.add(1, [(1, i) for i in range(3 * ENOUGH)])
    first = {w: sharing.next_for(w) for w in "abcd"}
    assert [s[0] for s in first.values() if s] == [0, 0, 1, 1]
    assert sharing.next_for("c") == (1, 2)
    sharing.drop(1)
    assert sharing.next_for("c") == (0, 2)
    sharing.keep("c")
    assert sharing.next_for("e") == (0, 3)


def test_the_last_shards_are_taken_by_whoever_is_free() -> None:
    sharing: Sharing[int] = Sharing()
    sharing.add(0, [1, 2, 3])
    assert [sharing.next_for(w) for w in "abcd"] == [1, 2, 3, None]


def test_a_shelf_makes_things_once_and_closes_the_oldest_that_nobody_uses() -> None:
    closed: list[str] = []
    made: list[str] = []
    shelf: Shelf[str] = Shelf(1, closed.append)

    def make(name: str) -> str:
        made.append(name)
        return name

    def use() -> None:
        with shelf.borrowed("a", lambda: make("a")):
            pass

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
    with shelf.borrowed("a", lambda: make("a")), shelf.borrowed("b", lambda: make("b")):
        assert not closed
    assert closed == ["b"]
    with shelf.borrowed("c", lambda: make("c")):
        assert closed == ["b", "a"]
    shelf.clear()
    assert closed == ["b", "a", "c"]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.setattr(shards, "load_encoder", lambda *_, **__: FakeEncoder())
    monkeypatch.setattr(shards, "SHARE_PATIENCE_S", 0.1)
    pixels = coloured_slide(2600, 2000).read_level(0, 0, 0, 2600, 2000)
    write_pyramid(tmp_path / "slide.tif", pixels, compression="deflate")
    yield Job(
        "run", Source(tmp_path / "slide.tif"), Model("fake"), Tiling((0.5,)), tmp_path / "store"
    )
    shards.forget()


def plan(job: Job) -> shards.Planned:
    ((planned,), doubts) = shards.plan_slide(job)
    assert doubts == ()
    return planned


def test_shards_come_to_what_one_machine_computes(job: Job, tmp_path: Path) -> None:
    planned = plan(job)
    assert len(planned.blocks) > 1
    for block in planned.blocks[::-1]:
        shards.encode_shard(planned.target, [block])
    shards.finish_set(planned.target)
    shards.forget()
    with open_slide(tmp_path / "slide.tif") as slide:
        emb = embed(slide, FakeEncoder(), store=tmp_path / "local")  # type: ignore[arg-type]
    assert tree(tmp_path / "store") == tree(tmp_path / "local")
    assert planned.left == len(emb)
    assert (emb.state & (TileState.ENCODED | TileState.BACKGROUND)).all()
    again = plan(replace(job, run="another"))
    assert (again.left, again.reused, again.blocks) == (0, len(emb), ())


def test_nothing_held_of_an_earlier_run_is_believed(job: Job, tmp_path: Path) -> None:
    planned = plan(job)
    for block in planned.blocks:
        shards.encode_shard(planned.target, [block])
    (tmp_path / "store").rename(tmp_path / "moved")
    again = plan(replace(job, run="another"))
    assert again.left == planned.left
    for block in again.blocks:
        shards.encode_shard(again.target, [block])
    assert tree(tmp_path / "store") == tree(tmp_path / "moved")


def test_a_machine_that_would_compute_something_else_says_so(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned = plan(job)
    other = replace(planned.target, job=replace(job, run="on another machine"))
    encoder = FakeEncoder()
    encoder.weights_sha256 = "0" * 64
    with monkeypatch.context() as patch:
        patch.setattr(shards, "load_encoder", lambda *_, **__: encoder)
        with pytest.raises(EncoderError, match="Fake is not the same everywhere: its weights"):
            shards.encode_shard(other, planned.blocks)
    with pytest.raises(SlideError, match="another file"):
        shards.encode_shard(replace(planned.target, fingerprint="0" * 64), planned.blocks)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="does not see what another worker"):
        shards.encode_shard(
            replace(planned.target, job=replace(job, run="not mounted")), planned.blocks
        )
    (tmp_path / "slide.tif").rename(tmp_path / "moved.tif")
    with pytest.raises(SlideError, match="all workers see them under the same path"):
        plan(replace(job, run="no slide"))
