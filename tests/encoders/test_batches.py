"""How many tiles at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_scalescope.encoders.batches import LONGEST_S, TRIES, BatchSize


def found(seconds: dict[int, float], largest: int = 64) -> tuple[int, int]:
    """The size it settles on where a pass of so many tiles takes so long, and the largest tried."""
    batch = BatchSize(largest)
    most = 1
    for _ in range(100):
        most = max(most, batch.size)
        batch.took(batch.size, seconds[batch.size])
    assert batch.settled
    return batch.size, most


def test_it_grows_while_a_tile_takes_less_time() -> None:
    passes = {1: 0.010, 2: 0.014, 4: 0.020, 8: 0.030, 16: 0.060, 32: 0.120, 64: 0.24}
    assert found(passes) == (8, 64)


def test_it_stops_where_it_gets_much_worse() -> None:
    assert found({1: 0.01, 2: 0.016, 4: 0.03, 8: 0.08}) == (4, 8)


def test_a_pass_that_was_held_up_does_not_end_the_search() -> None:
    batch = BatchSize(64)
    for i in range(60):
        held_up = 0.08 if i % TRIES == 0 else 0.0
        batch.took(batch.size, 0.01 * batch.size**0.8 + held_up)
    assert batch.settled
    assert batch.size >= 16


def test_a_pass_stays_short() -> None:
    size, most = found({n: 0.06 * n for n in (1, 2, 4, 8)})
    assert size == 1  # no gain
    assert most * 0.06 <= LONGEST_S


def test_a_slow_network_takes_one_tile_at_a_time() -> None:
    assert found({1: 1.5}) == (1, 1)


def test_the_first_pass_of_all_is_not_counted() -> None:
    batch = BatchSize(64)
    batch.took(1, 30.0)
    for _ in range(TRIES):
        batch.took(1, 0.01)
    assert batch.size == 2


def test_a_remainder_says_nothing() -> None:
    batch = BatchSize(64)
    for _ in range(1 + TRIES):
        batch.took(1, 0.01)
    for _ in range(10):
        batch.took(1, 9.0)
    assert batch.size == 2


def test_memory_that_ends_ends_the_search() -> None:
    batch = BatchSize(64)
    while batch.size < 16:
        batch.took(batch.size, 0.01)
    assert batch.halve()
    for _ in range(20):
        batch.took(batch.size, 0.001)
    assert batch.size == 8
    batch.fix(1)
    assert not batch.halve()
    with pytest.raises(ValueError, match="at least one"):
        batch.fix(0)


@given(st.lists(st.floats(1e-4, 1.0), min_size=7, max_size=7), st.integers(1, 64))
def test_it_always_settles_within_its_limits(per_tile: list[float], largest: int) -> None:
    seconds = {2**i: s * 2**i for i, s in enumerate(per_tile)}
    size, most = found(seconds, largest)
    assert 1 <= size <= most <= largest
