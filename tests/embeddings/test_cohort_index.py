"""The index of a cohort finds nearly all of what an exact search does, and says how much."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.embeddings.cohort import Cohort, Collection, collection
from napari_scalescope.embeddings.cohort.index import GRAPH_BYTES
from napari_scalescope.errors import StoreError

from .many import clustered, fill, fill_blocks, made_set, named

pytest.importorskip("pyarrow")
pytest.importorskip("usearch")


@pytest.fixture
def large(tmp_path: Path, rng: np.random.Generator) -> Collection:
    for i in range(6):
        stored = made_set(tmp_path / "store", f"s{i}", rows=20, cols=25, dim=32)
        fill_blocks(stored, lambda n: clustered(rng, n))
    return Cohort.scan([tmp_path / "store"], tmp_path / "cohort.parquet").select()


def reopened(chosen: Collection) -> Collection:
    return Cohort.open(chosen._folder.parent.with_suffix(".parquet")).select()


def test_the_index_finds_nearly_all_and_says_how_many(large: Collection) -> None:
    added = []
    assert large.build_index(report=added.append) == 3000 == sum(added)
    again = reopened(large)
    recall, asked = again.measure(k=10)
    assert recall >= 0.95
    assert asked == collection.ASKED
    assert again.index.contents.recall == recall
    assert (again.index.count, len(again.index.contents.sets)) == (3000, 6)
    query = again.vector_at("s2", 100, 100)
    found = again.search(query, 10, method="index")
    assert (found.exact, found.recall, found.tiles) == (False, recall, 3000)
    truth = again.search(query, 10, method="exact")
    assert found.hits[0][0] == truth.hits[0][0]
    assert again.build_index() == 0
    limited = again.search(query, 8, per_slide=2, exclude=["s2"], method="index")
    truth = again.search(query, 8, per_slide=2, exclude=["s2"], method="exact")
    assert len(set(named(limited)) & set(named(truth))) >= 7


def test_many_queries_at_once(large: Collection, rng: np.random.Generator) -> None:
    large.build_index()
    queries = clustered(rng, 5)
    together = large.search(queries, 6, method="index")
    alone = [large.search(q, 6, method="index").hits[0] for q in queries]
    assert [named(h) for h in together.hits] == [named(h) for h in alone]


def test_shards_are_of_bounded_size(large: Collection, rng: np.random.Generator) -> None:
    large.index._shard_bytes = 700 * (32 + GRAPH_BYTES)
    large.build_index()
    assert [s.count for s in large.index.contents.shards] == [700, 700, 700, 700, 200]
    assert reopened(large).measure()[0] >= 0.95
    # It goes on in the last one.
    more = made_set(Path(large.rows[0].store), "more", rows=20, cols=25, dim=32)
    fill_blocks(more, lambda n: clustered(rng, n))
    again = Cohort.scan((), large._folder.parent.with_suffix(".parquet")).select()
    again.index._shard_bytes = 700 * (32 + GRAPH_BYTES)
    assert again.build_index() == 500
    assert [s.count for s in again.index.contents.shards] == [700] * 5
    files = {p.name for p in again.index.folder.glob("*.usearch")}
    assert files == {s.file for s in again.index.contents.shards}
    assert reopened(again).measure()[0] >= 0.95


def test_an_index_out_of_date_is_noticed(
    cohort: Cohort, tmp_path: Path, vectors: dict[str, np.ndarray], rng: np.random.Generator
) -> None:
    with pytest.raises(StoreError, match="lacks 90 of 90"):
        cohort.select().search(vectors["a"][0], method="index")
    assert cohort.select().build_index() == 90
    # New tiles of a set, a new set: compared exactly until the index is built again.
    more = made_set(tmp_path / "store", "b", dim=32)
    extra = clustered(rng, 4)
    fill(more, extra, more.grid.all_tiles()[30:34])
    fill(made_set(tmp_path / "store", "d", dim=32), clustered(rng, 5))
    newer = cohort.refresh().select()
    assert [r.slide for r in newer.index.lacks(newer.rows)] == ["b.svs", "d.svs"]
    found = newer.search(extra[2], 99, method="index")
    truth = newer.search(extra[2], 99, method="exact")
    assert sorted(named(found)) == sorted(named(truth))
    assert named(found)[0] == ("b.svs", 32)
    assert newer.build_index() == 9
    assert reopened(newer).index.lacks(newer.rows) == []
    # What is gone stays in the graph, and is passed over.
    shutil.rmtree(newer.rows[0].path.parent)
    less = cohort.refresh().select()
    found = less.search(vectors["a"][0], 80, method="index")
    assert "a.svs" not in {h.slide for h in found}
    assert len(found) == 69
    assert less.index.count == 99


def test_a_killed_build_goes_on(large: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    large.index._shard_bytes = 700 * (32 + GRAPH_BYTES)

    def killed(new: int) -> None:
        if large.index.count >= 1400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        large.build_index(report=killed)
    again = reopened(large)
    assert again.index.count == 1400
    assert again.build_index() == 1600
    keys = np.concatenate([again.index._keys(s) for s in again.index.contents.shards])
    assert len(np.unique(keys)) == 3000
    assert reopened(large).measure()[0] >= 0.95


def test_one_process_builds_at_a_time(large: Collection) -> None:
    from filelock import FileLock

    large.index.folder.mkdir(parents=True)
    with (
        FileLock(large.index.folder / ".lock"),
        pytest.raises(StoreError, match="another process"),
    ):
        large.build_index()


@pytest.mark.parametrize("how", ["cut", "gone", "text", "newer"])
def test_a_damaged_index_is_noticed(large: Collection, how: str) -> None:
    large.build_index()
    folder = large.index.folder
    shard = next(folder.glob("*.usearch"))
    if how == "cut":
        shard.write_bytes(shard.read_bytes()[:-9])
    elif how == "gone":
        shard.unlink()
    elif how == "text":
        (folder / "index.json").write_text("[]")
    else:
        (folder / "index.json").write_text('{"layout": 99}')
    with pytest.raises(StoreError, match="newer" if how == "newer" else "damaged"):
        reopened(large).search(np.ones(32), method="index")
    shutil.rmtree(folder)
    assert reopened(large).build_index() == 3000


def test_above_a_million_the_index_is_used(
    large: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "EXACT_UP_TO", 2999)
    with pytest.raises(StoreError, match="scalescope cohort index"):
        large.search(np.ones(32))
    large.build_index()
    assert not large.search(np.ones(32)).exact
