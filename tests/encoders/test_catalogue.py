"""The catalogue is data that is checked."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from napari_scalescope.encoders import (
    DEFAULT_ENCODER,
    Entry,
    catalogue,
    find_entry,
    unreleased,
)
from napari_scalescope.encoders.weights import availability, find_weights
from napari_scalescope.errors import EncoderError


def test_the_default_needs_no_download() -> None:
    entry = catalogue()[DEFAULT_ENCODER]
    assert entry.trained
    assert availability(entry, None) == "built in"
    weights = find_weights(entry, None)
    assert weights is not None
    assert weights.stat().st_size < 16e6
    assert (weights.parent / "MODEL_CARD.md").is_file()


def test_by_name_in_any_case() -> None:
    assert find_entry("UNI2-h") is find_entry("uni2-h") is catalogue()["uni2-h"]


def test_an_unknown_name_suggests_close_ones() -> None:
    with pytest.raises(EncoderError, match="virchow2"):
        find_entry("virchov2")
    with pytest.raises(EncoderError, match="scalescope encoders"):
        find_entry("qqqqqq")


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 5},
        {"input_px": 225},
        {"seed": None},
        {"embedding": "sum"},
        {"embedding": "head"},
        {"head": "mlp"},
        {"tokens": {"cls": 0, "registers": 0}},
        {"embedding_blocks": {"cls": 0}},
        {"colour": "blue"},
        {"id": "With Spaces"},
    ],
)
def test_entries_that_contradict_themselves_are_refused(change: dict[str, object]) -> None:
    good = catalogue()["untrained"].model_dump()
    Entry.model_validate(good)
    with pytest.raises(ValidationError):
        Entry.model_validate({**good, **change})


def test_encoders_whose_weights_are_elsewhere_name_their_place_and_licence() -> None:
    for entry in catalogue().values():
        if entry.trained and entry.packaged is None:
            assert entry.files
            assert entry.licence
            assert entry.hub or not entry.gated


@pytest.mark.parametrize("name", list(unreleased()))
def test_an_encoder_that_is_not_released_says_what_would_have_to_appear(name: str) -> None:
    absent = unreleased()[name]
    assert name not in catalogue()
    with pytest.raises(EncoderError, match="not released") as caught:
        find_entry(absent.name)
    assert "would have to appear" in caught.value.remedy
    expected = absent.entry()
    if expected is not None:
        assert find_entry(name, has_weights=True) == expected
        assert (expected.id, expected.hub, expected.native_mpp) == (name, None, ())
