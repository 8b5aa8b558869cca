"""What looks alike across slides is found, whatever was added or removed since."""

from __future__ import annotations

import os
import shutil
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import TileState
from napari_scalescope.embeddings.cohort import Cohort, Collection
from napari_scalescope.embeddings.cohort.stored_vectors import StoredVectors
from napari_scalescope.embeddings.layout import LAYOUT, journal_of
from napari_scalescope.errors import StoreError

from .many import clustered, fill, fill_blocks, made_set, named

pytest.importorskip("pyarrow")
pytest.importorskip("usearch")


def brute(vectors: dict[str, np.ndarray], query: np.ndarray) -> list[tuple[str, int, float]]:
    """Every tile as slide, position, cosine; best first."""
    found = []
    for name, its in vectors.items():
        wide = its.astype(np.float64)
        cosine = wide @ query / np.linalg.norm(wide, axis=1) / np.linalg.norm(query)
        found += [(f"{name}.svs", i, float(c)) for i, c in enumerate(cosine)]
    return sorted(found, key=lambda f: -f[2])


# --- catalogue ---


def test_the_catalogue_says_what_there_is(cohort: Cohort, tmp_path: Path) -> None:
    for again in (cohort, Cohort.open(cohort.path)):
        assert [r.slide for r in again.rows] == ["a.svs", "b.svs", "c.svs"]
        row = again.rows[0]
        assert (row.tiles, row.dim, row.mpp, row.tile_px, row.encoder) == (30, 32, 0.5, 64, "fake")
        assert row.path.is_dir()
        assert row.place == ""
        assert (row.grid.rows, row.grid.cols) == (6, 7)
    assert cohort.read == 3


def test_a_refresh_reads_only_what_changed(
    cohort: Cohort, tmp_path: Path, rng: np.random.Generator
) -> None:
    again = cohort.refresh()
    assert again.read == 0
    assert again.rows == cohort.rows
    more = made_set(tmp_path / "store", "b", dim=32)
    fill(more, clustered(rng, 5), more.grid.all_tiles()[30:35])
    fill(made_set(tmp_path / "store", "d", dim=32), clustered(rng, 3))
    shutil.rmtree(cohort.rows[0].path.parent)
    again = cohort.refresh()
    assert again.read == 2
    assert [(r.slide, r.tiles) for r in again.rows] == [("b.svs", 35), ("c.svs", 30), ("d.svs", 3)]


def test_batches_that_are_not_merged_count(
    cohort: Cohort, tmp_path: Path, rng: np.random.Generator
) -> None:
    running = made_set(tmp_path / "store", "a", dim=32)
    new = clustered(rng, 3)
    fill(running, new, running.grid.all_tiles()[30:33], merge=False)
    before = sorted(tmp_path.rglob("*.npz"))
    again = cohort.refresh()
    assert again.read == 1
    assert again.rows[0].tiles == 33
    found = again.search(new[1].astype(np.float32), 1)
    assert named(found) == [("a.svs", 31)]
    assert sorted(tmp_path.rglob("*.npz")) == before  # somebody else's
    running.close()


def test_of_two_batches_of_a_tile_the_newer_one_counts(cohort: Cohort, tmp_path: Path) -> None:
    running = made_set(tmp_path / "store", "a", dim=32)
    for age, name, sign in ((200, "1-b", 1), (100, "1-a", -1), (300, "1-c", 1)):
        known = {*tmp_path.rglob("*.npz")}
        fill(running, sign * np.ones((1, 32)), [[5, 6]], merge=False)
        (new,) = {*tmp_path.rglob("*.npz")} - known
        os.utime(new, ns=(1, new.stat().st_mtime_ns - age * 10**9))
        new.rename(new.with_name(f"{name}.npz"))
    chosen = cohort.refresh().select()
    np.testing.assert_array_equal(chosen.vector_at("a", 6 * 64 + 1, 5 * 64 + 1), -np.ones(32))


def test_a_damaged_batch_of_a_running_job_is_not_believed(cohort: Cohort, tmp_path: Path) -> None:
    running = made_set(tmp_path / "store", "a", dim=32)
    fill(running, np.ones((2, 32)), running.grid.all_tiles()[30:32], merge=False)
    (batch,) = tmp_path.rglob("*.npz")
    data = bytearray(batch.read_bytes())
    data[data.index(b"embedding.npy") + 200] ^= 1  # in the vectors; which tiles it has, is sound
    batch.write_bytes(data)
    again = cohort.refresh()
    assert again.rows[0].tiles == 30
    assert len(again.search(np.ones(32), 99)) == 90
    assert batch.exists()


