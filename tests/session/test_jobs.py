"""What a view encodes, and how much of it at most."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.embeddings import Store
from napari_scalescope.geometry import Box, TileGrid
from napari_scalescope.session import Session, View, jobs
from napari_scalescope.session.jobs import outward, tiles_for_view

from ..embeddings.fake import FakeEncoder
from ..slides.memory import coloured_slide, memory_slide


def test_nearest_first_and_a_ring_last(tmp_path: Path) -> None:
    slide, encoder = coloured_slide(2000, 1600), FakeEncoder()
    stored = Store(tmp_path).open_set(slide, encoder, TileGrid.cover(slide, 0.5, 64))  # type: ignore[arg-type]
    box = Box(640, 640, 320, 192)
    tiles, meter = tiles_for_view(stored, box, None, ())
    inside, around = 5 * 3, 7 * 5
    assert (meter.total, meter.left_out) == (around, 0)
    assert sorted(map(tuple, tiles[:inside].tolist())) == [
        (r, c) for r in range(10, 13) for c in range(10, 15)
    ]
    assert tiles[0].tolist() == [11, 12]
    outside = tiles[inside:]
    assert (((outside < (10, 10)) | (outside > (12, 14))).any(1)).all()
    beside, _ = tiles_for_view(stored, Box(-900, 0, 100, 100), None, ())
    assert len(beside) == 0


def test_a_view_of_too_many_tiles_takes_the_nearest_and_says_so(
    session: Session, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "VIEW_TILES", 20)
    session.choose_scale((0.25,))
    session.set_view(View(Box(0, 0, 2600, 2000), 4.0))
    session.encode_view()
    assert session.wait(30)
    assert encoder.encoded == 20
    emb = session.embeddings()
    assert emb is not None
    centre = np.abs(emb.centres - (1300, 1000)).max()
    assert centre < 4 * emb.grid.footprint
    told = session.status.text
    assert told.startswith("Ready · only the 20 tiles nearest to the centre of ")
    session.encode_view()
    assert session.wait(30)
    assert encoder.encoded == 20
    assert session.status.text == told


def test_damage_is_told(session: Session) -> None:
    pixels = coloured_slide(2600, 2000).read_level(0, 0, 0, 2600, 2000)
    levels = [pixels, np.ascontiguousarray(pixels[::8, ::8])]
    for damaged, words in (
        (memory_slide(levels, broken=(900, 700, 100, 100)), "Ready · 6 unreadable"),
        (memory_slide(pixels[::-1], broken=(900, 700, 300, 200)), "is taken for glass."),
    ):
        session.set_slide(damaged)
        session.set_view(View(Box(600, 500, 700, 600), 0.5))
        session.encode_view()
        assert session.wait(30)
        assert words in session.status.text


@given(
    st.builds(Box, *[st.floats(-300, 2200)] * 2, *[st.floats(1, 900)] * 2),
    st.tuples(st.floats(-100, 2100), st.floats(-100, 1700)),
    st.randoms(),
)
def test_the_view_from_the_cursor_outward_then_its_ring(
    box: Box, at: tuple[float, float], random: Random
) -> None:
    grid = TileGrid(0.5, 64, 64, 25, 32, 0.5)
    tiles = grid.tiles_in(box.grown(64)).tolist()
    random.shuffle(tiles)
    ordered = outward(grid, np.array(tiles, np.int64).reshape(-1, 2), box, at)
    assert sorted(map(tuple, ordered.tolist())) == sorted(map(tuple, tiles))
    inside = set(map(tuple, grid.tiles_in(box).tolist()))
    here = [tuple(t) in inside for t in ordered.tolist()]
    assert here == sorted(here, reverse=True)
    for part in (ordered[: sum(here)], ordered[sum(here) :]):
        distance = np.hypot(*(grid.centres(part) - at).T)
        assert (np.diff(distance) >= -1e-9).all()


def test_what_is_not_encoded_yet_follows_the_mouse(session: Session, encoder: FakeEncoder) -> None:
    """Of a job that runs: nothing is asked for again."""
    started, done = [], []
    session._engine.started.connect(started.append)

    def note(_job: object, _stored: object, tiles: np.ndarray, _progress: object) -> None:
        done.extend(tiles.tolist())
        # The mouse goes to one corner and, when a third is done, to the other.
        session.set_cursor(*((1250, 1050) if len(done) < 40 else (650, 550)))

    session._engine.stepped.connect(note)
    session.set_cursor(1250, 1050)
    session.set_view(View(Box(600, 500, 700, 600), 0.5))
    session.encode_view()
    assert session.wait(30)
    assert len(started) == 1
    grid = session.embeddings().grid
    centres = grid.centres(np.array(done))
    first, later = centres[:20], centres[60:80]
    assert np.abs(first - (1250, 1050)).max() < np.abs(first - (650, 550)).max()
    assert (first.mean(0) > (950, 800)).all()
    assert (later.mean(0) < (950, 800)).all()
    assert len(set(map(tuple, done))) == len(done)


def test_a_mouse_beside_the_view_changes_nothing(session: Session, encoder: FakeEncoder) -> None:
    done: list[list[int]] = []
    session._engine.stepped.connect(lambda _job, _stored, tiles, _p: done.extend(tiles.tolist()))
    session.set_cursor(50, 50)
    session.set_view(View(Box(600, 500, 700, 600), 0.5))
    session.encode_view()
    assert session.wait(30)
    nearest = session.embeddings().grid.tile_at(950, 800)
    assert tuple(done[0]) == nearest
