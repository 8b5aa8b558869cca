"""What is known of every tile, and when it is told anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from napari_scalescope.analysis import TileMap, lay_out, similarity_map
from napari_scalescope.geometry import Box, Placement
from napari_scalescope.regions import Region, Regions
from napari_scalescope.session import Session, View
from napari_scalescope.session.columns import at_tiles
from napari_scalescope.session.findings import Coloured


@pytest.fixture
def encoded(session: Session) -> Session:
    session.set_view(View(Box(0, 0, 2600, 2000), 0.5))
    session.choose_scale((2.0,))
    session.encode_slide()
    session.wait(20)
    emb = session.embeddings()
    assert emb is not None
    session.points.keep(lay_out(emb, "pca"), session.points.generation)
    return session


def shown(session: Session, key: str) -> Coloured:
    session.colouring.choose(key)
    assert session.wait(20)
    found = session.colouring.found
    assert found is not None
    assert found.key == key
    assert len(found.column.values) == len(found.projection.xy)
    return found


def test_position_scale_slide_and_encoder(encoded: Session) -> None:
    emb = encoded.embeddings()
    assert emb is not None
    for key, axis in (("x", 0), ("y", 1)):
        column = shown(encoded, key).column
        assert column.unit == "mm"
        assert np.allclose(column.values, emb.centres[:, axis] * 0.5 / 1000)
        assert column.limits[1] == pytest.approx(column.values.max())
    for key, name in (("scale", "2 µm/px"), ("slide", "memory"), ("encoder", "Fake")):
        column = shown(encoded, key).column
        assert [c.name for c in column.classes] == [name]
        assert (column.values == 1).all()


def test_tissue_is_the_share_of_the_mask_in_the_tile(encoded: Session) -> None:
    emb, mask = encoded.embeddings(), encoded.tissue
    assert emb is not None
    assert mask is not None
    column = shown(encoded, "tissue").column
    assert column.unit == "%"
    cell, side = mask.placement.cell, emb.grid.footprint
    for i in range(0, len(emb), 37):
        box = emb.grid.box(*(int(v) for v in emb.tiles[i]))
        r0, r1 = (round(v / cell) for v in (box.y, box.y1))
        c0, c1 = (round(v / cell) for v in (box.x, box.x1))
        plain = mask.mask[r0:r1, c0:c1].sum() * cell**2 / side**2
        assert column.values[i] / 100 == pytest.approx(plain, abs=0.15)


def test_regions_name_the_tiles_whose_centre_they_hold(encoded: Session) -> None:
    emb = encoded.embeddings()
    assert emb is not None
    said = shown(encoded, "region").column
    assert not said.values.any()
    assert "Draw regions" in said.legend
    a = Region(shapely.box(0, 0, 1000, 2000), "Left", colour=(1, 2, 3))
    b = Region(shapely.box(800, 0, 1600, 900), "Top")
    encoded.annotations.set(Regions([a, b]))
    encoded.wait(20)
    column = shown(encoded, "region").column
    x, y = emb.centres.T
    expected = np.where(x < 1000, 1, 0)
    expected[(x > 800) & (x < 1600) & (y < 900)] = 2
    assert np.array_equal(column.values, expected)
    assert [c.name for c in column.classes] == ["Left", "Top"]
    assert column.classes[0].colour == (1, 2, 3)


def test_clusters_and_similarity_come_by_themselves(encoded: Session) -> None:
    said = shown(encoded, "clusters").column
    assert "choose the overlay Clusters" in said.legend
    encoded.show("clusters", k=3)
    encoded.wait(20)
    found = encoded.colouring.found
    assert found is not None
    assert [c.name for c in found.column.classes] == ["Cluster 1", "Cluster 2", "Cluster 3"]
    assert np.array_equal(found.column.values, encoded.groups.found.labels)
    emb = encoded.embeddings()
    assert emb is not None
    place = tuple(float(v) for v in emb.centres[5])
    encoded.questions.ask(*place)
    encoded.wait(20)
    found = encoded.colouring.found
    assert found is not None
    assert found.key == "similarity"
    plain = similarity_map(emb, place)
    assert np.allclose(found.column.values, plain.values[tuple(emb.tiles.T)])
    assert found.column.values[5] == pytest.approx(1)


def test_a_column_somebody_chose_stays(encoded: Session) -> None:
    shown(encoded, "x")
    encoded.show("clusters", k=2)
    encoded.wait(20)
    assert encoded.colouring.key == "x"
    with pytest.raises(ValueError, match="tissue"):
        encoded.colouring.choose("taste")


@pytest.mark.parametrize("overlay", ["attention", "pca", "clusters"])
def test_what_lies_over_the_slide_colours_the_points(encoded: Session, overlay: str) -> None:
    encoded.show(overlay)
    encoded.wait(20)
    encoded.encode_view()
    encoded.wait(20)
    painted = encoded.map.found
    assert painted is not None
    column = shown(encoded, "overlay").column
    assert column.name == painted.name
    assert column.kind == {"score": "number", "class": "class", "colour": "colour"}[painted.kind]
    known = np.isfinite(column.values) if painted.kind == "score" else column.values > 0
    assert known.any()


def test_any_map_of_the_slide_can_be_offered(encoded: Session) -> None:
    emb = encoded.embeddings()
    assert emb is not None
    values = np.arange(40 * 52, dtype=np.float32).reshape(40, 52)
    values[0] = np.nan
    made = TileMap("Mine", values, Placement(0, 0, 50.0), "score", unit="apples")
    encoded.colouring.add(made)
    assert encoded.colouring.titles["map:Mine"] == "Mine"
    column = shown(encoded, "map:Mine").column
    assert (column.name, column.unit) == ("Mine", "apples")
    assert np.allclose(column.values, at_tiles(made, emb), equal_nan=True)
    encoded.set_slide(encoded.slide)
    assert "map:Mine" not in encoded.colouring.titles
    assert encoded.colouring.found is None


@pytest.mark.parametrize("cell", [7.0, 16.0, 64.0, 100.0])
def test_scores_are_averaged_over_the_tile(encoded: Session, cell: float) -> None:
    emb = encoded.embeddings()
    assert emb is not None
    rng = np.random.default_rng(0)
    shape = (int(1200 / cell), int(1500 / cell))  # smaller than the slide
    values = rng.normal(size=shape).astype(np.float32)
    values[rng.random(shape) < 0.2] = np.nan
    made = TileMap("Mine", values, Placement(3.0, -5.0, cell), "score")
    got = at_tiles(made, emb)
    for i in range(0, len(emb), 11):
        box = emb.grid.box(*(int(v) for v in emb.tiles[i]))
        rows = [
            max(0, int(np.floor((box.y + 5) / cell))),
            max(0, int(np.ceil((box.y1 + 5) / cell - 1e-9))),
        ]
        cols = [
            max(0, int(np.floor((box.x - 3) / cell))),
            max(0, int(np.ceil((box.x1 - 3) / cell - 1e-9))),
        ]
        part: Any = values[slice(*rows), slice(*cols)]
        known = part[np.isfinite(part)]
        if known.size:
            assert got[i] == pytest.approx(float(known.mean()), abs=1e-4)
        else:
            assert np.isnan(got[i])
