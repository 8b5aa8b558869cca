"""Principal components as colours: what they show, and that they hold still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from napari_scalescope.analysis import PcaColours, fit_pca, pca_map
from napari_scalescope.analysis.pca import colours_of
from napari_scalescope.embeddings import EmbeddingSet
from napari_scalescope.errors import EncoderError
from napari_scalescope.geometry import Placement
from napari_scalescope.slides import TissueMask

MakeSet = Callable[..., EmbeddingSet]


@pytest.mark.parametrize("tokens", [False, True])
def test_like_tissue_has_like_colours(make_set: MakeSet, halves: np.ndarray, tokens: bool) -> None:
    made = pca_map(make_set(halves, missing=((0, 0),)), tokens=tokens)
    assert made.kind == "colour"
    assert made.values.dtype == np.uint8
    scale = 4 if tokens else 1
    assert (made.values[:scale, :scale] == 0).all()
    known = made.values[scale:, :, :3].astype(int)
    left, right = np.split(known, 2, axis=1)
    assert np.abs(left.mean((0, 1)) - right.mean((0, 1))).max() > 100
    assert made.at(5, 5) is None
    assert made.at(5000 / 4, 700)[3] == 255
    assert "Fitted on what is shown (239 tiles)." in made.legend
    assert len(made.classes) == 3


@pytest.mark.parametrize("n", [3, 40, 3000])
def test_the_space_is_that_of_scikit_learn(n: int, rng: np.random.Generator) -> None:
    from sklearn.decomposition import PCA

    x = (rng.normal(size=(n, 30)) * 0.8 ** np.arange(30) + 5).astype(np.float32)
    colours, peer = colours_of(x), PCA(3).fit(x)
    shares = peer.explained_variance_ratio_
    np.testing.assert_allclose(np.array(colours.explained), shares, atol=2e-3)
    scores, theirs = colours.scores(x), peer.transform(x)
    for axis in range(3 if n > 3 else 2):
        assert abs(np.corrcoef(scores[:, axis], theirs[:, axis])[0, 1]) > 0.98
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-3)
    if n > 3:
        np.testing.assert_allclose(np.cov(scores.T, bias=True), np.eye(3), atol=0.03)


def test_fewer_directions_than_colours() -> None:
    flat = np.outer(np.arange(20), np.ones(8)).astype(np.float32)
    colours = colours_of(flat)
    assert colours.explained[0] == pytest.approx(1)
    assert colours.explained[1:] == (0, 0)
    assert np.isfinite(colours(flat)).all()
    assert np.isfinite(colours_of(np.ones((1, 8), np.float32))(flat)).all()


def growing(rng: np.random.Generator) -> list[np.ndarray]:
    """Vectors that come a few at a time, with four directions of nearly the same variance."""
    axes = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    spread = np.r_[1.0, 0.97, 0.94, 0.5, np.full(60, 0.05)]
    every = (rng.normal(size=(4000, 64)) * spread) @ axes + rng.normal(size=64)
    return [every[:n].astype(np.float32) for n in (300, 400, 550, 800, 1200, 2000, 4000)]


def jumps(fits: list[PcaColours], looked_at: np.ndarray) -> float:
    """The largest mean change of the colours of the same vectors from one fit to the next."""
    colours = [fit(looked_at) for fit in fits]
    return max(float(np.abs(b - a).mean()) for a, b in pairwise(colours))


def test_refits_on_growing_data_keep_their_hues(rng: np.random.Generator) -> None:
    data = growing(rng)
    looked_at = data[0]
    alone = [colours_of(x) for x in data]
    aligned: list[PcaColours] = []
    for x in data:
        aligned.append(colours_of(x, like=aligned[-1] if aligned else None))
    assert jumps(aligned, looked_at) < 0.04
    assert jumps(alone, looked_at) > 0.15
    # Aligned, they show as much as they would alone, and as colourfully.
    for x, one, other in zip(data, alone, aligned, strict=True):
        assert sum(other.explained) == pytest.approx(sum(one.explained), abs=1e-3)
        np.testing.assert_allclose(np.cov(other.scores(x).T, bias=True), np.eye(3), atol=0.02)


def test_an_earlier_fit_that_was_mirrored_is_followed(rng: np.random.Generator) -> None:
    x = (rng.normal(size=(500, 20)) * 0.7 ** np.arange(20)).astype(np.float32)
    own = colours_of(x)
    swapped = own.matrix[[1, 2, 0]] * np.float32([[-1], [1], [-1]])
    before = replace(own, matrix=swapped, low=-own.high, high=-own.low)
    again = colours_of(x, like=before)
    np.testing.assert_allclose(again.matrix, before.matrix, atol=1e-3)


def half_tissue(emb: EmbeddingSet) -> TissueMask:
    """Tissue on the left half."""
    side = emb.grid.pitch
    mask = np.zeros(emb.grid.shape, bool)
    mask[:, : mask.shape[1] // 2] = True
    return TissueMask(mask, ~mask, Placement(0, 0, side), side * 0.25)


@pytest.mark.parametrize("tokens", [False, True])
def test_colours_are_fitted_on_tissue(make_set: MakeSet, tokens: bool) -> None:
    classes = np.zeros((8, 20), int)
    classes[:4] = 1
    classes[:, 10:] = 2  # glass: unlike all tissue, and half of what there is
    emb = make_set(classes)
    mask = half_tissue(emb)

    def apart(colours: PcaColours) -> float:
        made = pca_map(emb, tokens=tokens, colours=colours).values[..., :3].astype(float)
        upper, lower = np.split(made[:, : made.shape[1] // 2], 2)
        return float(np.linalg.norm(upper.mean((0, 1)) - lower.mean((0, 1))))

    with_glass, without = (
        fit_pca(emb, tokens=tokens, foreground=m, fitted_on="the slide") for m in (None, mask)
    )
    assert without.fitted_on == "the slide (160 tiles) without glass"
    assert with_glass.fitted_on == "the slide (160 tiles)"
    assert without.explained[0] > with_glass.explained[1]
    # Apart along the first colour, not the second.
    assert abs(apart(without)) > 100
    glass = emb.vectors[emb.tiles[:, 1] >= 10]
    if not tokens:
        assert (
            np.abs(with_glass.mean - glass.mean(0)).max()
            < np.abs(without.mean - glass.mean(0)).max()
        )


def test_a_mask_without_tissue_leaves_everything(make_set: MakeSet, halves: np.ndarray) -> None:
    emb = make_set(halves)
    mask = half_tissue(emb)
    none = replace(mask, mask=np.zeros_like(mask.mask))
    for tokens in (False, True):
        a, b = (fit_pca(emb, tokens=tokens, foreground=m) for m in (none, None))
        np.testing.assert_array_equal(a.matrix, b.matrix)


def test_several_slides_share_their_colours(make_set: MakeSet, halves: np.ndarray) -> None:
    left, right = make_set(halves[:, :10]), make_set(halves[:, :10] + 1)
    both = fit_pca([left, right], fitted_on="both")
    assert both.fitted_on == "both (240 tiles of 2 slides)"
    one, other = (pca_map(e, colours=both).values[..., :3].astype(float) for e in (left, right))
    assert np.linalg.norm(one.mean((0, 1)) - other.mean((0, 1))) > 100
    # Fitted on one alone, its noise takes all colours.
    alone = pca_map(left).values[..., :3].astype(float)
    assert alone.std((0, 1)).min() > 40
    assert one.std((0, 1)).min() < 15


def test_colours_of_another_encoder_are_refused(make_set: MakeSet, halves: np.ndarray) -> None:
    emb = replace(make_set(halves), provenance={"encoder": {"weights_sha256": "a"}})
    other = replace(emb, provenance={"encoder": {"weights_sha256": "b"}})
    same = replace(emb, provenance={"encoder": {"weights_sha256": "a", "attention": "rollout"}})
    colours = fit_pca(emb)
    pca_map(same, colours=colours)
    for wrong in (
        lambda: pca_map(other, colours=colours),
        lambda: pca_map(emb, tokens=True, colours=colours),
        lambda: pca_map(make_set(halves, dim=5), colours=colours),
        lambda: fit_pca(other, like=colours),
        lambda: fit_pca([emb, other]),
    ):
        with pytest.raises(EncoderError):
            wrong()


def test_vectors_that_are_no_numbers_stay_empty(make_set: MakeSet, halves: np.ndarray) -> None:
    emb = make_set(halves)
    emb.vectors[7] = np.inf
    made = pca_map(emb)
    assert (made.values[tuple(emb.tiles[7])] == 0).all()
    assert (made.values[..., 3] == 255).sum() == len(emb) - 1


@pytest.mark.parametrize("tokens", [False, True])
def test_nothing_encoded(make_set: MakeSet, tokens: bool) -> None:
    emb = make_set(np.zeros((1, 1), int), missing=((0, 0),))
    with pytest.raises(LookupError):
        pca_map(emb, tokens=tokens)
    with pytest.raises(LookupError):
        fit_pca([])
