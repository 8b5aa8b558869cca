"""The arithmetic behind the figures of `tests.benchmarks.encoder_quality`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.analysis.probe.bootstrap import Score
from tests.benchmarks.encoder_quality.claims import claims
from tests.benchmarks.encoder_quality.clusters import majority
from tests.benchmarks.encoder_quality.colour import statistics
from tests.benchmarks.encoder_quality.drift import CHANGES
from tests.benchmarks.encoder_quality.maps import border, haematoxylin, seams
from tests.benchmarks.encoder_quality.scales import (
    PAIRS,
    agreement,
    overlap,
    pooled,
    ranks,
    treated,
)

# --- scales ---


def test_the_right_place_comes_first_and_equals_count_against_it() -> None:
    ones = np.eye(4)
    np.testing.assert_array_equal(ranks(ones, ones, np.arange(4)), 0)
    same = np.ones((4, 4)) / 2
    np.testing.assert_array_equal(ranks(same, same, np.arange(4)), 3)
    np.testing.assert_array_equal(ranks(ones[:1], ones, np.array([2])), [3])


def test_ranks_count_the_keys_that_are_nearer() -> None:
    keys = np.array([[1, 0], [0.8, 0.6], [0, 1]])
    np.testing.assert_array_equal(ranks(keys[:1], keys, np.array([1])), [1])


def test_centring_takes_away_what_a_scale_has_in_common(rng: np.random.Generator) -> None:
    fine = rng.normal(size=(20, 8))
    coarse = fine + 50 * rng.normal(size=8)
    own = np.arange(20)
    assert (ranks(treated(fine, "raw"), treated(coarse, "raw"), own) > 0).any()
    for treatment in ("centred", "standardised"):
        found = ranks(treated(fine, treatment), treated(coarse, treatment), own)
        np.testing.assert_array_equal(found, 0)


def test_standardising_ignores_the_unit_of_a_feature(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(9, 3))
    scaled = vectors * (1, 1000, 1)
    np.testing.assert_allclose(treated(vectors, "standardised"), treated(scaled, "standardised"))


@given(st.integers(1, 20), st.floats(0, 0.9), st.floats(0.05, 0.1))
def test_shares_of_an_overlap_add_up_to_one(cells: int, start: float, extent: float) -> None:
    shares = overlap(cells, start, start + extent)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_a_part_that_cuts_a_token_takes_its_share_of_it() -> None:
    np.testing.assert_allclose(overlap(7, 0, 1 / 4), np.array([4, 3, 0, 0, 0, 0, 0]) / 7)
    np.testing.assert_allclose(overlap(7, 1 / 4, 2 / 4), np.array([0, 1, 4, 2, 0, 0, 0]) / 7)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("side", [7, 14])
def test_parts_of_a_tile_average_to_the_whole(
    side: int, factor: int, rng: np.random.Generator
) -> None:
    tokens = rng.normal(size=(side, side, 3))
    parts = [pooled(tokens, factor, row, col) for row in range(factor) for col in range(factor)]
    np.testing.assert_allclose(np.mean(parts, 0), tokens.mean((0, 1)))


def test_a_part_is_where_its_row_and_column_say() -> None:
    tokens = np.zeros((4, 4, 1))
    tokens[2:, :2] = 1
    assert pooled(tokens, 2, 1, 0) == 1
    assert pooled(tokens, 2, 0, 1) == 0


def test_agreement_leaves_matched_pairs_out_of_random_ones() -> None:
    matched, others, random = agreement(np.eye(3), np.eye(3))
    np.testing.assert_allclose(matched, 1)
    np.testing.assert_allclose(others, 0)
    assert random == 0


# --- drift ---


def test_every_change_keeps_the_shape_of_a_tile(rng: np.random.Generator) -> None:
    tile = rng.integers(0, 256, (32, 32, 3), np.uint8)
    for name, versions in CHANGES.items():
        for version in versions:
            changed = version(tile)
            assert changed.shape == tile.shape, name
            assert changed.dtype == np.uint8, name
            assert (changed != tile).any(), name


# --- colour statistics, clusters, claims ---


def test_colour_statistics_are_finite_and_of_one_length(rng: np.random.Generator) -> None:
    found = [statistics(np.full((32, 32, 3), v, np.uint8)) for v in (0, 128, 255)]
    found.append(statistics(rng.integers(0, 256, (32, 32, 3), np.uint8)))
    assert len({f.shape for f in found}) == 1
    assert np.isfinite(found).all()


def test_the_majority_is_the_commonest_class() -> None:
    assert majority(np.array([[3, 3], [1, 0]], np.uint8)) == 3


def test_a_claim_holds_only_outside_the_interval() -> None:
    def score(value: float, spread_: float) -> Score:
        return Score(value, value + spread_ * np.linspace(-1, 1, 101))

    def result(mine: Score) -> dict[str, object]:
        means = {
            "raw": {"top-1": mine},
            "centred": {"top-1": mine},
            "standardised": {"top-1": mine},
        }
        flat = {t: {"top-1": score(0.2, 0)} for t in means}
        return {
            "scales": {"tile": {"e": {"means": means}, "mobilenet": {"means": flat}}, "part": {}}
        }

    sure = claims(result(score(0.3, 0.05)), {"e": "untrained"})
    assert len(sure) == 3
    assert all(c.holds for c in sure)
    assert not any(c.holds for c in claims(result(score(0.3, 0.2)), {"e": "untrained"}))


@pytest.mark.parametrize("final", [False, True])
def test_the_section_kept_for_the_end_is_read_only_at_the_end(
    final: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.benchmarks.encoder_quality import classification, data
    from tests.benchmarks.encoder_quality.features import Bank

    sizes = {"C3": 3, "C4": 4, "C6": 6}
    read = []

    def spots(section: str, field: float) -> tuple[np.ndarray, np.ndarray]:
        read.append(section)
        n = sizes[section]
        return np.zeros((n, 4, 4, 3), np.uint8), np.repeat(section, n)

    monkeypatch.setattr(data, "her2st_spots", spots)
    tasks = [task for task, _ in classification._spots(Bank([]), final)]
    assert ("C6" in read) == final
    splits = [[(set(t.labels[a]), set(t.labels[b])) for a, b in t.folds] for t in tasks]
    expected = [({"C3", "C4"}, {"C6"})] if final else [({"C4"}, {"C3"}), ({"C3"}, {"C4"})]
    assert splits == [expected, expected]


def test_pairs_are_whole_multiples() -> None:
    assert all(coarse % fine == 0 and coarse > fine for fine, coarse in PAIRS)


# --- maps ---


def test_a_picture_without_seams_has_none_and_a_colour_per_tile_has_nothing_else() -> None:
    tiles = np.argwhere(np.ones((3, 4)))
    y, x = np.mgrid[:24, :32].astype(float)
    smooth = np.stack([x, y, x + y], -1).reshape(3, 8, 4, 8, 3).swapaxes(1, 2).reshape(-1, 8, 8, 3)
    assert seams(smooth, tiles) == pytest.approx(1)
    # each tile a little lighter than it is
    stepped = smooth + np.arange(12)[:, None, None, None]
    assert seams(stepped, tiles) > 2
    # tiles that do not adjoin have no seam between them
    assert np.isnan(seams(smooth[:1], tiles[:1]))


def test_attention_at_the_border_is_one_where_it_is_even() -> None:
    even = np.ones((2, 6, 6))
    even[1, 0] = 2
    np.testing.assert_allclose(border(even), [1, 1 + 6 / 20])


def test_haematoxylin_is_where_it_is_blue() -> None:
    tile = np.full((1, 32, 32, 3), 240, np.uint8)
    tile[0, :16, 16:] = (80, 60, 150)
    dye = haematoxylin(tile, 2)
    assert dye.shape == (1, 2, 2)
    assert dye[0].argmax() == 1
