"""Clusters and the map of tiles, as the user names, merges and grows them."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View
from napari_scalescope.session.findings import points

from ..slides.memory import coloured_slide

WHOLE = View(Box(0, 0, 2600, 2000), 0.5)


@pytest.fixture
def seen(session: Session) -> Session:
    session.set_view(WHOLE)
    session.choose_scale((0.5, 1.0))
    session.encode_slide()
    assert session.wait(60)
    return session


def grouped(session: Session, **options: object) -> dict[str, tuple[int, int, int]]:
    """The colour of every cluster."""
    session.show("clusters", **options)
    assert session.wait(60)
    assert session.groups.found is not None
    return dict(zip(session.groups.found.names, session.groups.found.colours, strict=True))


def test_names_and_colours_outlive_another_number_and_another_scale(seen: Session) -> None:
    before = grouped(seen, k=3)
    (row, *_) = seen.groups.table()
    seen.groups.rename(row.label, "  Tumour  ")
    assert seen.wait(10)
    assert seen.map.found is not None
    assert "Tumour" in [c.name for c in seen.map.found.classes]
    for options in ({"k": 2}, {"k": 5}, {"k": 3}, {"method": "leiden"}, {"method": "kmeans"}):
        assert grouped(seen, **options)["Tumour"] == row.colour
    seen.set_view(View(WHOLE.box, 1.1))
    assert seen.wait(60)
    assert seen.groups.found is not None
    assert seen.groups.found.emb.grid.mpp == 1.0
    assert (
        dict(zip(seen.groups.found.names, seen.groups.found.colours, strict=True))["Tumour"]
        == row.colour
    )
    assert row.colour in before.values()


def test_merging_outlives_more_tiles_and_can_be_undone(session: Session) -> None:
    session.set_view(View(Box(0, 0, 1900, 2000), 0.5))
    session.choose_scale((0.5,))
    session.encode_view()
    assert session.wait(30)
    grouped(session, k=3)
    assert session.groups.found is not None
    tiles = len(session.groups.found.labels)
    session.groups.merge([1, 3], "Both")
    assert session.groups.found.k == 2
    session.encode_slide()
    assert session.wait(60)
    assert len(session.groups.found.labels) > tiles
    assert session.groups.found.k == 2
    both = session.groups.found.names.index("Both") + 1
    rows = {r.name: r for r in session.groups.table()}
    assert rows["Both"].label == both
    session.groups.separate(both)
    assert session.groups.found.k == 3
    assert "Both" not in session.groups.found.names
    with pytest.raises(IndexError):
        session.groups.rename(9, "Nothing")


def test_the_same_name_makes_one_of_two_and_no_name_gives_back_their_own(seen: Session) -> None:
    names = list(grouped(seen, k=3))
    seen.groups.rename(1, "Tumour")
    seen.groups.rename(2, "Tumour")
    assert seen.groups.found is not None
    assert sorted(seen.groups.found.names) == sorted(["Tumour", names[2]])
    seen.groups.rename(seen.groups.found.names.index("Tumour") + 1, "")
    assert sorted(seen.groups.found.names) == sorted(names)


def test_all_scales_are_grouped_together(seen: Session) -> None:
    grouped(seen, k=3, together=True)
    found = seen.groups.found
    assert found is not None
    assert sorted(emb.grid.mpp for emb in found.sets) == [0.5, 1.0]
    assert seen.map.found is not None
    assert "0.5 and 1 µm/px together" in seen.map.found.legend
    seen.set_view(View(WHOLE.box, 1.1))
    assert seen.wait(60)
    assert seen.map.found is not None
    assert seen.map.found.mpp == 1.0


def test_a_missing_package_is_told(seen: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    grouped(seen, k=3)
    told: list[str] = []
    seen.failed.connect(lambda error: told.append(str(error)))
    monkeypatch.setitem(sys.modules, "igraph", None)
    seen.show("clusters", method="leiden")
    assert seen.wait(30)
    assert len(told) == 1
    assert "igraph" in told[0]
    assert seen.groups.found is None
    grouped(seen, method="kmeans")


def test_another_slide_has_names_of_its_own(seen: Session) -> None:
    grouped(seen, k=2)
    seen.groups.rename(1, "Tumour")
    seen.set_slide(coloured_slide(2300, 1800))
    seen.set_view(View(Box(0, 0, 2300, 1800), 0.5))
    seen.encode_slide()
    assert seen.wait(60)
    assert set(grouped(seen)) == {"Cluster 1", "Cluster 2"}


# --- points ---


def test_new_tiles_are_placed_in_the_map_and_it_is_refined(session: Session) -> None:
    session.set_view(View(Box(0, 0, 1600, 1600), 0.5))
    session.choose_scale((0.5,))
    session.encode_view()
    assert session.wait(60)
    session.points.find()
    assert session.wait(120)
    first = session.points.found
    assert first is not None
    assert first.method == "umap"
    made = []
    session.points.changed.connect(lambda: made.append(session.points.found))
    session.set_view(WHOLE)
    session.encode_slide()
    assert session.wait(60)
    session.points.find()
    assert session.wait(120)
    placed, refined = made
    assert len(placed.xy) == len(refined.xy) > len(first.xy)
    old = placed.emb.index_of(first.emb.tiles)
    np.testing.assert_array_equal(placed.xy[old], first.xy)
    assert refined.grown
    session.points.find()
    assert session.wait(60)
    assert len(made) == 2  # nothing was added


def test_points_of_all_scales_and_other_methods(seen: Session) -> None:
    seen.points.find()
    assert seen.wait(120)
    one = seen.points.found
    assert one is not None
    assert one.sets == (one.emb,)
    seen.points.choose(together=True, seed=3)
    assert seen.wait(120)
    both = seen.points.found
    assert both is not None
    assert both.method == "umap"
    assert both.seed == 3
    assert [emb.grid.mpp for emb in both.sets] == [0.5, 1.0]
    assert np.bincount(both.of).tolist() == [len(emb) for emb in both.sets]
    seen.points.choose("pca", together=False)
    assert seen.wait(60)
    assert seen.points.found is not None
    assert seen.points.found.method == "pca"
    assert len(seen.points.found.sets) == 1


def test_umap_is_compiled_only_while_somebody_looks(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()
    monkeypatch.setattr(points, "warm_up", began.set)
    monkeypatch.setattr(points, "WARM_UP_S", 0.05)
    session.points.follow(True)
    session.points.follow(False)
    assert not began.wait(0.3)
    session.points.follow(True)
    session.points.close()
    assert not began.wait(0.3)
    session.points.follow(True)
    assert began.wait(5)


def test_a_script_that_looks_ends_at_once(tmp_path: Path) -> None:
    """What is compiled in the background does not keep the process."""
    import subprocess

    code = (
        "import time, napari_scalescope as ss;"
        "from napari_scalescope.session.findings import points;"
        "points.WARM_UP_S = 0.0;"
        "session = ss.Session();"
        "session.points.follow(True);"
        "time.sleep(1.5)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, cwd=tmp_path)
    assert done.returncode == 0


def test_a_colour_the_user_gave_stays(seen: Session) -> None:
    grouped(seen, k=3)
    assert seen.groups.found is not None
    name = seen.groups.found.names[1]
    seen.groups.recolour(2, (1, 2, 3))
    assert grouped(seen)[name] == (1, 2, 3)
    assert grouped(seen, k=2).get(name, (1, 2, 3)) == (1, 2, 3)
    assert (1, 2, 3) in grouped(seen, k=4).values()
