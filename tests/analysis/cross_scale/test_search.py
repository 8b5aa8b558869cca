"""A place at one resolution is found at others."""

from __future__ import annotations

import numpy as np
import pytest

from napari_scalescope.analysis import cross_scale_search
from napari_scalescope.errors import EncoderError, SlideError

from .conftest import See


@pytest.mark.parametrize("through", ["vectors", "place"])
def test_the_place_finds_itself_at_every_resolution(
    see: See, world: np.ndarray, through: str
) -> None:
    # A smooth world: what surrounds a place is like it, so that its parent is too.
    bumps = np.stack([np.roll(world, s, (0, 1)) for s in range(8)]).mean(0)
    sets = {mpp: see(bumps, mpp) for mpp in (1, 2, 4)}
    for asked in (1, 2):
        emb = sets[asked]
        for tile in [(1, 2), (5, 3), (6, 6)]:
            x, y = emb.grid.centres([tile])[0]
            answers = cross_scale_search(emb, (x, y), sets.values(), through=through)  # type: ignore[arg-type]
            assert [a.mpp for a in answers] == [1.0, 2.0, 4.0]
            by_mpp = {a.mpp: a for a in answers}
            same = by_mpp[asked]
            assert same.own_rank == 0
            assert same.scores[0] == pytest.approx(1.0, abs=1e-5)
            assert tuple(same.tiles[0]) == tile
            if asked == 2:
                # Children are weighed together on the question's own grid.
                assert by_mpp[1.0].grid == emb.grid
                assert by_mpp[1.0].own_rank == 0
            coarsest = by_mpp[4.0].own_rank
            assert coarsest is not None
            assert coarsest <= (0 if through == "place" else 8)
            assert by_mpp[4.0].map.at(x, y) is not None


def test_answers_are_sorted_and_lie_where_they_say(see: See, world: np.ndarray) -> None:
    fine, coarse = see(world, 1), see(world, 2)
    (answer,) = cross_scale_search(fine, (9.0, 21.0), [coarse])
    assert (np.diff(answer.scores) <= 0).all()
    assert len(answer.tiles) == len(coarse)
    box = answer.boxes[0]
    assert answer.map.at(box[0] + 1, box[1] + 1) == pytest.approx(float(answer.scores[0]))
    assert answer.map.name == "Similarity at 2 µm/px"
    assert "mean of each resolution" in answer.map.legend


def test_vectors_may_be_asked_instead_of_a_place(see: See, world: np.ndarray) -> None:
    fine, coarse = see(world, 1), see(world, 2)
    (answer,) = cross_scale_search(coarse, coarse.vectors[10:12], [fine])
    assert answer.own_rank is None
    assert {tuple(t) for t in answer.tiles[:2]} == {tuple(t) for t in coarse.tiles[10:12]}
    with pytest.raises(EncoderError, match="no place"):
        cross_scale_search(coarse, coarse.vectors[:1], [fine], through="place")


def test_what_every_tile_of_a_resolution_has_is_taken_off(see: See, world: np.ndarray) -> None:
    shift = 9 * np.eye(12, dtype=np.float32)[2]
    fine, coarse = see(world, 1), see(world + shift, 2)
    place = tuple(coarse.grid.centres([(3, 3)])[0])
    (centred,) = cross_scale_search(coarse, place, [fine])
    (plain,) = cross_scale_search(coarse, place, [fine], centred=False)
    assert centred.scores[0] == pytest.approx(1.0, abs=1e-4)
    assert plain.scores[0] < 0.9
    assert "mean of each" not in plain.map.legend


def test_other_encoders_are_asked_through_the_place_only(see: See, world: np.ndarray) -> None:
    one, two = see(world, 1), see(-world[..., :7], 2, name="two")
    place = tuple(one.grid.centres([(4, 4)])[0])
    with pytest.raises(EncoderError, match="different spaces"):
        cross_scale_search(one, place, [two])
    (answer,) = cross_scale_search(one, place, [two], through="place")
    assert answer.own_rank == 0
    with pytest.raises(SlideError):
        cross_scale_search(one, place, [see(world, 2, slide="b")])


def test_places_that_are_not_encoded(see: See, world: np.ndarray) -> None:
    fine = see(world, 1, missing=((0, 0),))
    with pytest.raises(LookupError, match="place of the query"):
        cross_scale_search(fine, (1.0, 1.0), [fine])
    with pytest.raises(LookupError, match="place of the query"):
        cross_scale_search(fine, (-100.0, 1.0), [fine])
    coarse = see(world, 2, missing=((2, 2),))
    inside = tuple(coarse.grid.centres([(2, 2)])[0])
    (answer,) = cross_scale_search(fine, inside, [coarse])
    assert answer.own_rank is None
    with pytest.raises(LookupError, match="not encoded at 2 µm/px"):
        cross_scale_search(fine, inside, [coarse], through="place")