def test_a_batch_that_is_merged_while_we_look_is_no_harm(cohort: Cohort) -> None:
    row = cohort.rows[0]
    journal_of(row.path).mkdir(parents=True)
    (journal_of(row.path) / "1-a.npz").symlink_to("gone")  # its name is there, and no file
    assert len(cohort.refresh().rows) == 3


def test_a_block_that_is_damaged_is_said_in_words(cohort: Cohort) -> None:
    (block,) = (p for p in (cohort.rows[1].path / "embedding" / "c").rglob("*") if p.is_file())
    block.write_bytes(block.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"is damaged: its embedding cannot be decoded.*verify"):
        cohort.search(np.ones(32), 5)


def test_a_set_that_is_gone_is_said_in_words(cohort: Cohort) -> None:
    shutil.rmtree(cohort.rows[1].path)
    with pytest.raises(StoreError, match=r"gone.*scalescope cohort scan"):
        cohort.search(np.ones(32), 5)


def test_a_set_of_an_early_layout_is_left_out_and_told(cohort: Cohort) -> None:
    said = cohort.rows[1].path / "zarr.json"
    said.write_text(said.read_text().replace(f'"layout": {LAYOUT}', '"layout": 1'))
    again = cohort.refresh()
    assert [r.slide for r in again.rows] == ["a.svs", "c.svs"]
    assert "early ScaleScope" in again.doubts[0]


def test_store_and_catalogue_can_be_moved_together(cohort: Cohort, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.move(tmp_path / "store", moved / "store")
    shutil.move(cohort.path, moved / "cohort.parquet")
    again = Cohort.open(moved / "cohort.parquet")
    assert all(r.path.is_dir() for r in again.rows)
    assert again.refresh().read == 0


def test_folders_of_stores_are_looked_through(
    cohort: Cohort, tmp_path: Path, vectors: dict[str, np.ndarray]
) -> None:
    fill(made_set(tmp_path / "more" / "deep", "d", dim=32), vectors["a"])
    (tmp_path / "more" / "other.zarr" / "0").mkdir(parents=True)
    (tmp_path / "more" / "other.zarr" / "0" / "zarr.json").write_text('{"attributes": {}}')
    found = Cohort.scan([tmp_path], tmp_path / "all.parquet")
    assert [r.slide for r in found.rows] == ["a.svs", "b.svs", "c.svs", "d.svs"]
    assert found.doubts == []


def test_a_damaged_set_is_told_and_the_others_are_there(cohort: Cohort) -> None:
    (cohort.rows[0].path / "zarr.json").write_text("{")
    again = cohort.refresh()
    assert len(again.rows) == 2
    assert len(again.doubts) == 1
    assert "damaged" in again.doubts[0]


@pytest.mark.parametrize("content", [b"", b"PAR1 not really", b"\x00" * 500])
def test_a_damaged_catalogue_says_so(cohort: Cohort, content: bytes) -> None:
    cohort.path.write_bytes(content)
    for use in (Cohort.open, lambda p: Cohort.scan([p.parent / "store"], p)):
        with pytest.raises(StoreError, match="damaged or no Parquet"):
            use(cohort.path)
    assert cohort.path.read_bytes() == content


def test_cut_short(cohort: Cohort) -> None:
    cohort.path.write_bytes(cohort.path.read_bytes()[:-100])
    with pytest.raises(StoreError, match="damaged"):
        Cohort.open(cohort.path)


def test_another_parquet_file_is_refused(cohort: Cohort) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table({"x": [1]}), cohort.path)
    with pytest.raises(StoreError, match="no cohort"):
        Cohort.scan([cohort.path.parent / "store"], cohort.path)
    marked = pa.table({"x": [1]}).replace_schema_metadata({b"scalescope.cohort": b'{"layout": 99}'})
    parquet.write_table(marked, cohort.path)
    with pytest.raises(StoreError, match="newer"):
        Cohort.open(cohort.path)
    marked = marked.replace_schema_metadata({b"scalescope.cohort": b'{"layout": 1}'})
    parquet.write_table(marked, cohort.path)
    with pytest.raises(StoreError, match="columns missing"):
        Cohort.open(cohort.path)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no cohort"):
        Cohort.open(tmp_path / "none.parquet")
    with pytest.raises(StoreError, match="There is no folder"):
        Cohort.scan([tmp_path / "none"], tmp_path / "cohort.parquet")
    with pytest.raises(StoreError, match="No store was named"):
        Cohort.scan([], tmp_path / "cohort.parquet")
    empty = Cohort.scan([tmp_path], tmp_path / "cohort.parquet")
    assert empty.rows == ()
    with pytest.raises(StoreError, match="holds no such embeddings"):
        empty.select()


