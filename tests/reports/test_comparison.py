"""The page and the table of a comparison: complete, readable, and true to the numbers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from shapely.geometry import box

from napari_scalescope.analysis.comparison import Comparison, Number, compare_encoders
from napari_scalescope.errors import ExchangeError
from napari_scalescope.regions import Region, Regions
from napari_scalescope.reports import (
    comparison_as_dict,
    comparison_section,
    conclusions,
    write_report,
)
from napari_scalescope.reports.chart import Point, line_chart, ticks

from ..analysis.comparison.test_compare import Blind
from ..embeddings.fake import FakeEncoder
from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide

SIDE = 1024


class Balanced(HTMLParser):
    """Counts what is opened and closed."""

    VOID = ("meta", "br", "img", "circle", "line", "polygon", "polyline", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href")]

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def compared() -> tuple[Comparison, str]:
    slide = memory_slide(smooth_picture(SIDE, SIDE), mpp=0.5, name="a <slide> & more")
    encoders: Any = [FakeEncoder(), Blind()]
    labels = Regions(
        [Region(box(x, 0, x + 128, SIDE), "ab"[(x // 128) % 2]) for x in range(0, SIDE, 128)]
    )
    found = compare_encoders(
        slide, encoders, (0.5, 1.0), labels, tissue=False, perturbations=("flip", "blur"),
        block_um=128,
    )  # fmt: skip
    return found, comparison_section(found, slide, encoders)


def test_the_page_is_whole_and_needs_nothing_else(compared: Any, tmp_path: Path) -> None:
    found, section = compared
    write_report(tmp_path / "r.html", [section], [n.measure for n in found.numbers])
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert all(link.startswith("data:") for link in parser.links)
    assert "http" not in re.sub(r"data:[^\"]+", "", text)
    assert "a &lt;slide&gt; &amp; more" in text
    assert "<script" not in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)
    for heading in ("On my labels", "Across magnifications", "Beside one another", "Neighbour"):
        assert heading in text


def test_the_table_has_every_number_and_where_it_comes_from(compared: Any) -> None:
    found, _ = compared
    table = json.loads(json.dumps(comparison_as_dict(found)))
    assert len(table["numbers"]) == len(found.numbers)
    assert {(p["encoder"]["encoder"] if isinstance(p["encoder"], dict) else p["encoder"])
            for p in table["provenance"]} == {"fake", "blind"}  # fmt: skip
    assert len(table["provenance"]) == 4


def test_what_is_said_is_so(compared: Any) -> None:
    found, _ = compared
    said = " ".join(conclusions(found))
    ranked = [n for n in found.numbers if n.measure == "balanced_accuracy, logistic"]
    best = max(ranked, key=lambda n: n.value)
    assert f"On your labels {best.encoder} at {best.mpp:g} µm/px" in said
    assert "fake moves least" in said
    assert "fake knows a place again" in said


def only(*numbers: Number) -> Comparison:
    sets: Any = {(n.encoder, n.mpp): None for n in numbers}
    return Comparison("s", list(numbers), sets)


def test_ties_are_called_ties_and_small_differences_are_not_told() -> None:
    a = Number("balanced_accuracy, logistic", "a", 1.0, 0.80, low=0.7, high=0.9)
    b = replace(a, encoder="b", value=0.79, low=0.69, high=0.89)
    p = Number("p, McNemar", "b", 1.0, 0.4, other="a", other_mpp=1.0)
    said = " ".join(conclusions(only(a, b, p)))
    assert "b cannot be told apart from it" in said
    assert "Magnification matters" not in said
    apart = " ".join(conclusions(only(a, b, replace(p, value=0.001))))
    assert "told apart" not in apart
    coarse = replace(a, mpp=4.0, value=0.4, low=0.3, high=0.5)
    assert "Magnification matters to a" in " ".join(conclusions(only(a, b, p, coarse)))


def test_without_labels_nothing_is_said_of_them() -> None:
    assert conclusions(only(Number("rank", "a", 1.0, 3.0))) == []


def test_a_chart_shows_every_point_and_interval() -> None:
    lines = {
        "a": [Point(0.5, 0.2, 0.1, 0.3), Point(2, 0.4)],
        "b <c>": [Point(1, 0.3)],
    }
    text = line_chart(lines, y_label="Accuracy & more")
    svg = ElementTree.fromstring(re.search(r"<svg viewBox=\"0 0 560.*?</svg>(?=<figcaption)", text,
                                           re.DOTALL)[0])  # fmt: skip # type: ignore[index]
    assert len(list(svg.iter("circle"))) == 2
    assert len(list(svg.iter("polygon"))) == 1
    assert sum(1 for line in svg.iter("line") if line.get("class") is None) == 1
    assert "b &lt;c&gt;" in text
    one = line_chart({"a": [Point(1, 5.0)]}, y_label="y")
    assert "NaN" not in one


@pytest.mark.parametrize(("lo", "hi"), [(0, 1), (-8, 0), (0.312, 0.331), (1, 512), (1e-9, 2e-9)])
def test_ticks_are_round_and_inside(lo: float, hi: float) -> None:
    found = ticks(lo, hi)
    assert 3 <= len(found) <= 7
    assert found[0] >= lo - 1e-9 * (hi - lo)
    assert found[-1] <= hi + 1e-9 * (hi - lo)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="could not be written"):
        write_report(tmp_path / "none" / "r.html", ["x"], [])
