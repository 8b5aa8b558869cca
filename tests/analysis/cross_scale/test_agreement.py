"""Agreement of two resolutions, on worlds in which it is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_scalescope.analysis import cross_scale_agreement
from napari_scalescope.analysis.cross_scale.tokens import token_cka, token_frobenius
from napari_scalescope.analysis.measures.neighbours import neighbour_overlap
from napari_scalescope.embeddings import embedding_set
from napari_scalescope.errors import EncoderError, SlideError

from .conftest import See

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("local", {}),
    ("local", {"centred": False}),
    ("global", {}),
    ("global", {"centred": False}),
    ("gram", {}),
    ("gram", {"measure": "frobenius"}),
    ("neighbours", {"k": 5}),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_an_encoder_that_sees_the_same_agrees(
    see: See, world: np.ndarray, kind: str, options: dict[str, Any], ratio: int
) -> None:
    coarse, fine = see(world, ratio), see(world, 1)
    made = cross_scale_agreement(coarse, fine, kind, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(made.values, 1.0, atol=1e-4)
    assert made.values.shape == coarse.grid.shape
    assert made.placement == coarse.grid.placement
    assert made.mpp == ratio
    assert f"{ratio}" in made.legend
    assert made.unit


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_tiles_in_another_order_do_not(
    see: See, world: np.ndarray, kind: str, options: dict[str, Any]
) -> None:
    mixed = see(world, 2, order=np.roll(np.arange(64), 27))
    made = cross_scale_agreement(mixed, see(world, 1), kind, **options)  # type: ignore[arg-type]
    chance = {"neighbours": 5 / 63}.get(kind, 0.0)
    if options.get("measure") == "frobenius":
        assert made.values.max() < 0.75
    else:
        assert made.values.mean() == pytest.approx(chance, abs=0.12)


def test_what_is_the_same_everywhere_is_taken_off(see: See, world: np.ndarray) -> None:
    fine, coarse = see(world, 1), see(world + 5 * np.eye(12, dtype=np.float32)[0], 2)
    for kind in ("local", "global"):
        plain = cross_scale_agreement(coarse, fine, kind, centred=False)  # type: ignore[arg-type]
        centred = cross_scale_agreement(coarse, fine, kind)  # type: ignore[arg-type]
        assert plain.values.max() < 0.9
        np.testing.assert_allclose(centred.values, 1.0, atol=1e-4)
        assert "Without the mean" in centred.legend
        assert "Without the mean" not in plain.legend
    gram = cross_scale_agreement(coarse, fine, "gram")
    np.testing.assert_allclose(gram.values, 1.0, atol=1e-4)


def test_only_where_the_world_differs(see: See, world: np.ndarray) -> None:
    other = world.copy()
    other[:32, :32] = np.random.default_rng(9).normal(size=(32, 32, 12))
    for kind in ("local", "global", "gram"):
        made = cross_scale_agreement(see(other, 2), see(world, 1), kind)  # type: ignore[arg-type]
        changed = made.values[:4, :4]
        rest = np.delete(made.values.ravel(), np.arange(64).reshape(8, 8)[:4, :4].ravel())
        assert changed.max() < 0.8
        assert rest.min() > 0.95


@pytest.mark.parametrize("kind", ["gram", "neighbours"])
def test_another_space_is_compared_where_none_is_needed(
    see: See, world: np.ndarray, kind: str
) -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(20, 12)))[0].T
    other = see((world @ turn).astype(np.float32), 2, name="two")
    options: dict[str, Any] = {"k": 5} if kind == "neighbours" else {}
    made = cross_scale_agreement(other, see(world, 1), kind, **options)  # type: ignore[arg-type]
    np.testing.assert_allclose(made.values, 1.0, atol=1e-4)


@pytest.mark.parametrize("kind", ["local", "global"])
def test_vectors_of_two_encoders_are_never_compared(see: See, world: np.ndarray, kind: str) -> None:
    with pytest.raises(EncoderError, match="Two and One lie in different spaces") as error:
        cross_scale_agreement(see(world, 2, name="two"), see(world, 1), kind)  # type: ignore[arg-type]
    assert "neighbours or Gram" in str(error.value)


def test_two_precisions_are_one_encoder(see: See, world: np.ndarray) -> None:
    coarse, fine = see(world, 2), see(world, 1)
    coarse.provenance["encoder"]["precision"] = "bf16"  # type: ignore[index]
    cross_scale_agreement(coarse, fine, "global")
    coarse.provenance["encoder"]["weights_sha256"] = "ff"  # type: ignore[index]
    with pytest.raises(EncoderError):
        cross_scale_agreement(coarse, fine, "global")


def test_what_cannot_be_asked(see: See, world: np.ndarray) -> None:
    coarse, fine = see(world, 2), see(world, 1)
    with pytest.raises(ValueError, match="swap"):
        cross_scale_agreement(fine, coarse)
    with pytest.raises(ValueError, match="one of local"):
        cross_scale_agreement(coarse, fine, "cosmic")  # type: ignore[arg-type]
    with pytest.raises(SlideError, match="different slides"):
        cross_scale_agreement(coarse, see(world, 1, slide="b"))
    with pytest.raises(LookupError, match="no patch tokens were kept at the coarser"):
        cross_scale_agreement(see(world, 2, tokens=False), fine)
    with pytest.raises(LookupError, match="no patch tokens were kept at the finer"):
        cross_scale_agreement(
            see(world, 2, embedding="cls"), see(world, 1, tokens=False, embedding="cls")
        )
    with pytest.raises(LookupError, match="no patch tokens were kept at the finer"):
        cross_scale_agreement(coarse, see(world, 1, tokens=False), "gram")
    nothing = see(world, 1, missing=tuple(map(tuple, np.argwhere(np.ones((16, 16))))))
    with pytest.raises(LookupError, match="nothing is encoded"):
        cross_scale_agreement(coarse, nothing)
    alone = see(world, 2, missing=tuple(map(tuple, np.argwhere(np.ones((8, 8)))[2:])))
    with pytest.raises(LookupError, match="too few places"):
        cross_scale_agreement(alone, fine, "neighbours")


def test_mean_tokens_in_the_embedding_stand_for_those_not_kept(see: See, world: np.ndarray) -> None:
    fine = see(world, 1, tokens=False)
    made = cross_scale_agreement(see(world, 2), fine)
    np.testing.assert_allclose(made.values, 1.0, atol=1e-4)
    assert "those in their embeddings" in made.legend


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_what_is_not_encoded_is_left_out(
    see: See, world: np.ndarray, kind: str, options: dict[str, Any]
) -> None:
    under = [(r, c) for r in (4, 5) for c in (6, 7)]
    fine = see(world, 1, missing=(*under, (0, 0), (0, 1)))
    coarse = see(world, 2, missing=((7, 7),))
    made = cross_scale_agreement(coarse, fine, kind, **options)  # type: ignore[arg-type]
    assert np.isnan(made.values[2, 3])  # nothing under it
    assert np.isnan(made.values[7, 7])
    assert np.isfinite(made.values[0, 0])  # half of it is there
    assert np.isnan(made.values).sum() == 2


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_some_tiles_are_as_in_the_whole(
    see: See,
    world: np.ndarray,
    kind: str,
    options: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = world + np.random.default_rng(4).normal(size=world.shape).astype(np.float32) / 2
    coarse, fine = see(other, 2), see(world, 1)
    whole = cross_scale_agreement(coarse, fine, kind, **options)  # type: ignore[arg-type]
    for module in (embedding_set, "napari_scalescope.analysis.cross_scale.tokens"):
        if isinstance(module, str):
            monkeypatch.setattr(f"{module}.PIECE_BYTES", 20_000)
        else:
            monkeypatch.setattr(module, "PIECE_BYTES", 2_000)
    some = [(1, 1), (3, 4), (6, 2)]
    part = cross_scale_agreement(coarse, fine, kind, tiles=some, **options)  # type: ignore[arg-type]
    known = np.argwhere(np.isfinite(part.values))
    np.testing.assert_array_equal(known, some)
    # The mean token of a view is that of the view; everything else is the same.
    if kind != "local" or not options.get("centred", True):
        at = tuple(known.T)
        np.testing.assert_allclose(part.values[at], whole.values[at], atol=1e-5)


def test_cka_of_noise_is_none_and_of_few_tokens_unknown() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50, 60, 40)).astype(np.float32)
    every = np.ones((50, 60), bool)
    assert token_cka(x, y, every).mean() == pytest.approx(0.0, abs=0.02)
    np.testing.assert_allclose(token_cka(x, 3 * x + 1, every), 1.0, atol=1e-5)
    few = every.copy()
    few[0, 3:] = few[1, 1:] = False
    assert np.isnan(token_cka(x, y, few)[:2]).all()
    assert np.isfinite(token_cka(x, y, few)[2:]).all()
    assert np.isfinite(token_frobenius(x, y, few)[0])
    assert np.isnan(token_frobenius(x, y, few)[1])
    # What does not count does not matter.
    z = x.copy()
    z[0, 3:] = 7
    np.testing.assert_array_equal(token_frobenius(x, y, few)[0], token_frobenius(z, y, few)[0])


def test_difference_of_cosines_by_hand() -> None:
    x = np.array([[[1, 0], [0, 2]]], np.float32)
    y = np.array([[[1, 0], [3, 0]]], np.float32)
    both = np.ones((1, 2), bool)
    assert token_frobenius(x, y, both)[0] == pytest.approx(0.0)
    assert token_frobenius(x, x, both)[0] == pytest.approx(1.0)


def test_neighbours_by_hand() -> None:
    angle = np.array([0.0, 0.1, 0.3, 1.0, 1.15])
    a = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    np.testing.assert_array_equal(neighbour_overlap(a, 4 * a, 1), 1.0)
    swapped = a[[0, 3, 2, 1, 4]]
    # Nearest of 0 to 4: 1, 0, 1, 4, 3; with 1 and 3 swapped: 3, 4, 3, 0, 1.
    np.testing.assert_array_equal(neighbour_overlap(a, swapped, 1), 0.0)
    with pytest.raises(ValueError, match="1 to 4 neighbours"):
        neighbour_overlap(a, a, 5)


def test_neighbours_among_some_of_many_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_scalescope.analysis.measures.neighbours.MOST", 40)
    a = np.random.default_rng(2).normal(size=(100, 6)).astype(np.float32)
    np.testing.assert_array_equal(neighbour_overlap(a, a, 7), 1.0)