@pytest.mark.parametrize("package", ["pyarrow", "usearch"])
def test_a_missing_extra_is_said(
    cohort: Cohort, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    chosen = cohort.select()
    for name in [n for n in sys.modules if n.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    needs = {"pyarrow": cohort.refresh, "usearch": chosen.build_index}[package]
    with pytest.raises(StoreError, match=rf"{package}.*napari-scalescope\[cohort\]"):
        needs()
    if package == "usearch":  # all can still be compared
        assert len(chosen.search(np.ones(32), 3)) == 3


# --- what may be compared ---


def test_what_differs_is_never_mixed(tmp_path: Path, vectors: dict[str, np.ndarray]) -> None:
    store = tmp_path / "store"
    differences: list[dict[str, Any]] = [
        {},
        {"encoder": "other"},
        {"weights_sha256": "0" * 64},
        {"precision": "bf16"},
        {"std": [1, 1, 1]},
        {"mpp": 1.0},
        {"mark": "+icc12345678"},
    ]
    for i, difference in enumerate(differences):
        fill(made_set(store, f"s{i}", dim=32, **difference), vectors["a"])
    # What only looks at the network otherwise, and tiles that lie closer, are comparable.
    fill(made_set(store, "near", dim=32, stride_px=32), vectors["b"])
    fill(made_set(store, "maps", dim=32, attention="rollout"), vectors["b"])
    cohort = Cohort.scan([store], tmp_path / "cohort.parquet")
    assert sorted(c.slides for c in cohort.collections()) == [1] * 6 + [3]
    with pytest.raises(StoreError, match="cannot be compared with each other") as raised:
        cohort.search(vectors["a"][0])
    assert "other" in str(raised.value)
    found = cohort.search(vectors["a"][0], 100, encoder="other")
    assert {h.slide for h in found} == {"s1.svs"}
    assert cohort.select("fake", 1.0).rows[0].slide == "s5.svs"
    assert cohort.select(precision="bf16").rows[0].slide == "s3.svs"
    assert cohort.select(weights="000").rows[0].slide == "s2.svs"
    assert "corrected colours" in str(raised.value)
    with pytest.raises(StoreError, match="no such embeddings"):
        cohort.select("nobody")
    with pytest.raises(ValueError, match="32 numbers"):
        cohort.select(precision="bf16").search(np.ones(6))
    with pytest.raises(ValueError, match="one space"):
        Collection(cohort.rows, tmp_path)


def test_of_two_sets_of_the_same_tiles_the_fuller_is_taken(
    cohort: Cohort, tmp_path: Path, vectors: dict[str, np.ndarray]
) -> None:
    fill(made_set(tmp_path / "second", "a", dim=32), vectors["a"][:10])
    both = Cohort.scan([tmp_path / "second", tmp_path / "store"], tmp_path / "both.parquet")
    assert len(both.rows) == 4
    assert both.select().tiles == 90


# --- exact ---


@pytest.mark.parametrize("memory", [1, 20_000, 1 << 28])
def test_exact_equals_brute_force(
    cohort: Cohort, vectors: dict[str, np.ndarray], rng: np.random.Generator, memory: int
) -> None:
    queries = rng.normal(size=(4, 32)) + 2
    found = cohort.search(queries, 7, memory=memory)
    assert found.exact
    assert found.tiles == 90
    assert len(found) == 28
    for query, hits in zip(queries, found.hits, strict=True):
        truth = brute(vectors, query)[:7]
        assert named(hits) == [(slide, i) for slide, i, _ in truth]
        np.testing.assert_allclose([h.cosine for h in hits], [c for *_, c in truth], atol=1e-6)


def test_limits(cohort: Cohort, vectors: dict[str, np.ndarray]) -> None:
    query = vectors["a"][0].astype(np.float32)
    every = brute(vectors, query)
    found = cohort.search(query, 10, per_slide=2)
    wanted = [(s, i) for n in "abc" for s, i, _ in [f for f in every if f[0] == f"{n}.svs"][:2]]
    assert sorted(named(found)) == sorted(wanted)
    fingerprint = cohort.rows[0].fingerprint
    for name in ("a", "a.svs", "/somewhere/a.svs", fingerprint, fingerprint[:12]):
        others = cohort.search(query, 90, exclude=[name])
        assert {h.slide for h in others} == {"b.svs", "c.svs"}
        assert len(others) == 60
    with pytest.raises(ValueError, match="at least 1"):
        cohort.search(query, 0)


def test_tiles_that_overlap_a_better_one_are_left_out(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = made_set(tmp_path / "store", "a", dim=32, rows=9, cols=9, stride_px=16)
    fill(stored, clustered(rng, 81, kinds=1))
    chosen = Cohort.scan([tmp_path / "store"], tmp_path / "c.parquet").select()
    query = rng.normal(size=32) + 2
    every = list(chosen.search(query, 81))
    kept: list[Any] = []
    for hit in every:
        if all(max(abs(hit.row - o.row), abs(hit.col - o.col)) >= 4 for o in kept):
            kept.append(hit)
    assert list(chosen.search(query, 5, overlapping=False)) == kept[:5]
    chosen.build_index()
    near = chosen.search(query, 5, overlapping=False, method="index")
    assert list(near) == kept[:5]


def test_a_hit_knows_its_place(cohort: Cohort, vectors: dict[str, np.ndarray]) -> None:
    chosen = cohort.select()
    hit = next(iter(chosen.search(vectors["b"][9], 1)))
    assert (hit.slide, hit.row, hit.col, hit.mpp) == ("b.svs", 1, 2, 0.5)
    assert tuple(hit.box) == (128, 64, 64, 64)
    assert hit.cosine == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(chosen.vector_at("b", 150, 100), vectors["b"][9])
    told = hit.as_dict()
    assert told["box"] == [128, 64, 64, 64]
    assert told["path"] is None
    with pytest.raises(StoreError, match="not encoded"):
        chosen.vector_at("b", 400, 370)
    with pytest.raises(StoreError, match="not in the cohort"):
        chosen.vector_at("nobody", 0, 0)


def test_damaged_and_empty_vectors_are_no_neighbours(tmp_path: Path) -> None:
    its = np.ones((5, 6), np.float16)
    its[1], its[2], its[3] = np.nan, 0, 60000  # the squares of the last need float32
    its[4] = np.inf  # what float16 makes of 1e6
    fill(made_set(tmp_path / "store", "a"), its)
    found = Cohort.scan([tmp_path / "store"], tmp_path / "c.parquet").search(np.ones(6), 10)
    assert sorted(named(found)) == [("a.svs", i) for i in (0, 2, 3)]
    np.testing.assert_allclose([h.cosine for h in found], [1, 1, 0], atol=1e-6)


def test_memory_is_bounded(tmp_path: Path, rng: np.random.Generator) -> None:
    stored = made_set(tmp_path / "store", "big", rows=96, cols=96, dim=64)
    fill_blocks(stored, lambda n: clustered(rng, n, 64))
    chosen = Cohort.scan([tmp_path / "store"], tmp_path / "c.parquet").select()
    queries = rng.normal(size=(3, 64)).astype(np.float32)
    chosen.search(queries, 5)
    budget = 512 << 10
    sizes = [len(flat) for flat, _ in StoredVectors(chosen.rows[0].path).blocks()]
    assert sum(sizes) == 96 * 96
    assert max(sizes) <= stored.block**2
    tracemalloc.start()
    chosen.search(queries, 5, memory=budget)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * budget  # zarr holds what it decodes, and the state of all tiles
    assert 2 * budget < 96 * 96 * 64 * 2


def test_state_says_what_counts(cohort: Cohort, vectors: dict[str, np.ndarray]) -> None:
    """A vector without its state was not finished."""
    import zarr

    state = zarr.open_array(cohort.rows[0].path / "state", mode="r+")
    state[0, 0] = int(TileState.BACKGROUND)
    for file in (cohort.rows[0].path / "state").rglob("*"):
        os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
    again = cohort.refresh()
    assert again.rows[0].tiles == 29
    assert ("a.svs", 0) not in named(again.search(vectors["a"][0], 90))
