"""A set of a million tiles, and sets that go through whatever may happen to them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_scalescope.embeddings import StoredSet, TileState, layout
from napari_scalescope.embeddings.layout import by_block
from napari_scalescope.encoders import Encoding

from ..slides.memory import coloured_slide
from .fake import FakeEncoder
from .test_store import opened

watched: list[str] | None = None


def hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and watched is not None:
        watched.append(str(arguments[0]))


@contextmanager
def files_opened() -> Iterator[list[str]]:
    """Every file that this process opens meanwhile, whoever asks for it."""
    global watched
    if not hasattr(files_opened, "hooked"):
        sys.addaudithook(hook)  # for good: it can only be made to do nothing
        vars(files_opened)["hooked"] = True
    watched = []
    try:
        yield watched
    finally:
        watched = None


def test_a_million_tiles_open_without_their_vectors(tmp_path: Path) -> None:
    slide, encoder = coloured_slide(640, 640), FakeEncoder()
    stored = opened(tmp_path, slide, encoder, mpp=0.5)
    provenance = dict(stored.provenance)
    provenance["tiles"] = {**provenance["tiles"], "rows": 1000, "cols": 1000}
    path = tmp_path / "large-0123456789ab.zarr" / "fake-0.5um-64px-01234567"
    large = StoredSet(path, provenance)
    arrays = large._arrays
    everything = np.uint8(TileState.ENCODED | TileState.ATTENTION)
    for corner in [(0, 0), (64, 960)]:
        shape = large.state[arrays.area(corner)].shape
        arrays.put("embedding", corner, np.full((*shape, 6), 1, np.float16))
        arrays.put("attention", corner, np.full((*shape, 2, 4, 4), 0.5, np.float16))
    arrays.change_state(arrays.corners(), lambda _, state: state | everything)
    assert len(list((path / "state").rglob("c/*/*"))) == 1
    with files_opened() as files:
        again = StoredSet(path)
        emb = again.embeddings()
        assert len(emb) == 1_000_000
        assert emb.dim == 6
        assert len(again.missing([[0, 0], [999, 999]])) == 0
        seen = list(emb.pieces("attention", [[0, 1], [65, 970]]))
    assert np.concatenate(seen).tolist() == np.full((2, 2, 4, 4), 0.5).tolist()
    inside = [f for f in files if str(path) in f]
    assert not [f for f in inside if "/embedding/c" in f]
    assert len({f for f in inside if "/attention/c" in f}) == 2
    assert len(inside) <= 16
    assert len(emb.vectors) == 1_000_000
    assert np.isfinite(emb.vectors).all(1).sum() == 32 * 32 + 32 * 32


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=60),
    st.sampled_from([1, 4, 32, 1024]),
)
def test_tiles_by_block(tiles: list[tuple[int, int]], side: int) -> None:
    array = np.array(tiles, np.int64).reshape(-1, 2)
    found = by_block(array, side)
    assert sorted(i for rows in found.values() for i in rows.tolist()) == list(range(len(tiles)))
    for corner, rows in found.items():
        assert (array[rows] // side * side == corner).all()


ROWS, COLS = 10, 13
tile = st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLS - 1))
some = st.lists(tile, min_size=1, max_size=8, unique=True)
step = st.one_of(
    st.tuples(st.just("write"), some, st.sampled_from([(), ("a",), ("t",), ("a", "t")])),
    st.tuples(st.just("mark"), some, st.sampled_from([1, 16])),
    st.tuples(st.just("merge"), some, st.booleans()),
    st.tuples(st.just("reopen"), st.just([]), st.none()),
    st.tuples(st.just("look"), st.just([]), st.none()),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, max_size=14))
def test_whatever_happens_to_a_set_it_holds_what_was_written(steps: list[Any]) -> None:
    """What it holds in the end, in memory and on the disk, is what plain dictionaries hold."""
    slide, encoder = coloured_slide(COLS * 64, ROWS * 64), FakeEncoder()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "BLOCK_BYTES", 1)  # blocks of 4
        root, number = Path(folder), 0.0
        stored = opened(root, slide, encoder)
        held: dict[str, dict[tuple[int, int], float]] = {"v": {}, "a": {}, "t": {}}
        for what, tiles, how in steps:
            array = np.array(tiles, np.int64).reshape(-1, 2)
            if what == "write":
                number += 1
                n = len(tiles)
                stored.write(
                    array,
                    Encoding(
                        np.full((n, 6), number, np.float32),
                        np.full((n, 4, 4, 6), number, np.float32) if "t" in how else None,
                        np.full((n, 2, 4, 4), number, np.float32) if "a" in how else None,
                    ),
                )
                for part in ("v", *how):
                    held[part] |= dict.fromkeys(tiles, number)
            elif what == "mark":
                stored.mark(array, TileState(how))
            elif what == "merge":
                blocks = {(int(y), int(x)) for y, x in (array // 4 * 4)}
                stored.merge(None if how else blocks)
            elif what == "reopen":
                stored = opened(root, slide, encoder)
            else:
                stored.embeddings().vectors.sum()
        for again in (stored, opened(root, slide, encoder)):
            emb = again.embeddings()
            assert {tuple(t) for t in emb.tiles.tolist()} == set(held["v"])
            assert emb.vectors[:, 0].tolist() == [
                held["v"][t] for t in map(tuple, emb.tiles.tolist())
            ]
            for part, name in (("a", "attention"), ("t", "patch_tokens")):
                having = emb.having(name)  # type: ignore[arg-type]
                assert {tuple(t) for t in having.tolist()} == set(held[part])
                values = again.read(name, having)  # type: ignore[arg-type]
                expected = [held[part][t] for t in map(tuple, having.tolist())]
                assert values.min((1, 2, 3)).tolist() == expected
            assert not (again.state & TileState.ENCODED)[
                again.state & TileState.UNREADABLE != 0
            ].any()
