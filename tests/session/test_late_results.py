"""What was begun for one slide, encoder or scale never counts for the next."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.embeddings import Store
from napari_scalescope.errors import UnreachableError
from napari_scalescope.geometry import Box, TileGrid
from napari_scalescope.session import Session, View
from napari_scalescope.session import resources as resources_module
from napari_scalescope.session.findings import groups, mil, points
from napari_scalescope.session.overlays import attention
from napari_scalescope.session.resources import Resources
from napari_scalescope.settings import Settings

from ..embeddings.fake import FAKE, FakeEncoder
from ..slides.memory import coloured_slide, memory_slide

VIEW = View(Box(600, 500, 700, 600), 0.5)


class Gate:
    """Holds a function up in the middle, so that something can happen meanwhile."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.entered, self._open, self._function = threading.Event(), threading.Event(), function

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.entered.set()
        assert self._open.wait(10)
        return self._function(*arguments, **options)

    def meanwhile(self, act: Callable[[], Any]) -> None:
        assert self.entered.wait(10)
        act()
        self._open.set()


def other_slide() -> Any:
    pixels = coloured_slide(2600, 2000).read_level(0, 0, 0, 2600, 2000)
    return memory_slide(255 - pixels[::-1])


@pytest.fixture
def encoded(session: Session) -> Session:
    session.choose_scale((0.5,))
    session.set_view(VIEW)
    session.encode_view()
    assert session.wait(30)
    return session


