"""What a view encodes, and how much of it at most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.embeddings import Store
from napari_scalescope.geometry import Box, TileGrid
from napari_scalescope.session import Session, View, jobs
from napari_scalescope.session.jobs import tiles_for_view

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
