"""The viewing record: off unless switched on, and every second of it accounted for."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.analysis import Visit
from napari_scalescope.analysis.viewing import dwell
from napari_scalescope.errors import ExchangeError
from napari_scalescope.geometry import Box, Placement
from napari_scalescope.session import Session, View
from napari_scalescope.session.overlays.viewing import BANDS
from napari_scalescope.session.viewing import ViewingRecord, read_viewing, write_viewing

from ..slides.memory import memory_slide

W, H = 1000, 600
SLIDE = memory_slide(np.full((H, W, 3), 200, np.uint8), 0.5)
PATIENCE = 10.0


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.t = 1000.0

    def __call__(self) -> float:
        return self.t


def a_record(clock: Clock) -> ViewingRecord:
    record = ViewingRecord(PATIENCE)
    record.clock = clock
    record.now = lambda: clock.t + 5e8  # the wall clock counts from elsewhere
    return record


sides = st.floats(1, 2000)
boxes = st.builds(Box, st.floats(-500, W), st.floats(-500, H), sides, sides)
events = st.one_of(
    st.tuples(st.just("look"), st.none() | st.builds(View, boxes, st.floats(0.1, 10))),
    st.tuples(st.just("stir"), st.none()),
    st.tuples(st.just("switch"), st.booleans()),
    st.tuples(st.just("attend"), st.booleans()),
)


@given(st.lists(st.tuples(st.floats(0, 30), events), max_size=25), st.floats(0, 30))
def test_every_second_is_accounted_for(
    story: list[tuple[float, tuple[str, Any]]], last: float
) -> None:
    clock = Clock()
    record = a_record(clock)
    # What should count, told in the simplest way: so much of each pause between two events.
    on, attended, seen, expected = False, True, False, 0.0
    for pause, (what, value) in [*story, (last, ("end", None))]:
        clock.t += pause
        expected += min(pause, PATIENCE) if on and attended and seen else 0.0
        if what == "look":
            record.look(SLIDE, value)
            seen = value is not None and value.box.intersection(SLIDE.box) is not None
        elif what == "stir":
            record.stir()
        elif what == "switch":
            record.switch(value)
            on = value
        elif what == "attend":
            record.attend(value)
            attended = value
    visits = record.visits
    assert record.seconds == pytest.approx(expected, abs=1e-6)
    cells = dwell(visits, Placement(0, 0, 50), (12, 20), SLIDE.box)
    assert cells.sum() == pytest.approx(expected, abs=1e-6)
    for visit in visits:
        assert 0 < visit.seconds <= clock.t - 1000 + 1e-6
        assert SLIDE.box.intersection(visit.box) == pytest.approx(visit.box)
    for before, after in pairwise(visits):
        assert before.start + before.seconds <= after.start + 1e-6
    assert all(5e8 + 1000 - 1e-6 <= v.start <= 5e8 + clock.t for v in visits)


texts = st.text(max_size=20)
positive = st.floats(min_value=0, exclude_min=True, max_value=1e9)
visit_lists = st.lists(
    st.builds(
        Visit,
        st.floats(0, 4e9),
        positive,
        st.builds(Box, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), positive, positive),
        positive,
        texts,
        texts,
    ),
    max_size=6,
)


@given(visit_lists)
def test_what_was_written_is_read_again_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, visits: list[Visit]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "record.jsonl"
    write_viewing(visits, path, PATIENCE)
    assert read_viewing(path) == visits
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(visits)
    assert sum(json.loads(x)["duration"] for x in lines[1:]) == sum(v.seconds for v in visits)
    assert [p.name for p in path.parent.iterdir()] == ["record.jsonl"]


def test_a_line_says_what_the_header_says_it_says(tmp_path: Path) -> None:
    clock = Clock()
    record = a_record(clock)
    record.switch(True)
    record.look(SLIDE, View(Box(-100, 0, 300, 200), 0.5))
    clock.t += 4
    assert record.export(tmp_path / "a.jsonl") == 1
    header, line = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert (header["scalescope"], header["version"]) == ("viewing record", 1)
    assert header["patience_s"] == PATIENCE
    assert set(header["fields"]) == set(line)
    assert line["box"] == [0, 0, 200, 200]
    assert line["duration"] == 4
    assert line["start"] == 5e8 + 1000
    assert (line["mpp"], line["slide"]) == (0.5, SLIDE.name)
    assert line["fingerprint"] == SLIDE.fingerprint


def test_a_mouse_that_moves_says_that_somebody_is_there() -> None:
    clock = Clock()
    record = a_record(clock)
    record.switch(True)
    record.look(SLIDE, View(SLIDE.box, 1.0))
    for _ in range(5):
        clock.t += PATIENCE - 1
        record.stir()
    assert len(record.visits) == 1
    assert record.seconds == 5 * (PATIENCE - 1)
    clock.t += 1000  # went for lunch
    record.stir()
    clock.t += 1
    assert [v.seconds for v in record.visits] == [5 * (PATIENCE - 1) + PATIENCE, 1]


def test_switching_twice_forgetting_and_adding() -> None:
    clock, told = Clock(), []
    record = a_record(clock)
    record.changed.connect(lambda: told.append(record.on))
    record.look(SLIDE, View(SLIDE.box, 1.0))
    for on in (True, True, False, False):
        record.switch(on)
        clock.t += 3
    assert told == [True, False]
    assert [v.seconds for v in record.visits] == [6]
    kept = record.visits
    record.switch(True)
    clock.t += 3
    record.forget()
    assert record.visits == ()
    clock.t += 2
    assert record.seconds == 2
    record.add(kept)
    assert [v.seconds for v in record.visits] == [6, 2]


def test_what_has_no_magnification_is_not_recorded() -> None:
    clock = Clock()
    record = a_record(clock)
    record.switch(True)
    record.look(memory_slide(np.full((50, 50, 3), 200, np.uint8), None), View(Box(0, 0, 9, 9), 1))
    clock.t += 3
    assert record.visits == ()


GOOD = '{"start":1,"duration":2,"box":[0,0,1,1],"mpp":1,"slide":"a","fingerprint":"b"}'
HEADER = '{"scalescope": "viewing record", "version": 1}'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is no viewing record"),
        ("[1, 2]", "is no viewing record"),
        ('{"type": "FeatureCollection"}', "is no viewing record"),
        ('{"scalescope": "viewing record", "version": 2}', "version 2; .* Update"),
        (f"{HEADER}\n{GOOD}\n{GOOD[:40]}", "Line 3 of a.jsonl"),
        (f"{HEADER}\n" + GOOD.replace("2", "NaN"), "Line 2 .* not finite"),
        (f"{HEADER}\n" + GOOD.replace("2", "-2"), "Line 2 .* above 0"),
        (f"{HEADER}\n" + GOOD.replace("[0,0,1,1]", "[0,0,1]"), "Line 2"),
        (f"{HEADER}\n" + GOOD.replace('"b"', "5"), "Line 2 .* texts"),
        (f"{HEADER}\n" + GOOD.replace('"mpp":1,', ""), "Line 2"),
        ("\xff", "is no viewing record"),
    ],
)
def test_files_that_are_no_record_are_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ExchangeError, match=words):
        read_viewing(path)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="cannot be read"):
        read_viewing(tmp_path / "none.jsonl")
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(ExchangeError, match="cannot be read"):
        read_viewing(tmp_path / "a.jsonl")
    with pytest.raises(ExchangeError, match="cannot be written"):
        write_viewing([], tmp_path / "nowhere" / "a.jsonl", 1.0)
    (tmp_path / "b.jsonl").write_text(f"{HEADER}\n\n{GOOD}\n\n")
    assert len(read_viewing(tmp_path / "b.jsonl")) == 1


# --- in a session ---


@pytest.fixture
def clock(session: Session) -> Clock:
    made = Clock()
    session.record.clock = made
    return made


def test_a_new_session_records_nothing(session: Session, clock: Clock) -> None:
    session.set_view(View(Box(0, 0, 500, 500), 0.5))
    clock.t += 5
    session.set_view(View(Box(100, 0, 500, 500), 0.5))
    assert not session.record.on
    assert session.record.visits == ()


def test_views_of_a_session_are_timed(session: Session, clock: Clock) -> None:
    session.set_view(View(Box(0, 0, 500, 500), 0.5))
    session.record.switch(True)  # what is on the screen already counts from now on
    clock.t += 5
    session.look_at(1000, 1000, 1.0, size=(400, 300))
    clock.t += 2
    session.set_cursor(900, 900)
    clock.t += 1
    fingerprint = session.slide.fingerprint
    session.set_slide(None)
    clock.t += 50
    visits = session.record.visits
    assert [v.seconds for v in visits] == [5, 3]
    assert [v.mpp for v in visits] == [0.5, 1.0]
    assert visits[1].box == (600, 700, 800, 600)
    assert {v.fingerprint for v in visits} == {fingerprint}


def test_the_overlay_needs_no_encoding(session: Session, clock: Clock, encoder: Any) -> None:
    session.set_view(View(Box(0, 0, 500, 500), 0.5))
    session.show("viewing")
    assert session.wait(10)
    assert session.map.found is None
    assert "Press Record" in session.look.shown.waiting
    session.record.switch(True)
    clock.t += 5
    session.set_view(View(Box(1000, 1000, 800, 800), 2.0))
    clock.t += 3
    session.show("viewing", band="5x")
    assert session.wait(10)
    assert encoder.encoded == 0
    found = session.map.found
    assert found is not None
    assert found.unit == "s"
    assert found.at(250, 250) is None
    assert np.nansum(found.values) == pytest.approx(3, rel=1e-5)
    session.show("viewing", band="all")
    assert session.wait(10)
    assert np.nansum(session.map.found.values) == pytest.approx(8, rel=1e-5)
    with pytest.raises(ValueError, match="a band is one of"):
        session.show("viewing", band="3x")


def test_the_overlay_says_how_it_goes_with_attention(session: Session, clock: Clock) -> None:
    session.record.switch(True)
    session.set_live(True)
    session.set_view(View(Box(600, 500, 700, 600), 0.5))
    clock.t += 5
    session.set_view(View(Box(600, 500, 200, 200), 0.5))
    clock.t += 5
    session.set_view(View(Box(600, 500, 700, 600), 0.5))
    session.show("viewing")
    assert session.wait(30)
    assert "rank correlation" in session.map.found.legend
    session.show("viewing", band="2.5x")
    assert session.wait(30)
    assert session.map.found is None


def test_bands_leave_nothing_out_and_count_nothing_twice() -> None:
    bands = [b for name, b in BANDS.items() if name != "all"]
    assert bands[0].low == 0
    assert math.isinf(bands[-1].high)
    assert all(a.high == b.low for a, b in pairwise(bands))

    def by_label(mpp: float) -> str:
        return next(b.title for b in bands if b.low <= mpp < b.high)

    assert by_label(0.2529).startswith("0.25 µm/px (40×")
    assert by_label(0.4991) == "0.5 µm/px (20×)"
    assert by_label(12.0).endswith("(2.5× and less)")
