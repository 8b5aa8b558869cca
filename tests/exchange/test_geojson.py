"""QuPath's rules, round trips, and files that make no sense."""

from __future__ import annotations

import gzip
import json
import math
import uuid
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_scalescope.errors import ExchangeError
from napari_scalescope.exchange import export, read_geojson, read_regions, write_geojson
from napari_scalescope.regions import Region, Regions

COORD = st.floats(-1e6, 1e6, allow_nan=False)
TEXT = st.text(max_size=30)


@st.composite
def polygons(draw: st.DrawFn) -> shapely.Polygon:
    x, y, w, h = draw(st.tuples(COORD, COORD, st.floats(1, 1e5), st.floats(1, 1e5)))
    shell = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    holes = []
    if draw(st.booleans()):
        holes = [[(x + w * a, y + h * b) for a, b in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.7))]]
    return shapely.Polygon(shell, holes)


REGIONS = st.lists(
    st.builds(
        Region,
        geometry=polygons(),
        label=TEXT,
        name=TEXT,
        colour=st.tuples(*[st.integers(0, 255)] * 3),
        measurements=st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=3),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(REGIONS, st.sampled_from(["r.geojson", "r.geojson.gz"]))
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, regions: list[Region], name: str
) -> None:
    path = tmp_path_factory.mktemp("r") / name
    write_geojson(Regions(regions), path)
    back = read_geojson(path)
    assert len(back) == len(regions)
    for ours, theirs in zip(regions, back, strict=True):
        assert theirs.geometry.equals(ours.geometry)
        assert shapely.get_coordinates(theirs.geometry).tolist() == (
            shapely.get_coordinates(ours.geometry).tolist()
        )
        assert (theirs.label, theirs.name, theirs.id) == (ours.label, ours.name, ours.id)
        assert theirs.measurements == ours.measurements
        if ours.label:
            assert theirs.colour == ours.colour


def features(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["features"]


def test_qupaths_rules(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    square = shapely.box(10, 20, 30, 50)
    write_geojson(
        Regions(
            [
                Region(
                    square, "Tumor", "mine", (200, 0, 0), {"a": 1.5, "b": math.nan, "c": math.inf}
                ),
                Region(square, "No colour"),
                Region(square),
            ]
        ),
        path,
        object_type="tile",
    )  # fmt: skip
    first, second, third = features(path)
    assert first["type"] == "Feature"
    assert str(uuid.UUID(first["id"])) == first["id"]
    assert first["geometry"]["type"] == "Polygon"
    assert first["properties"] == {
        "objectType": "tile",
        "name": "mine",
        "classification": {"name": "Tumor", "color": [200, 0, 0]},
        "measurements": {"a": 1.5, "b": "NaN", "c": "Infinity"},
    }
    # A class without a colour makes QuPath throw: there is always one.
    assert second["properties"]["classification"]["color"] == [128, 128, 128]
    assert "classification" not in third["properties"]
    assert "isLocked" not in third["properties"]


def test_infinite_measurements_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    values = {"n": math.nan, "p": math.inf, "m": -math.inf}
    write_geojson(Regions([Region(shapely.box(0, 0, 1, 1), measurements=values)]), path)
    back = read_geojson(path)[0].measurements
    assert math.isnan(back["n"])
    assert (back["p"], back["m"]) == (math.inf, -math.inf)


def test_what_else_a_file_said_is_kept(tmp_path: Path) -> None:
    source = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": str(uuid.uuid4()),
                "geometry": shapely.box(0, 0, 9, 9).__geo_interface__,
                "properties": {
                    "objectType": "annotation",
                    "isLocked": True,
                    "metadata": {"k": "v"},
                },
            }
        ],
    }
    a, b = tmp_path / "a.geojson", tmp_path / "b.geojson"
    a.write_text(json.dumps(source))
    write_geojson(read_geojson(a), b)
    assert features(b)[0]["properties"] == source["features"][0]["properties"]
    assert features(b)[0]["id"] == source["features"][0]["id"]


@pytest.mark.parametrize(
    ("classification", "label", "colour"),
    [
        ("Tumor", "Tumor", None),
        ({"name": "Tumor", "color": [1, 2, 3]}, "Tumor", (1, 2, 3)),
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive", (1, 2, 3)),
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor", (200, 0, 0)),
        ('{"name": "Tumor", "color": [1, 2, 3]}', "Tumor", (1, 2, 3)),
        (None, "", None),
    ],
)
def test_classes_as_others_write_them(
    tmp_path: Path, classification: Any, label: str, colour: Any
) -> None:
    path = tmp_path / "a.geojson"
    feature = {
        "type": "Feature",
        "id": "PathAnnotationObject",
        "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]]]},
        "properties": {
            "object_type": "annotation",
            "classification": classification,
            "measurements": [{"name": "a", "value": 2}],
        },
    }
    path.write_text(json.dumps([feature]))
    region = read_regions(path)[0]
    assert (region.label, region.colour) == (label, colour)
    assert region.measurements == {"a": 2.0}
    uuid.UUID(region.id)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 0]]]},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]},
        {"type": "FeatureCollection", "features": []},
    ],
)
def test_odd_but_valid(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    assert len(read_geojson(path)) == (1 if "coordinates" in content else 0)


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[1, 2]", '{"a": 1}', "\x00\xff", '"text"',
        '{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[NaN,0],[1,1],[0,0]]]}}',
        '{"type":"Feature","geometry":{"type":"Blob","coordinates":[]}}',
        '{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[["a",0]]]}}',
    ],
)  # fmt: skip
def test_files_that_make_no_sense(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.geojson"
    path.write_text(content)
    with pytest.raises(ExchangeError, match=r"bad\.geojson"):
        read_geojson(path)


def test_no_file_no_folder_no_format(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match="no file"):
        read_geojson(tmp_path / "nothing.geojson")
    with pytest.raises(ExchangeError, match="cannot be written"):
        write_geojson(Regions(), tmp_path / "nowhere" / "a.geojson")
    with pytest.raises(ExchangeError, match=r"\.xlsx"):
        export(Regions(), tmp_path / "a.xlsx")
    (tmp_path / "cut.geojson.gz").write_bytes(gzip.compress(b"[]" * 500)[:20])
    with pytest.raises(ExchangeError, match="not GeoJSON"):
        read_geojson(tmp_path / "cut.geojson.gz")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    write_geojson(Regions([Region(shapely.box(0, 0, 1, 1), "old")]), path)

    class Broken:
        geom_type = "Polygon"

    with pytest.raises(AttributeError):
        write_geojson(Regions([Region(Broken())]), path)  # type: ignore[arg-type]
    assert read_geojson(path)[0].label == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.geojson"]


def test_real_annotations(shared: Path) -> None:
    path = shared / "labels" / "pathopatcher" / "Annotations-Geojson_JP2K-33003-1.geojson"
    regions = read_regions(path)
    assert len(regions)
    assert all(r.geometry.area > 0 for r in regions)
