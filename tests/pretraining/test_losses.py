from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_scalescope.pretraining import losses as L
from napari_scalescope.pretraining.teachers import Whitening, pooled, targets
from napari_scalescope.pretraining.views import token_overlap


def vectors(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_negative_cosine_runs_from_zero_to_two() -> None:
    a = vectors(5, 8)
    assert L.negative_cosine(a, 3 * a).item() == pytest.approx(0, abs=1e-6)
    assert L.negative_cosine(a, -a).item() == pytest.approx(2)


def test_weights_leave_pairs_out() -> None:
    a = vectors(2, 8)
    b = torch.stack([a[0], -a[1]])
    assert L.negative_cosine(a, b, torch.tensor([1.0, 0.0])).item() == pytest.approx(0, abs=1e-6)


def test_uniformity_prefers_spread_vectors() -> None:
    close = vectors(1, 16) + 0.01 * vectors(32, 16, seed=1)
    assert L.kde_uniformity(vectors(32, 16)) < L.kde_uniformity(close) - 1


def test_uniformity_pushes_apart() -> None:
    z = (vectors(1, 8) + 0.3 * vectors(16, 8, seed=1)).requires_grad_()
    before = L.kde_uniformity(z)
    before.backward()
    assert z.grad is not None
    assert L.kde_uniformity(z - z.grad) < before


def test_sinkhorn_uses_every_prototype_equally() -> None:
    q = L.sinkhorn(torch.nn.functional.normalize(vectors(64, 16), dim=1), 0.1, 20)
    torch.testing.assert_close(q.sum(1), torch.ones(64))
    torch.testing.assert_close(q.sum(0), torch.full((16,), 4.0), rtol=0.02, atol=0.02)


def test_dino_is_least_where_both_agree() -> None:
    teacher = torch.eye(4)
    right, wrong = torch.eye(4) * 2 - 1, torch.roll(torch.eye(4) * 2 - 1, 1, 0)
    assert L.dino(right, teacher) < L.dino(wrong, teacher)


def test_cross_scale_is_zero_for_tokens_that_agree_exactly() -> None:
    # the fine field is the upper left quarter: coarse token (r, c) lies under fine (2r…, 2c…)
    overlap = torch.from_numpy(token_overlap(np.array([[0, 0, 0.5]], np.float32), 4))
    coarse = vectors(1, 16, 8)
    grid = coarse.reshape(1, 4, 4, 8)[:, :2, :2]
    fine = grid.repeat_interleave(2, 1).repeat_interleave(2, 2).reshape(1, 16, 8)
    assert L.cross_scale(coarse, fine, overlap).item() == pytest.approx(0, abs=1e-5)
    assert L.cross_scale(coarse, fine.flip(1), overlap).item() > 0.1
    whole, quarters = torch.ones(16, 1), L.quarters(4)
    torch.testing.assert_close(L.pooled_under(coarse, overlap, whole)[:, 0], grid.mean((1, 2)))
    # each quarter of the fine field lies on one coarse token
    under = L.pooled_under(coarse, overlap, quarters)
    torch.testing.assert_close(under, grid.reshape(1, 4, 8))


@pytest.mark.parametrize("side", [2, 8, 14])
def test_quarters_share_a_field(side: int) -> None:
    parts = L.quarters(side)
    assert parts.sum(0).tolist() == [side * side / 4] * 4
    assert parts.sum(1).unique().tolist() == [1]
    lattice = parts.argmax(1).reshape(side, side)
    assert lattice[0, 0] == 0
    assert lattice[0, -1] == 1
    assert lattice[-1, 0] == 2


def test_contrast_is_least_where_each_finds_its_own() -> None:
    a, alone = vectors(6, 16), torch.zeros(6, 6, dtype=torch.bool)
    assert L.contrast(a, 2 * a, alone) < 0.1
    assert L.contrast(a, a.roll(1, 0), alone) > 2
    everywhere = ~torch.eye(6, dtype=torch.bool)
    assert L.contrast(a, a.roll(1, 0), everywhere).item() == pytest.approx(0)


def test_gram_sees_similarities_not_directions() -> None:
    tokens = vectors(2, 9, 8)
    turn = torch.linalg.qr(vectors(8, 8, seed=3))[0]
    assert L.gram(tokens @ turn, tokens).item() == pytest.approx(0, abs=1e-10)
    assert L.gram(vectors(2, 9, 8, seed=5), tokens).item() > 0.01


def test_pooling_to_a_lattice_is_the_mean_of_areas() -> None:
    lattice = np.random.default_rng(0).normal(size=(3, 8, 8, 5)).astype(np.float32)
    blocks = lattice.reshape(3, 4, 2, 4, 2, 5).mean((2, 4)).reshape(3, 16, 5)
    np.testing.assert_allclose(pooled(lattice, 4), blocks, atol=1e-6)
    odd = np.random.default_rng(1).normal(size=(2, 7, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(pooled(odd, 4).mean(1), odd.mean((1, 2)), atol=1e-6)


class Corners:
    """A teacher whose embedding is the colour of the tile's upper left pixel."""

    name = "corners"

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        colour = pixels[:, 0, 0].astype(np.float32)
        return colour, np.broadcast_to(colour[:, None, None], (len(pixels), 2, 2, 3)).copy()


def test_a_teacher_sees_the_field_in_tiles_and_its_lattice_lies_right() -> None:
    field = np.zeros((1, 32, 32, 3), np.uint8)
    field[0, :16, 16:] = (10, 20, 30)
    embedding, lattice = targets(Corners(), field, 2)
    np.testing.assert_allclose(embedding, [[2.5, 5, 7.5]])
    assert (lattice.reshape(4, 4, 3)[:2, 2:] == (10, 20, 30)).all()
    assert lattice.reshape(4, 4, 3)[2:].max() == 0


def test_whitening_makes_directions_equal() -> None:
    rng = np.random.default_rng(0)
    raw = (rng.normal(size=(4000, 6)) * [50, 20, 10, 5, 2, 1] + 100).astype(np.float32)
    white = Whitening.fit(raw, 6, ridge=0.0)(torch.from_numpy(raw)).numpy()
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(white.T), np.eye(6), atol=0.01)
