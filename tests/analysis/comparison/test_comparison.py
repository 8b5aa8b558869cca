"""Encoders beside one another, where it is known how they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ortho_group
from shapely.geometry import box

from napari_scalescope.analysis.comparison import (
    agreement_map,
    common_places,
    compared,
    described,
    probe_encoders,
)
from napari_scalescope.embeddings.embedding_set import EmbeddingSet, TileState
from napari_scalescope.errors import SlideError
from napari_scalescope.geometry import TileGrid
from napari_scalescope.regions import Region, Regions

SIDE = 3200  # level-0 pixels of 0.5 µm


def a_set(vectors: Any, tile_px: int = 100, mpp: float = 0.5, slide: str = "s") -> EmbeddingSet:
    """Vectors on the whole of a grid, or what a function says of tile centres in µm."""
    grid = TileGrid(mpp, tile_px, tile_px, *(2 * (round(SIDE * 0.5 / (tile_px * mpp)),)), 0.5)
    tiles = grid.all_tiles()
    if callable(vectors):
        vectors = vectors(grid.centres(tiles) * 0.5)
    state = np.full(grid.shape, TileState.ENCODED, np.uint8)
    return EmbeddingSet(
        np.asarray(vectors, np.float32), tiles, grid, state, {"slide": {"fingerprint": slide}}
    )


def waves(at: Any, seed: int = 0, d: int = 24) -> Any:
    """Smooth vectors of a place: tiles near each other are alike."""
    dice = np.random.default_rng(seed)
    return np.sin(at @ dice.normal(0, 0.01, (2, d)) + dice.uniform(0, 6, d))


def test_tiles_of_one_grid_are_paired_as_they_are() -> None:
    a, b = a_set(waves), a_set(waves)
    some = np.flatnonzero(np.random.default_rng(0).random(len(b)) < 0.5)
    part = EmbeddingSet(b.vectors[some], b.tiles[some], b.grid, b.state, b.provenance)
    places = common_places([a, part])
    np.testing.assert_array_equal(places[:, 0], some)
    np.testing.assert_array_equal(places[:, 1], np.arange(len(some)))


def test_tiles_of_other_sizes_are_paired_by_their_centres() -> None:
    small, large = a_set(waves, 100), a_set(waves, 200)
    places = common_places([large, small])
    far = large.centres[places[:, 0]] - small.centres[places[:, 1]]
    assert len(places) == len(large)
    assert np.abs(far).max() <= 100
    assert len(common_places([small, large])) == len(small)


def test_slides_are_not_mixed_up() -> None:
    with pytest.raises(SlideError, match="different slides"):
        common_places([a_set(waves), a_set(waves, slide="other")])


def test_a_turned_encoder_is_the_same_and_another_is_not() -> None:
    a = a_set(waves, 200)
    turned = a_set(a.vectors @ ortho_group.rvs(24, random_state=0), 200)
    other = a_set(np.random.default_rng(0).permutation(a.vectors), 200)
    numbers = {
        (n.other, n.measure): n for n in compared({"a": a, "turned": turned, "other": other})
        if n.encoder == "a"
    }  # fmt: skip
    for measure in ("cka", "rsa", "neighbours", "ari", "ami"):
        assert numbers["turned", measure].value > 0.95, measure
        assert numbers["other", measure].value < 0.1, measure
        assert numbers["other", measure].n == len(a)


def test_a_set_of_one_direction_is_seen() -> None:
    ramp = a_set(lambda at: 1 + at[:, :1] / 1600 * np.ones((1, 8)))
    of = {n.measure: n.value for n in described("ramp", ramp)}
    assert of["rank"] == pytest.approx(1, abs=1e-3)
    assert of["uniformity"] == pytest.approx(0, abs=1e-3)
    rich = {n.measure: n.value for n in described("waves", a_set(waves))}
    assert rich["rank"] > 3
    assert rich["uniformity"] < -0.5


def test_encoders_disagree_where_one_of_them_was_scrambled() -> None:
    a = a_set(waves)
    left = a.centres[:, 0] < SIDE / 2
    vectors = a.vectors.copy()
    vectors[left] = np.random.default_rng(0).permutation(vectors[left])
    drawn = agreement_map(a, a_set(vectors))
    inside = np.zeros(len(a), bool)
    values = drawn.values[a.tiles[:, 0], a.tiles[:, 1]]
    inside[left] = True
    deep = np.abs(a.centres[:, 0] - SIDE / 2) > 400
    assert values[inside & deep].mean() < 0.2
    assert values[~inside & deep].mean() > 0.7
    assert "by chance" in drawn.legend


def test_a_draw_of_many_tiles_gives_nearly_the_same_map(monkeypatch: pytest.MonkeyPatch) -> None:
    a = a_set(waves)
    b = a_set(a.vectors + np.random.default_rng(0).normal(0, 0.3, a.vectors.shape))
    whole = agreement_map(a, b).values
    monkeypatch.setattr("napari_scalescope.analysis.comparison.alike.TILES", 300)
    monkeypatch.setattr("napari_scalescope.analysis.comparison.alike.draw.__defaults__", (300, 0))
    drawn = agreement_map(a, b).values
    assert np.isfinite(drawn).all()
    assert drawn.mean() == pytest.approx(whole.mean(), abs=0.2)


def stripes() -> Regions:
    """Classes in stripes of 200 µm, so that every square has both."""
    return Regions(
        [
            Region(box(x, 0, x + 400, SIDE), "gland" if (x // 400) % 2 else "stroma")
            for x in range(0, SIDE, 400)
        ]
    )


def knows(at: Any) -> Any:
    """The class, and noise."""
    dice = np.random.default_rng(1)
    gland = (at[:, :1] // 200) % 2
    return np.concatenate([4 * gland, 4 * gland, dice.normal(size=(len(at), 6))], axis=1)


def noise(at: Any) -> Any:
    return np.random.default_rng(2).normal(size=(len(at), 8))


def test_the_encoder_that_knows_my_labels_is_found() -> None:
    sets = {"knows": a_set(knows, 200), "noise": a_set(noise, 200)}
    of = probe_encoders(sets, stripes(), block_um=400, draws=3)
    values = {(n.encoder, n.measure): n for n in of.numbers}
    for metric in ("kNN", "logistic", "few-shot"):
        good = values["knows", f"balanced_accuracy, {metric}"]
        bad = values["noise", f"balanced_accuracy, {metric}"]
        assert good.value > 0.9
        assert 0.3 < bad.value < 0.7
        assert bad.high is not None
        assert good.low is not None
        assert good.low > bad.high
        assert values["knows", f"auc, {metric}"].value > 0.95
    assert values["noise", "p, McNemar"].value < 1e-6
    assert values["noise", "p, DeLong"].value < 1e-6
    assert values["noise", "p, McNemar"].other == "knows"
    drawn = of.best_map()
    counts = np.bincount(drawn.values.ravel(), minlength=4)
    assert counts[1] > 0.6 * counts[1:].sum() > 10 * counts[2]
    assert [c.name for c in drawn.classes] == ["knows", "noise", "no difference"]


def test_the_same_encoder_twice_is_no_better_than_itself() -> None:
    of = probe_encoders(
        {"a": a_set(knows, 200), "b": a_set(knows, 200)}, stripes(), block_um=400, draws=2
    )
    p = [n.value for n in of.numbers if n.measure.startswith("p,")]
    assert p == [1, 1]


def test_labels_in_one_place_are_refused() -> None:
    regions = Regions([Region(box(0, 0, 400, 400), "a"), Region(box(400, 0, 800, 400), "b")])
    with pytest.raises(ValueError, match="label"):
        probe_encoders({"a": a_set(knows)}, regions)
