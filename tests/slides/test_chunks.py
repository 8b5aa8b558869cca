"""The cache that has every stored piece decoded once."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from napari_scalescope.slides.chunks import ChunkCache, assemble


def chunk(value: int, n: int = 100) -> np.ndarray:
    return np.full((n, 1, 1), value, np.uint8)


def test_decoded_once() -> None:
    cache, calls = ChunkCache(), []

    def decode() -> np.ndarray:
        calls.append(1)
        return chunk(3)

    for _ in range(3):
        assert cache.get("a", decode)[0, 0, 0] == 3
    assert len(calls) == 1


def test_two_threads_that_want_the_same_wait_for_one_decode() -> None:
    cache, calls, results = ChunkCache(), [], []
    gate = threading.Event()

    def decode() -> np.ndarray:
        calls.append(1)
        gate.wait(5)
        return chunk(1)

    threads = [
        threading.Thread(target=lambda: results.append(cache.get("a", decode))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    gate.set()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert all(r is results[0] for r in results)


def test_least_recently_used_goes_first_and_the_budget_holds() -> None:
    cache = ChunkCache(250)
    for key in "ab":
        cache.get(key, lambda: chunk(0))
    cache.get("a", lambda: pytest.fail("a was kept"))
    cache.get("c", lambda: chunk(0))
    assert cache.nbytes == 200
    cache.get("a", lambda: pytest.fail("a was used last"))
    again = []
    cache.get("b", lambda: again.append(1) or chunk(0))
    assert again


def test_larger_than_the_budget_is_handed_out_and_not_kept() -> None:
    cache = ChunkCache(50)
    assert len(cache.get("a", lambda: chunk(1))) == 100
    assert cache.nbytes == 0


def test_an_error_reaches_the_caller_and_is_not_remembered() -> None:
    cache = ChunkCache()

    def fail() -> np.ndarray:
        raise OSError("bad sector")

    with pytest.raises(OSError, match="bad sector"):
        cache.get("a", fail)
    assert cache.get("a", lambda: chunk(9))[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("compression", "mpp", "reduce"), [("deflate", 0.73, 1), ("jpeg", 0.73, 1), ("jpeg", 1.1, 2)]
)
def test_a_tile_pass_decodes_every_piece_once(
    tmp_path: object, compression: str, mpp: float, reduce: int
) -> None:
    from pathlib import Path

    from napari_scalescope.geometry import TileGrid
    from napari_scalescope.slides import open_slide, read_tiles

    from .conftest import smooth_picture, write_pyramid

    path = Path(str(tmp_path)) / "a.tif"
    write_pyramid(path, smooth_picture(1000, 900), tile=128, levels=1, compression=compression)
    with open_slide(path) as slide:
        decoded: list[tuple[int, ...]] = []
        reader = slide.reader
        decode = reader._decode

        def counted(*piece: int) -> np.ndarray:
            decoded.append(piece)
            return decode(*piece)

        reader._decode = counted
        grid = TileGrid.cover(slide, mpp, 96, 61)
        tiles = sum(len(b.tiles) for b in read_tiles(slide, grid, threads=4))
    assert tiles == grid.rows * grid.cols
    assert len(decoded) == len(set(decoded)) == 8 * 8
    assert {piece[-1] for piece in decoded} == {reduce}


def test_assemble_across_pieces() -> None:
    whole = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)
    window = assemble(
        13, 7, 40, 35, (16, 16), lambda r, c: whole[r * 16 : r * 16 + 16, c * 16 : c * 16 + 16]
    )
    np.testing.assert_array_equal(window, whole[7:42, 13:53])
