"""What was found opens at the right place of the right slide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_scalescope import Cohort, Hit, Session, TileGrid, open_hit
from napari_scalescope.embeddings import Store
from napari_scalescope.embeddings.pipeline import fill
from napari_scalescope.errors import SlideError
from napari_scalescope.settings import Settings
from napari_scalescope.slides import open_slide

from ..embeddings.fake import FakeEncoder
from ..slides.conftest import write_pyramid
from ..slides.memory import coloured_slide

pytest.importorskip("pyarrow")


def written(path: Path, turned: bool, mpp: float | None = 0.5) -> Path:
    pixels = coloured_slide(900, 700).read_level(0, 0, 0, 900, 700)
    path.parent.mkdir(exist_ok=True)
    write_pyramid(path, pixels[:, ::-1] if turned else pixels, mpp=mpp, compression="deflate")
    return path


@pytest.fixture
def slides(tmp_path: Path) -> list[Path]:
    return [written(tmp_path / "slides" / f"{n}.tif", n == "b") for n in "ab"]


@pytest.fixture
def store(tmp_path: Path, slides: list[Path]) -> Path:
    for path in slides:
        with open_slide(path) as slide:
            stored = Store(tmp_path / "store").open_set(
                slide,
                FakeEncoder(),  # type: ignore[arg-type]
                TileGrid.cover(slide, 0.5, 64),
            )
            fill(slide, FakeEncoder(), stored, None)  # type: ignore[arg-type]
    return tmp_path / "store"


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = []
    with Session(Settings(store_folder=tmp_path / "own", encoder_folder=tmp_path / "e")) as made:
        made.slide_changed.connect(lambda: opened.append(made.slide))
        yield made
    for slide in filter(None, opened):
        slide.close()


def hit_of(cohort: Cohort, slide: str = "a") -> Hit:
    """The best tile of a slide for what lies in the left of slide a."""
    chosen = cohort.select()
    found = chosen.search(chosen.vector_at("a", 300, 300), 1, exclude={"a", "b"} - {slide})
    return next(iter(found))


def test_a_hit_opens_its_slide_at_its_place(
    session: Session, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    cohort = Cohort.scan([store], tmp_path / "c.parquet", slides=[tmp_path / "slides"])
    assert [r.place for r in cohort.rows] == [str(p) for p in slides]
    hit = hit_of(cohort, "b")
    assert hit.box.x > 450 - 64  # b is a, turned around
    view = open_hit(session, hit)
    assert session.slide is not None
    assert session.slide.path == slides[1]
    assert session.on_screen == view
    assert view.mpp == 0.5
    assert view.box.centre == hit.box.centre
    assert view.box.w == 3 * 64
    # What is seen there is what was embedded.
    seen = FakeEncoder().encode(session.slide.read(hit.box, mpp=0.5)[None]).embedding[0]
    asked = cohort.select().vector_at("a", 300, 300)
    cosine = seen @ asked / np.linalg.norm(seen) / np.linalg.norm(asked)
    assert cosine == pytest.approx(hit.cosine, abs=1e-3)
    # The next hit on the same slide needs no opening.
    before = session.slide
    open_hit(session, hit)
    assert session.slide is before


def test_a_slide_that_is_nowhere_is_named(
    session: Session, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    cohort = Cohort.scan([store], tmp_path / "c.parquet")
    hit = hit_of(cohort)
    with pytest.raises(SlideError, match=r"a\.tif was not found; the cohort does not say") as said:
        open_hit(session, hit)
    assert "slides=[folder]" in str(said.value)
    open_hit(session, hit, [tmp_path])
    assert session.slide is not None
    assert session.slide.path == slides[0]
    open_hit(session, hit_of(cohort, "b"), [slides[1]])
    assert session.slide.path == slides[1]


def test_another_slide_of_the_same_name_is_not_taken(
    session: Session, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    other = written(tmp_path / "others" / "a.tif", turned=True)
    cohort = Cohort.scan([store], tmp_path / "c.parquet", slides=[other])
    with pytest.raises(SlideError, match="another slide of the same name"):
        open_hit(session, hit_of(cohort))
    assert session.slide is None
    # Of several of that name, the right one.
    cohort = Cohort.scan([store], tmp_path / "c.parquet", slides=[tmp_path])
    assert cohort.rows[0].place == str(slides[0])
    open_hit(session, hit_of(cohort), [tmp_path])
    assert session.slide is not None
    assert session.slide.path == slides[0]


def test_a_slide_that_was_moved_or_is_damaged(
    session: Session, store: Path, slides: list[Path], tmp_path: Path
) -> None:
    cohort = Cohort.scan([store], tmp_path / "c.parquet", slides=[tmp_path / "slides"])
    hit = hit_of(cohort)
    slides[0].rename(tmp_path / "a.tif")
    with pytest.raises(SlideError, match=r"There is no file"):
        open_hit(session, hit)
    open_hit(session, hit, [tmp_path])
    slides[0].write_bytes(b"nothing")
    session.set_slide(None)
    with pytest.raises(SlideError, match=r"was not found"):
        open_hit(session, hit)


def test_a_resolution_that_was_given_is_given_again(session: Session, tmp_path: Path) -> None:
    path = written(tmp_path / "slides" / "plain.tif", turned=False, mpp=None)
    with open_slide(path, mpp=0.25) as slide:
        stored = Store(tmp_path / "store").open_set(
            slide,
            FakeEncoder(),  # type: ignore[arg-type]
            TileGrid.cover(slide, 0.5, 64),
        )
        fill(slide, FakeEncoder(), stored, None)  # type: ignore[arg-type]
    cohort = Cohort.scan([tmp_path / "store"], tmp_path / "c.parquet", slides=[path])
    hit = next(iter(cohort.search(cohort.select().vector_at("plain", 300, 300), 1)))
    assert hit.box.w == 128
    open_hit(session, hit)
    assert session.slide is not None
    assert session.slide.mpp == 0.25
