"""Asking: for and against, by places, regions and pictures; what survives, and what follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image

from napari_scalescope.geometry import Box
from napari_scalescope.regions import Regions
from napari_scalescope.session import Area, Picture, Question, Session, Spot, View, Words
from napari_scalescope.session import resources as resources_module

from ..embeddings.fake import FakeEncoder
from ..slides.memory import coloured_slide, memory_slide

VIEW = View(Box(600, 500, 1300, 1000), 0.5)
LEFT, RIGHT = Spot(900.0, 800.0), Spot(1700.0, 800.0)


@pytest.fixture
def asking(session: Session) -> Session:
    """A session that has encoded both halves of the slide, and shows similarity of tiles."""
    session.set_live(True)
    session.set_view(VIEW)
    session.show("similarity", tokens=False)
    assert session.wait(30)
    return session


def failures(session: Session) -> list[str]:
    log: list[str] = []
    session.failed.connect(lambda error: log.append(str(error)))
    return log


def score(session: Session, spot: Spot) -> float:
    assert session.wait(30)
    assert session.map.found is not None
    return float(session.map.found.at(spot.x, spot.y))


def test_a_question_is_a_value() -> None:
    asked = Question((LEFT,)).also(RIGHT).also(LEFT)
    assert asked.positives == (RIGHT, LEFT)
    against = asked.unlike(RIGHT)
    assert (against.positives, against.negatives) == ((LEFT,), (RIGHT,))
    assert against.also(RIGHT).negatives == ()
    assert not against.without(LEFT)
    assert against.without(LEFT).negatives == (RIGHT,)
    assert (against.place, against.text) == ((900, 800), "")
    assert Question((Words("fat"), LEFT)).text == "fat"
    assert against == Question((Spot(900, 800),), (Spot(1700, 800),))
    assert Question((LEFT,), (RIGHT,)).title == "Like Place 900, 800 and 1 more"
    region = Area(shapely.box(0, 0, 9, 9), "drawn")
    assert Question((region,)) == Question((Area(shapely.box(0, 0, 9, 9), "drawn"),))


def test_for_and_against(asking: Session) -> None:
    asking.questions.ask(LEFT.x, LEFT.y)
    alone = score(asking, RIGHT)
    asking.questions.unlike_here(RIGHT.x, RIGHT.y)
    assert score(asking, RIGHT) < 0 < score(asking, LEFT)
    assert asking.map.found.unit == "cosine difference"
    asking.questions.also_here(RIGHT.x, RIGHT.y)
    assert score(asking, RIGHT) == pytest.approx(1, abs=1e-3)
    assert alone < 0.999
    asking.questions.remove(LEFT)
    assert asking.questions.asked == Question((RIGHT,))
    asking.questions.forget()
    asking.map.refresh()
    assert asking.wait(30)
    assert asking.map.found is None


def test_a_region(asking: Session) -> None:
    asking.questions.ask_region(shapely.box(700, 600, 1100, 1000), "stroma")
    assert score(asking, LEFT) > score(asking, RIGHT)
    asking.show("similarity", tokens=True)
    assert score(asking, LEFT) > score(asking, RIGHT)


@pytest.mark.parametrize("tokens", [False, True])
def test_a_place_out_of_sight_is_encoded_for_the_question(asking: Session, tokens: bool) -> None:
    asking.show("similarity", tokens=tokens)
    asking.set_live(False)
    far = Spot(500.0, 1650.0)  # of the left kind, not encoded
    asking.questions.put(Question((far,)))
    assert score(asking, LEFT) > score(asking, RIGHT)
    emb = asking.embeddings()
    assert emb is not None
    assert emb.index_of([emb.grid.tile_at(far.x, far.y)])[0] < 0
    # It is what the set will hold of it.
    read = asking.questions.readings.pixels(far, asking.slide, emb.grid, asking.encoder)
    asking.encode_slide()
    assert asking.wait(60)
    emb = asking.embeddings()
    index = emb.index_of([emb.grid.tile_at(far.x, far.y)])
    np.testing.assert_allclose(read.vector, emb.take(index)[0], atol=2e-3)


def picture(folder: Path, slide: Any, box: Box) -> Path:
    path = folder / "query.png"
    Image.fromarray(slide.read(box)).save(path)
    return path


@pytest.mark.parametrize("tokens", [False, True])
def test_an_image_file(asking: Session, tmp_path: Path, tokens: bool) -> None:
    asking.show("similarity", tokens=tokens)
    path = picture(tmp_path, asking.slide, Box(1500, 700, 200, 140))
    asking.questions.ask_image(path)
    assert score(asking, RIGHT) > score(asking, LEFT)
    said = asking.map.found.legend
    assert "query.png taken to be at 0.5 µm/px, as it does not say" in said
    assert "the mean of 6 tiles" in said
    asking.questions.ask_image(path, mpp=0.25)
    assert score(asking, RIGHT) > score(asking, LEFT)
    assert "brought from 0.25 to 0.5 µm/px" in asking.map.found.legend


def test_a_small_image_is_mirrored_and_a_slide_is_none(asking: Session, tmp_path: Path) -> None:
    log = failures(asking)
    asking.questions.ask_image(picture(tmp_path, asking.slide, Box(1500, 700, 40, 30)))
    assert score(asking, RIGHT) > score(asking, LEFT)
    assert "mirrored to fill a tile of 64 px" in asking.map.found.legend
    asking.questions.ask_image(picture(tmp_path, asking.slide, Box(600, 500, 1300, 1000)))
    assert asking.wait(30)
    assert "no example is so large" in log[0]
    asking.questions.ask_image(tmp_path / "nothing.png")
    assert len(log) == 2


def test_a_place_on_another_slide(asking: Session) -> None:
    other = coloured_slide(1500, 1200, mpp=0.25)
    asking.questions.ask_elsewhere(other, 1000, 600)
    assert score(asking, RIGHT) > score(asking, LEFT)
    assert "memory read at 0.5 µm/px" in asking.map.found.legend
    log = failures(asking)
    asking.questions.ask_elsewhere(memory_slide(np.full((90, 90, 3), 200, np.uint8), None), 9, 9)
    assert asking.wait(30)
    assert "does not say how many µm" in log[0]


def test_a_question_survives_scale_and_encoder(
    asking: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking.questions.ask_image(picture(tmp_path, asking.slide, Box(1500, 700, 200, 140)))
    asking.questions.unlike_here(LEFT.x, LEFT.y)
    asked = asking.questions.asked
    asking.choose_scale((1.0,))
    assert score(asking, RIGHT) > 0 > score(asking, LEFT)
    assert "taken to be at 1 µm/px" in asking.map.found.legend
    other = FakeEncoder()
    other.weights_sha256 = "0" * 64
    monkeypatch.setattr(resources_module, "load_encoder", lambda *_, **__: other)
    asking.choose_encoder("uni")
    assert score(asking, RIGHT) > 0 > score(asking, LEFT)
    assert asking.questions.asked == asked
    assert isinstance(asked.positives[0], Picture)


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("measure", ["cosine", "whitened", "rank"])
def test_measures(asking: Session, tokens: bool, measure: str) -> None:
    asking.show("similarity", tokens=tokens, measure=measure)
    asking.questions.ask(LEFT.x, LEFT.y)
    assert score(asking, LEFT) > score(asking, RIGHT)
    assert (asking.map.found.limits == (0, 100)) == (measure == "rank")


def test_a_threshold_dims_and_becomes_regions(asking: Session) -> None:
    outlined: list[tuple[Regions, float]] = []
    asking.questions.outlined.connect(lambda found, area: outlined.append((found, area)))
    asking.questions.ask(LEFT.x, LEFT.y)
    asking.questions.outline()
    assert asking.wait(30)
    assert outlined == []  # without a threshold there is nothing to outline
    threshold = (score(asking, LEFT) + score(asking, RIGHT)) / 2
    asking.show("similarity", threshold=threshold)
    assert asking.wait(30)
    shown = asking.map.found
    above = shown.values >= threshold
    assert shown.area_mm2 == pytest.approx(above.sum() * 0.032**2)
    asking.questions.outline()
    assert asking.wait(30)
    regions, area = outlined[0]
    assert area == pytest.approx(shown.area_mm2)
    every = shapely.union_all([r.geometry for r in regions])
    assert every.contains(shapely.Point(LEFT.x, LEFT.y))
    assert not every.intersects(shapely.Point(RIGHT.x, RIGHT.y))
    # Counter-examples make other numbers of it; a further example does not.
    asking.questions.also_here(LEFT.x + 100, LEFT.y)
    assert asking.look.similarity.threshold == threshold
    asking.questions.unlike_here(RIGHT.x, RIGHT.y)
    assert asking.look.similarity.threshold is None


def test_hits_go_round(asking: Session) -> None:
    hits: list[Any] = []
    asking.questions.hit_found.connect(hits.append)
    asking.questions.next()
    assert asking.wait(30)
    assert hits == []  # nothing is asked
    asking.questions.ask(LEFT.x, LEFT.y)
    best: list[Any] = []
    asking.questions.hits_found.connect(best.append)
    asking.questions.top(5)
    for _ in range(3):
        asking.questions.next()
        assert asking.wait(30)
    assert [h.rank for h in hits] == [1, 2, 3]
    assert best[0][:3] == hits
    assert len(best[0]) == 5
    centres = np.array([h.box.centre for h in best[0]] + [(LEFT.x, LEFT.y)])
    gaps = np.linalg.norm(centres[:, None] - centres, axis=-1)[~np.eye(6, dtype=bool)]
    assert gaps.min() > 1.5 * best[0][0].box.w
    assert all(x < 1300 for x, _ in centres)  # of its own kind
    for _ in range(len(asking.questions.hits)):
        asking.questions.next()
        assert asking.wait(30)
    assert hits[-1].rank == 3
    asking.questions.ask(RIGHT.x, RIGHT.y)
    asking.questions.next()
    assert asking.wait(30)
    assert hits[-1].rank == 1
    assert hits[-1].box.centre[0] > 1300


def test_another_slide_is_another_question(asking: Session) -> None:
    asking.questions.ask(LEFT.x, LEFT.y)
    asking.questions.top()
    assert asking.wait(30)
    asking.set_slide(coloured_slide(1500, 1200))
    assert not asking.questions.asked
    assert asking.questions.hits == []
