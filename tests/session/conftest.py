"""A session with a fast encoder, a slide in memory and a store in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from napari_scalescope.session import Session
from napari_scalescope.session import resources as resources_module
from napari_scalescope.settings import Settings

from ..embeddings.fake import FAKE, FakeEncoder
from ..slides.memory import coloured_slide


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: FakeEncoder
) -> Iterator[Session]:
    monkeypatch.setattr(resources_module, "load_encoder", lambda *_, **__: encoder)
    with Session(Settings(store_folder=tmp_path / "store")) as made:
        made._resources.choose_encoder(FAKE, None)
        made.set_slide(coloured_slide(2600, 2000))
        yield made


@pytest.fixture
def said(session: Session) -> list[str]:
    """What the session signals, in order."""
    log: list[str] = []
    session.map.changed.connect(lambda: log.append("map"))
    session.failed.connect(lambda error: log.append(f"failed: {error}"))
    session.groups.changed.connect(lambda: log.append("clusters"))
    session.points.changed.connect(lambda: log.append("projection"))
    session.selection.changed.connect(lambda: log.append("selection"))
    return log
