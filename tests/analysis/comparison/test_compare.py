"""A whole comparison of two encoders of which it is known what they see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import box

from napari_scalescope.analysis.comparison import Comparison, compare_encoders, recognised
from napari_scalescope.analysis.measures import measure_of
from napari_scalescope.analysis.robustness import PERTURBATIONS
from napari_scalescope.encoders import Encoding
from napari_scalescope.errors import ResolutionError
from napari_scalescope.regions import Region, Regions

from ...embeddings.fake import FakeEncoder
from ...slides.conftest import smooth_picture
from ...slides.memory import memory_slide

MPPS = (0.5, 1.0)
SIDE = 1536


class Blind(FakeEncoder):
    """Sees the number of the tile it is given, and nothing of it."""

    entry = FakeEncoder.entry.model_copy(update={"id": "blind", "name": "Blind"})
    name = "blind"

    def encode(self, pixels: Any, keep: Any = ()) -> Encoding:
        self.encoded += len(pixels)
        sums = pixels.astype(np.uint64).sum((1, 2, 3)).tolist()
        vectors = np.stack([np.random.default_rng(s).normal(size=6) for s in sums])
        return Encoding(vectors.astype(np.float32), None, None)


@pytest.fixture(scope="module")
def slide() -> Any:
    return memory_slide(smooth_picture(SIDE, SIDE), mpp=0.5)


def stripes() -> Regions:
    return Regions(
        [
            Region(box(x, 0, x + 192, SIDE), "ab"[(x // 192) % 2]) for x in range(0, SIDE, 192)
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(slide: Any, tmp_path_factory: Any) -> tuple[Comparison, Any, Path]:
    encoders: Any = [FakeEncoder(), Blind()]
    store = tmp_path_factory.mktemp("store")
    made = compare_encoders(
        slide, encoders, MPPS, stripes(), store=store, tissue=False, block_um=192
    )
    return made, encoders, store


def test_every_number_is_of_something_and_within_its_range(found: Any) -> None:
    comparison = found[0]
    assert comparison.encoders == ["fake", "blind"]
    assert comparison.mpps == list(MPPS)
    for n in comparison.numbers:
        measure = measure_of(n.measure)
        assert measure.low - 1e-6 <= n.value <= measure.high + 1e-6, n
        assert n.n > 1, n
        if n.low is not None:
            assert n.low <= n.value <= n.high, n
    for name in comparison.encoders:
        for mpp in MPPS:
            for key in ("rank", "hubness", "uniformity", "speed", "auc, kNN",
                        *(f"drift, {p}" for p in PERTURBATIONS)):  # fmt: skip
                assert comparison.of(key, name, mpp) is not None, (key, name, mpp)
    pairs = {(n.measure, n.mpp) for n in comparison.numbers if n.other == "blind"}
    assert {("cka", 0.5), ("cka", 1.0), ("neighbours", 1.0), ("ari", 0.5)} <= pairs


def test_who_sees_nothing_is_found_out(found: Any) -> None:
    of, drift = found[0], "drift, flip"
    assert of.of(drift, "fake", 0.5).value < 1e-6
    assert of.of(drift, "blind", 0.5).value == pytest.approx(0, abs=1e-6)  # sums do not flip
    assert of.of("drift, blur", "fake", 0.5).value < 0.1
    assert of.of("drift, blur", "blind", 0.5).value > 0.7
    again = {n.encoder: n.value for n in of.numbers if n.measure == "same place"}
    assert again["fake"] > 0.9
    assert again["blind"] < 0.2
    cka = next(n for n in of.numbers if n.measure == "cka" and n.mpp == 0.5)
    assert abs(cka.value) < 0.1


def test_what_the_store_has_is_not_computed_again(found: Any, slide: Any) -> None:
    first, encoders, store = found
    before = [e.encoded for e in encoders]
    told: list[tuple[str, float]] = []
    again = compare_encoders(
        slide, encoders, MPPS, store=store, tissue=False, perturbations=(),
        report=lambda what, share: told.append((what, share)),
    )  # fmt: skip
    speed = sum(4 * min(32, len(again.sets["fake", m])) for m in MPPS)
    assert [e.encoded - b for e, b in zip(encoders, before, strict=True)] == [speed, speed]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert again.labelled == {}
    for key, emb in first.sets.items():
        np.testing.assert_array_equal(again.sets[key].vectors, emb.vectors)


def test_without_a_store_nothing_is_left(slide: Any) -> None:
    fake: Any = FakeEncoder()
    made = compare_encoders(slide, [fake], (1.0,), tissue=False, perturbations=("flip",))
    assert len(made.sets["fake", 1.0].vectors) == len(made.sets["fake", 1.0].tiles)


def test_labels_that_cannot_be_tested_are_noted(slide: Any, tmp_path: Path) -> None:
    fake: Any = FakeEncoder()
    regions = Regions([Region(box(0, 0, 300, 300), "a"), Region(box(300, 0, 600, 300), "b")])
    made = compare_encoders(slide, [fake], (0.5,), regions, tissue=False, perturbations=())
    assert len(made.notes) == 1
    assert "0.5 µm/px" in made.notes[0]


def test_recognition_is_chance_for_shuffled_vectors(found: Any) -> None:
    sets = found[0].sets
    coarse, fine = sets["fake", 1.0], sets["fake", 0.5]
    assert recognised(coarse, fine).mean() > 0.9
    shuffled = np.random.default_rng(0).permutation(coarse.vectors)
    other = type(coarse)(shuffled, coarse.tiles, coarse.grid, coarse.state, coarse.provenance)
    assert recognised(other, fine).mean() < 0.1


def test_an_encoder_twice_and_a_slide_of_unknown_resolution_are_refused(slide: Any) -> None:
    fake: Any = FakeEncoder()
    with pytest.raises(ValueError, match="once"):
        compare_encoders(slide, [fake, fake])
    with pytest.raises(ResolutionError):
        compare_encoders(memory_slide(smooth_picture(100, 100), mpp=None), [fake])
