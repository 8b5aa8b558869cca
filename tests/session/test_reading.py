"""A text is a question: from the words to the map, with a small encoder that sees and reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.encoders import Encoder, Entry, loading
from napari_scalescope.encoders.remembered import accept_licence
from napari_scalescope.encoders.text import TextTower
from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View
from napari_scalescope.session import session as session_module
from napari_scalescope.settings import Settings

from ..encoders.test_text import conch_file, open_clip_file
from ..encoders.two_towers import small
from ..slides.memory import coloured_slide

pytest.importorskip("open_clip")

VIEW = View(Box(0, 0, 1400, 1200), 0.5)


def reading(
    entry: Entry, weights: Path, tmp_path: Path, patch: pytest.MonkeyPatch
) -> Iterator[Session]:
    for module in (loading, session_module):
        patch.setattr(module, "find_entry", lambda *_, **__: entry)
    settings = Settings(
        store_folder=tmp_path / "store",
        encoder_folder=tmp_path / "encoders",
        device="cpu",
        precision="fp32",
    )
    accept_licence(entry, settings.encoder_folder)
    with Session(settings) as session:
        session.choose_encoder(entry.id, weights)
        session.set_slide(coloured_slide(1400, 1200))
        session.choose_scale((0.5,))
        session.set_view(VIEW)
        yield session


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    entry = small("pathgen-clip")
    path, _ = open_clip_file(tmp_path, entry)
    yield from reading(entry, path, tmp_path, monkeypatch)


@pytest.fixture
def conch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    changes = {"vocabulary": 300, "context": 40}
    entry = small("conch", args={"img_size": 224}, input_px=224, text=changes)
    path, *_ = conch_file(tmp_path, entry)
    yield from reading(entry, path, tmp_path, monkeypatch)


def failures(session: Session) -> list[str]:
    log: list[str] = []
    session.failed.connect(lambda error: log.append(str(error)))
    return log


@pytest.mark.parametrize("which", ["clip", "conch"])
def test_a_text_becomes_a_map(which: str, request: pytest.FixtureRequest) -> None:
    session: Session = request.getfixturevalue(which)
    log = failures(session)
    session.questions.ask_text("  lymphocytes \n")
    assert session.wait(60)
    assert log == []
    assert session.questions.asked.text == "lymphocytes"
    assert session.questions.asked.place is None
    assert session.look.overlay == "similarity"
    assert session.map.found is not None
    assert session.map.found.name == "“lymphocytes”"
    emb, encoder = session.embeddings(), session.encoder
    assert emb is not None
    assert isinstance(encoder, Encoder)
    vector = encoder.text.vectors(["lymphocytes"])[0]
    # What is shown is the cosine after the projection, where the encoder has one.
    expected = encoder.text.images(emb.vectors) @ vector
    shown = session.map.found.values[emb.tiles[:, 0], emb.tiles[:, 1]]
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    if which == "conch":
        plain = emb.vectors.astype(np.float32)
        plain = plain / np.linalg.norm(plain, axis=1, keepdims=True) @ vector
        assert np.abs(shown - plain).max() > 0.01


def test_a_place_and_a_text_take_turns(clip: Session) -> None:
    clip.questions.ask_text("fat")
    assert clip.wait(60)
    clip.questions.ask(700, 600)
    assert clip.questions.asked.text == ""
    assert clip.wait(60)
    assert clip.map.found is not None
    assert clip.map.found.name == "Similarity"
    clip.questions.ask_text("mucin")
    assert clip.questions.asked.place is None
    assert clip.wait(60)
    assert clip.map.found.name == "“mucin”"
    clip.show("attention")
    assert clip.wait(60)
    assert clip.map.found.name.startswith("Attention")
    clip.questions.ask_text("   ")
    assert clip.questions.asked.text == "mucin"


def test_a_text_that_is_read_too_late_is_not_answered(
    clip: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go = threading.Event(), threading.Event()
    vectors = TextTower.vectors

    def slow(tower: TextTower, texts: list[str]) -> np.ndarray:
        entered.set()
        assert go.wait(30)
        return vectors(tower, texts)

    monkeypatch.setattr(TextTower, "vectors", slow)
    clip.questions.ask_text("fat")
    assert entered.wait(30)
    clip.questions.ask(700, 600)
    go.set()
    assert clip.wait(60)
    assert clip.map.found is not None
    assert clip.map.found.name == "Similarity"


def test_another_encoder_reads_the_text_anew(clip: Session) -> None:
    clip.questions.ask_text("fat")
    assert clip.wait(60)
    before, weights = clip.encoder, clip._resources._weights
    clip.choose_encoder("pathgen-clip", weights)
    assert clip.map.found is None
    clip.encode_view()
    assert clip.wait(60)
    assert clip.encoder is not before
    assert clip.map.found is not None
    assert clip.map.found.name == "“fat”"


def test_an_encoder_that_reads_nothing_says_so(clip: Session) -> None:
    log = failures(clip)
    clip._resources.entry = clip.entry.model_copy(update={"text": None})
    clip.questions.ask_text("fat")
    assert clip.wait(60)
    assert clip.questions.asked.text == ""
    assert clip.look.overlay != "similarity"
    assert len(log) == 1
    assert "reads no texts" in log[0]


def test_a_vocabulary_that_is_missing_is_told(conch: Session, tmp_path: Path) -> None:
    (tmp_path / "conch_byte_level_bpe_uncased.json").unlink()
    log = failures(conch)
    conch.questions.ask_text("fat")
    assert conch.wait(60)
    assert any("conch_byte_level_bpe_uncased.json" in text for text in log)
    assert conch.map.found is None
    assert not conch.status.busy
