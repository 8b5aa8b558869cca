"""What stands between a picture and the truth, in words."""

from __future__ import annotations

import pytest

from napari_scalescope.encoders import catalogue
from napari_scalescope.session import trust

from ..slides.conftest import smooth_picture
from ..slides.memory import memory_slide


def said(name: str, mpp: float, slide_mpp: float = 0.25) -> dict[str, bool]:
    slide = memory_slide([smooth_picture(800, 800), smooth_picture(200, 200)], slide_mpp)
    return {r.text: r.doubtful for r in trust(slide, catalogue()[name], None, mpp)}


def test_an_untrained_encoder_is_labelled() -> None:
    assert any("random weights" in t and doubt for t, doubt in said("untrained", 0.5).items())


@pytest.mark.parametrize(
    ("name", "mpp", "doubtful"),
    [("uni2-h", 0.5, False), ("uni2-h", 0.6, False), ("uni2-h", 2.0, True),
     ("uni2-h", 0.25, True), ("kaiko-vits16", 2.0, False), ("kaiko-vits16", 8.0, True),
     ("dinov2-s", 0.5, True)],
)  # fmt: skip
def test_resolution_used_against_resolution_trained(name: str, mpp: float, doubtful: bool) -> None:
    remarks = said(name, mpp)
    about = [t for t in remarks if "trained" in t.lower()]
    assert len(about) == 1
    assert remarks[about[0]] is doubtful


def test_an_encoder_of_photographs_is_told_from_one_of_unsaid_resolution() -> None:
    slide = memory_slide(smooth_picture(300, 300))
    told = {n: trust(slide, catalogue()[n], None, 0.5)[0] for n in ("dinov2-s", "plip")}
    assert told["dinov2-s"].doubtful
    assert "photographs" in told["dinov2-s"].text
    assert not told["plip"].doubtful
    assert "do not say" in told["plip"].text


def test_resampling_is_named() -> None:
    assert "Read from level 0 (0.25 µm/px), reduced 2×" in said("uni", 0.5)
    assert "Read from level 1 (1 µm/px)" in said("uni", 1.0)
    enlarged = [t for t in said("uni", 0.1) if t.startswith("Enlarged")]
    assert said("uni", 0.1)[enlarged[0]] is True


def test_doubts_about_the_slide_are_passed_on() -> None:
    slide = memory_slide(smooth_picture(800, 800), 0.25)
    slide.set_mpp(0.3)
    texts = [r.text for r in trust(slide, catalogue()["uni"], None, 0.5)]
    assert "Slide resolution set by hand" in texts
    assert "Tile 224 px = 112 µm, edges padded with white" in texts


def test_how_near_the_numbers_come_to_float32_is_said() -> None:
    slide = memory_slide(smooth_picture(800, 800), 0.25)
    near, far = (
        trust(slide, catalogue()["uni"], None, 0.5, cosine=c)[-1] for c in (0.999938, 0.998999)
    )
    assert (near.text, near.doubtful) == ("cosine to float32 0.99993", False)
    assert (far.text, far.doubtful) == ("cosine to float32 0.99899", True)


def test_tiles_it_was_not_made_for_are_doubtful() -> None:
    slide, entry = memory_slide(smooth_picture(800, 800), 0.25), catalogue()["midnight-12k"]
    doubts = [
        [r.text for r in trust(slide, entry, None, 0.5, px) if "Made for" in r.text]
        for px in (224, 392, 448)
    ]
    assert doubts == [[], [], ["Made for tiles of 224 px, not of 448 px"]]


def test_other_magnifications_that_a_map_is_made_of_are_doubted_too() -> None:
    slide = memory_slide(smooth_picture(800, 800), 0.25)

    def doubts(name: str, *also: float) -> list[str]:
        return [r.text for r in trust(slide, catalogue()[name], None, 0.5, also=also) if r.doubtful]

    assert doubts("uni2-h") == doubts("uni2-h", 0.6) == []
    for text, mpp in zip(doubts("uni2-h", 2.0, 4.0), (2, 4), strict=True):
        assert text.startswith(f"Seen at {mpp} µm/px, trained at")
    assert doubts("untrained", 8.0) == doubts("untrained")
