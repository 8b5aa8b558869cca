"""Whole slides: resumed, killed, damaged, and the same every time."""

from __future__ import annotations

import gc
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import Progress, Store, TileState, embed, pipeline
from napari_scalescope.embeddings.pipeline import encode_slide, encode_works
from napari_scalescope.embeddings.plan import Work, make_plan
from napari_scalescope.embeddings.progress import Meter
from napari_scalescope.encoders import Encoding
from napari_scalescope.errors import EncoderError, ResolutionError, UnreachableError
from napari_scalescope.geometry import TileGrid
from napari_scalescope.slides import open_slide, tissue_mask
from napari_scalescope.slides.formats.handle import Handle

from ..slides.conftest import smooth_picture, write_pyramid
from ..slides.memory import coloured_slide, memory_slide
from .fake import FakeEncoder
from .test_store import tree


def test_all_tissue_is_embedded(tmp_path: Path) -> None:
    slide, encoder = coloured_slide(2000, 1600), FakeEncoder()
    emb = embed(slide, encoder, 0.5, store=tmp_path, keep=("attention",))  # type: ignore[arg-type]
    share = tissue_mask(slide).share(emb.grid)
    assert {tuple(t) for t in emb.tiles.tolist()} == {
        tuple(t) for t in np.argwhere(share >= 0.05).tolist()
    }
    background = emb.state & TileState.BACKGROUND > 0
    assert (background == (share < 0.05)).all()
    # The left half was painted lighter than the right.
    left = emb.centres[:, 0] < 900
    right = emb.centres[:, 0] > 1100
    assert emb.vectors[left, :3].mean() > emb.vectors[right, :3].mean() + 0.1


def test_a_second_call_computes_nothing(tmp_path: Path) -> None:
    slide, encoder = coloured_slide(2000, 1600), FakeEncoder()
    first = embed(slide, encoder, store=tmp_path)  # type: ignore[arg-type]
    count = encoder.encoded
    seen: list[Progress] = []
    again = embed(slide, encoder, store=tmp_path, progress=seen.append)  # type: ignore[arg-type]
    assert encoder.encoded == count
    assert not seen
    np.testing.assert_array_equal(first.vectors, again.vectors)


def test_progress_counts_up(tmp_path: Path) -> None:
    seen: list[Progress] = []
    embed(coloured_slide(), FakeEncoder(), store=tmp_path, progress=seen.append)  # type: ignore[arg-type]
    assert [p.done for p in seen] == sorted({p.done for p in seen})
    assert seen[-1].done == seen[-1].total
    assert seen[-1].eta_s == 0
    assert seen[-1].reading + seen[-1].encoding + seen[-1].writing == pytest.approx(1)


def test_what_others_do_between_two_steps_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that is encoded before the slide goes on is no time of the slide's."""
    clock = [0.0]

    class Timed(FakeEncoder):
        def encode(self, *given: Any) -> Encoding:
            clock[0] += 1
            return super().encode(*given)

    monkeypatch.setattr(pipeline.time, "perf_counter", lambda: clock[0])
    slide, encoder = coloured_slide(2000, 1600), Timed()
    stored = Store(tmp_path).open_set(slide, encoder, TileGrid.cover(slide, 0.5, 64))  # type: ignore[arg-type]
    plan = make_plan(stored.grid, stored.block, 128, None)
    ends: list[Progress] = []
    for _, progress in encode_slide(slide, encoder, stored, plan, ()):  # type: ignore[arg-type]
        ends.append(progress)
        clock[0] += 1000
    assert (ends[-1].reading, ends[-1].encoding, ends[-1].writing) == (0, 1, 0)


def test_several_works_are_counted_together(tmp_path: Path) -> None:
    slide, encoder, overall = coloured_slide(2000, 1600), FakeEncoder(), Meter(0)
    works = []
    for mpp in (0.5, 1.0):
        stored = Store(tmp_path).open_set(slide, encoder, TileGrid.cover(slide, mpp, 64))  # type: ignore[arg-type]
        plan = make_plan(stored.grid, stored.block, 128, None)
        works.append(Work(encoder, stored, plan))  # type: ignore[arg-type]
    first = works[0].plan.blocks[0][2][0]
    works[0].stored.write(first, Encoding(np.zeros((len(first), 6), np.float32)))
    ends = {work: progress for work, _, progress in encode_works(slide, works, overall=overall)}
    whole = overall.now()
    assert whole.reused == len(first)
    assert whole.done == whole.total == sum(w.plan.tissue for w in works) - len(first)
    assert [ends[w].done + ends[w].reused for w in works] == [w.plan.tissue for w in works]


def test_without_tissue_detection_every_tile_is_embedded(tmp_path: Path) -> None:
    emb = embed(coloured_slide(), FakeEncoder(), tissue=False, store=tmp_path)  # type: ignore[arg-type]
    assert len(emb) == emb.grid.rows * emb.grid.cols


def test_a_temporary_store_goes_with_its_embeddings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    emb = embed(coloured_slide(), FakeEncoder(), keep=("attention",))  # type: ignore[arg-type]
    assert np.isfinite(emb.part("attention")).all()
    assert list(tmp_path.iterdir())
    del emb
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_no_resolution(tmp_path: Path) -> None:
    with pytest.raises(ResolutionError):
        embed(memory_slide(smooth_picture(99, 99), None), FakeEncoder(), store=tmp_path)  # type: ignore[arg-type]


