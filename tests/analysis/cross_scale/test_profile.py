"""The scale profile of a point."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.analysis import profile_steps, scale_profile
from napari_scalescope.analysis.cross_scale.profile import own_share
from napari_scalescope.errors import ResolutionError
from napari_scalescope.geometry import Box

from ...embeddings.fake import FakeEncoder
from ...slides.memory import coloured_slide, memory_slide


def test_views_are_centred_on_the_point_and_evenly_spaced() -> None:
    slide = coloured_slide(2600, 2000)
    found = scale_profile(slide, FakeEncoder(), (1000, 900))  # type: ignore[arg-type]
    native = slide.require_mpp()
    assert found.mpp.shape == (16,)
    assert found.mpp[0] == pytest.approx(native)
    assert found.mpp[-1] * 64 == pytest.approx(2600 * native)  # the slide's width in a tile
    np.testing.assert_allclose(np.diff(np.log(found.mpp)), np.log(found.mpp[1] / found.mpp[0]))
    assert found.views.shape == (16, 64, 64, 3)
    for i in (0, 7, 15):
        box = Box.around((1000, 900), 64 * found.mpp[i] / native)
        np.testing.assert_array_equal(found.views[i], slide.read(box, size=(64, 64)))
    assert found.encoder == "Fake"
    assert found.encoded.all()
    np.testing.assert_allclose(np.diagonal(found.similarity), 1.0, atol=1e-5)
    np.testing.assert_allclose(found.similarity, found.similarity.T)
    assert found.best == int(found.own.argmax())


def test_it_fills_in_view_by_view() -> None:
    encoder = FakeEncoder()
    parts = list(profile_steps(coloured_slide(2600, 2000), encoder, (900, 900), count=9))  # type: ignore[arg-type]
    assert [int(p.encoded.sum()) for p in parts] == list(range(1, 10))
    assert all(p.best is None for p in parts[:-1])
    assert parts[-1].best is not None
    assert encoder.encoded == 9
    # Both ends and the middle come first.
    assert set(np.flatnonzero(parts[2].encoded)) >= {0, 8}
    assert np.isnan(parts[0].similarity).sum() == 80
    # Nothing of an earlier part changes with a later one.
    assert (parts[0].views[~parts[0].encoded] == 255).all()


def test_a_view_unlike_the_others_is_most_its_own() -> None:
    rng = np.random.default_rng(0)
    for odd in (0, 5, 11):
        vectors = np.cumsum(rng.normal(size=(12, 30)) * 0.2, 0) + 4
        vectors[odd] = rng.normal(size=30) * 4
        v = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        assert own_share((v @ v.T).astype(np.float32)).argmax() == odd


def test_no_view_is_its_own_where_likeness_depends_on_distance_alone() -> None:
    distance = np.abs(np.subtract.outer(np.arange(16), np.arange(16)))
    own = own_share(np.exp(-distance / 5).astype(np.float32))
    np.testing.assert_allclose(own, 0.0, atol=1e-6)


def test_a_view_that_differs_in_the_slide_is_found_in_it() -> None:
    # Red inside 200 px around the point and grey outside: what is seen changes with scale once.
    pixels = np.full((1600, 1600, 3), 128, np.uint8)
    pixels[700:900, 700:900] = (200, 30, 40)
    slide = memory_slide(pixels, 0.5)
    found = scale_profile(slide, FakeEncoder(), (800, 800), count=8)  # type: ignore[arg-type]
    side = 64 * found.mpp / 0.5
    inside, outside = side < 200, side > 800
    assert inside.sum() >= 2
    assert found.similarity[np.ix_(inside, inside)].min() > 0.99
    assert found.similarity[np.ix_(inside, outside)].max() < 0.95


def test_what_cannot_be_asked() -> None:
    encoder = FakeEncoder()
    slide = coloured_slide(600, 600)
    with pytest.raises(ValueError, match="3 or more"):
        scale_profile(slide, encoder, (10, 10), count=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rise"):
        scale_profile(slide, encoder, (10, 10), finest=2.0, coarsest=1.0)  # type: ignore[arg-type]
    with pytest.raises(ResolutionError):
        scale_profile(memory_slide(np.zeros((90, 90, 3), np.uint8), None), encoder, (5, 5))  # type: ignore[arg-type]
    assert encoder.encoded == 0


def test_a_slide_smaller_than_a_view_has_a_range_too() -> None:
    slide = coloured_slide(50, 40)
    found = scale_profile(slide, FakeEncoder(), (20, 20), count=4)  # type: ignore[arg-type]
    assert found.mpp[-1] == pytest.approx(8 * slide.require_mpp())