def test_a_slide_chosen_while_the_encoder_loads_gets_its_own_store(
    session: Session, encoder: FakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = coloured_slide(2600, 2000), other_slide()
    load = Gate(lambda *_, **__: encoder)
    monkeypatch.setattr(resources_module, "load_encoder", load)
    session.choose_scale((0.5,))
    session.set_slide(before)
    session.set_live(True)
    session.set_view(VIEW)

    def switch() -> None:
        session.set_slide(after)
        session.set_view(VIEW)

    load.meanwhile(switch)
    assert session.wait(30)
    emb = session.embeddings()
    assert emb is not None
    assert emb.provenance["slide"]["fingerprint"] == after.fingerprint
    session.close()
    for slide in (before, after):
        grid = TileGrid.cover(slide, 0.5, 64)
        kept = Store(tmp_path / "store").open_set(slide, encoder, grid).embeddings()  # type: ignore[arg-type]
        pixels = [slide.read(grid.box(*t), size=(64, 64)) for t in kept.tiles.tolist()]
        if pixels:
            true = FakeEncoder().encode(np.stack(pixels), ()).embedding
            np.testing.assert_allclose(kept.vectors, true, atol=1e-3)


def test_sets_are_kept_only_for_what_is_current(tmp_path: Path, encoder: FakeEncoder) -> None:
    made = Resources(Settings(store_folder=tmp_path), FAKE, lambda _: None, lambda: None)
    old, new = coloured_slide(), other_slide()
    made.use_slide(new)
    made.encoder = encoder  # type: ignore[assignment]
    overtaken = made.require_set(old, encoder, 0.5)  # type: ignore[arg-type]
    assert overtaken.provenance["slide"]["fingerprint"] == old.fingerprint
    assert made.set_at(0.5) is None
    kept = made.require_set(new, encoder, 0.5)  # type: ignore[arg-type]
    assert made.set_at(0.5) is kept
    assert made.require_set(new, encoder, 0.5) is kept  # type: ignore[arg-type]
    made.require_set(new, FakeEncoder(), 1.0)  # type: ignore[arg-type]
    assert made.set_at(1.0) is None
    new.set_mpp(0.4)
    assert made.set_at(0.5) is None


def with_head(session: Session) -> Session:
    """A session whose slide-level head looks at every tile alike."""
    attention = staticmethod(lambda vectors: np.zeros((len(vectors), 1), np.float32))
    facts = {"name": "even", "dim": 6, "branches": ("attention",), "attention": attention}
    session.mil.head = type("Even", (), facts)()
    return session


@pytest.mark.parametrize("change", ["slide", "encoder", "resolution", "close"])
@pytest.mark.parametrize(
    ("where", "function", "ask"),
    [
        (attention, "attention_map", lambda session: session.map.refresh()),
        (groups, "cluster", lambda session: session.groups.find()),
        (points, "lay_out", lambda session: session.points.find()),
        (mil, "mil_attention", lambda session: with_head(session).mil.find()),
    ],
    ids=["map", "clusters", "projection", "slide-level attention"],
)
def test_what_was_computed_for_another_scene_is_dropped(
    encoded: Session,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    function: str,
    ask: Callable[[Session], None],
    change: str,
) -> None:
    changes: dict[str, Callable[[], Any]] = {
        "slide": lambda: encoded.set_slide(other_slide()),
        "encoder": lambda: encoded.choose_encoder("uni"),
        "resolution": lambda: encoded.set_slide_mpp(0.4),
        "close": encoded.close,
    }
    gate = Gate(getattr(where, function))
    encoded._forget()
    assert encoded.wait(30)  # the map is painted anew, since slide-level attention was forgotten
    encoded.map.forget()
    monkeypatch.setattr(where, function, gate)
    ask(encoded)
    gate.meanwhile(changes[change])
    for worker in (encoded._maps, encoded._analysis):
        assert worker.wait(30)
        worker.close()
    assert encoded.map.found is None
    assert encoded.groups.found is None
    assert encoded.mil.found is None
    assert encoded.points.found is None


def test_clusters_of_another_encoder_on_the_same_grid_are_not_shown(encoded: Session) -> None:
    encoded.show("clusters")
    assert encoded.wait(30)
    assert encoded.groups.found is not None
    emb = encoded.groups.found.emb
    provenance = {**emb.provenance, "scalescope": {**emb.provenance["scalescope"], "key": "?"}}
    object.__setattr__(emb, "provenance", provenance)
    encoded.map.refresh()
    assert encoded.wait(30)
    assert encoded.map.found is None


def test_clusters_are_found_again_when_more_is_encoded(encoded: Session) -> None:
    encoded.show("clusters")
    assert encoded.wait(30)
    assert encoded.groups.found is not None
    first = encoded.groups.found
    encoded.show("attention")
    encoded.set_view(View(Box(1500, 1200, 400, 400), 0.5))
    encoded.encode_view()
    assert encoded.wait(30)
    encoded.show("clusters")
    assert encoded.wait(30)
    assert len(encoded.groups.found.labels) == len(encoded.embeddings() or ()) > len(first.labels)
    second = encoded.groups.found
    encoded.groups.find()
    assert encoded.wait(30)
    assert encoded.groups.found is second  # nothing was added


@pytest.mark.parametrize("how", ["stop", "live off"])
def test_at_rest_it_says_so(session: Session, encoder: FakeEncoder, how: str) -> None:
    encode = Gate(encoder.encode)
    encoder.encode = encode  # type: ignore[method-assign]
    session.set_live(True)
    session.set_view(VIEW)
    encode.meanwhile(session.stop if how == "stop" else lambda: session.set_live(False))
    assert session.wait(30)
    assert session.status.text == "Stopped"
    assert not session.status.busy
    assert session.status.progress is None


def test_what_a_dropped_job_runs_into_is_not_told(
    session: Session, encoder: FakeEncoder, said: list[str]
) -> None:
    def fail(*_: Any) -> Any:
        raise UnreachableError("The slide was closed.", "Open it again.")

    encode = Gate(fail)
    encoder.encode = encode  # type: ignore[method-assign]
    session.set_live(True)
    session.set_view(VIEW)
    encode.meanwhile(lambda: session.set_slide(other_slide()))
    assert session.wait(30)
    assert not [s for s in said if s.startswith("failed")]
    assert session.status.text == "Ready"