def test_overlapping_tiles(tmp_path: Path) -> None:
    emb = embed(coloured_slide(), FakeEncoder(), stride_px=32, store=tmp_path)  # type: ignore[arg-type]
    assert emb.grid.stride_px == 32
    assert len(emb) > 200


def test_a_damaged_place_is_marked_and_the_rest_goes_on(tmp_path: Path) -> None:
    slide = memory_slide(smooth_picture(640, 640), broken=(100, 100, 5, 5))
    emb = embed(slide, FakeEncoder(), tissue=False, store=tmp_path)  # type: ignore[arg-type]
    unreadable = np.argwhere(emb.state & TileState.UNREADABLE).tolist()
    assert [1, 1] in unreadable
    assert len(emb) + len(unreadable) == 100
    encoder = FakeEncoder()
    again = embed(slide, encoder, tissue=False, store=tmp_path)  # type: ignore[arg-type]
    assert encoder.encoded == 0
    np.testing.assert_array_equal(again.state, emb.state)


def test_a_repaired_slide_is_completed(tmp_path: Path) -> None:
    slide = memory_slide(smooth_picture(640, 640), broken=(100, 100, 5, 5))
    emb = embed(slide, FakeEncoder(), tissue=False, store=tmp_path)  # type: ignore[arg-type]
    unreadable = int((emb.state & TileState.UNREADABLE > 0).sum())
    slide = memory_slide(smooth_picture(640, 640))
    encoder = FakeEncoder()
    emb = embed(slide, encoder, tissue=False, store=tmp_path)  # type: ignore[arg-type]
    assert encoder.encoded == unreadable > 0
    assert len(emb) == 100
    emb = embed(slide, encoder, tissue=False, store=tmp_path)  # type: ignore[arg-type]
    assert (emb.state == TileState.ENCODED).all()


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_disk_that_fails_for_a_moment_says_nothing_of_the_slide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    write_pyramid(tmp_path / "slide.tif", smooth_picture(1280, 1280), compression="deflate")
    read, reads = Handle.read, []

    def flaky(self: Handle, offset: int, count: int) -> bytes:
        reads.append(offset)
        if len(reads) == 40:
            raise error
        return read(self, offset, count)

    monkeypatch.setattr(Handle, "read", flaky)
    with (
        open_slide(tmp_path / "slide.tif") as slide,
        pytest.raises(UnreachableError, match="cannot be read now"),
    ):
        embed(slide, FakeEncoder(), tissue=False, store=tmp_path)  # type: ignore[arg-type]
    with open_slide(tmp_path / "slide.tif") as slide:
        emb = embed(slide, FakeEncoder(), tissue=False, store=tmp_path)  # type: ignore[arg-type]
    assert (emb.state == TileState.ENCODED).all()


def test_a_slide_that_is_closed_meanwhile_is_not_damaged(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "slide.tif", smooth_picture(640, 640))
    slide = open_slide(tmp_path / "slide.tif")
    slide.close()
    with pytest.raises(UnreachableError, match="was closed"):
        embed(slide, FakeEncoder(), tissue=False, store=tmp_path)  # type: ignore[arg-type]


def test_plan_is_cut_the_same_however_much_is_done() -> None:
    grid = TileGrid.cover(coloured_slide(3000, 2400), 0.5, 64)
    plan = make_plan(grid, 16, 4, None)
    tiles = np.concatenate([b for _, _, batches in plan.blocks for b in batches])
    assert sorted(map(tuple, tiles.tolist())) == sorted(map(tuple, grid.all_tiles().tolist()))
    for (y, x), _, batches in plan.blocks:
        for batch in batches:
            assert len(batch) <= 4
            assert (batch // 16 * 16 == (y, x)).all()


@pytest.mark.parametrize("after", [1, 20, 77, 150])
def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path: Path, after: int) -> None:
    slide = coloured_slide(2000, 1600)
    embed(slide, FakeEncoder(), store=tmp_path / "whole", keep=("attention",))  # type: ignore[arg-type]
    with pytest.raises(EncoderError, match="fake failed"):
        embed(slide, FakeEncoder(fail_after=after), store=tmp_path / "cut", keep=("attention",))  # type: ignore[arg-type]
    assert list((tmp_path / "cut").rglob("*.npz"))
    encoder = FakeEncoder()
    emb = embed(slide, encoder, store=tmp_path / "cut", keep=("attention",))  # type: ignore[arg-type]
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")
    # Computed again at most the batch in flight.
    assert encoder.encoded <= len(emb) - after + 4


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.embeddings.fake import FakeEncoder
from tests.slides.memory import coloured_slide
from napari_scalescope.embeddings import embed
print("ready", flush=True)
embed(coloured_slide(2600, 2000), FakeEncoder(delay_s=0.004), store=sys.argv[1],
      keep=("attention", "patch_tokens"))
print("done", flush=True)
"""


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    here = str(Path(__file__).parents[2])

    def start(root: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(root), here]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def finish(process: subprocess.Popen[str]) -> bool:
        assert process.stdout is not None
        with process.stdout as out:
            said = out.read()
        process.wait()
        return "done" in said

    begun = time.monotonic()
    assert finish(start(tmp_path / "whole"))
    length = time.monotonic() - begun
    dice = random.Random(5)
    for _ in range(6):
        process = start(tmp_path / "killed")
        time.sleep(dice.uniform(0, length / 3))
        process.send_signal(signal.SIGKILL)
        finish(process)
    assert finish(start(tmp_path / "killed"))
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
