from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_scalescope.session import resources as resources_module
from napari_scalescope.settings import Settings
from napari_scalescope.widgets import coordinator as coordinator_module

from ..embeddings.fake import FAKE, FakeEncoder


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEncoder:
    """A fast encoder in place of a network, and a store in a temporary folder."""
    made = FakeEncoder()
    monkeypatch.setattr(resources_module, "load_encoder", lambda *_, **__: made)
    monkeypatch.setattr("napari_scalescope.session.session.find_entry", lambda *_: FAKE)
    monkeypatch.setattr(
        coordinator_module,
        "read_settings",
        lambda: Settings(store_folder=tmp_path / "store", debounce_ms=20),
    )
    return made


@pytest.fixture
def shown(qtbot: Any) -> Callable[[Any], Any]:
    """Shows a widget as wide as a dock."""

    def show(widget: Any) -> Any:
        qtbot.addWidget(widget)
        widget.resize(320, 400)
        widget.show()
        return widget

    return show


@pytest.fixture
def viewer() -> Any:
    """A viewer without a window."""
    from napari.components import ViewerModel

    model = ViewerModel()
    model.canvas.size = (600, 800)
    return model


@pytest.fixture
def hub(qapp: Any, viewer: Any, encoder: FakeEncoder) -> Iterator[Any]:
    made = coordinator_module.Coordinator.of(viewer)
    yield made
    made.close()
    viewer.layers.clear()


@pytest.fixture
def settle(qtbot: Any) -> Callable[[Any], None]:
    """Let Qt work until a coordinator's session is idle and has been drawn."""

    def wait(hub: Any) -> None:
        qtbot.wait(60)
        qtbot.waitUntil(lambda: hub.session.idle, timeout=20_000)
        qtbot.wait(30)

    return wait


def duplicated(viewer: Any, layer: Any) -> Any:
    """What "Duplicate layer" of the layer list makes."""
    from napari.layers._layer_actions import _duplicate_layer

    viewer.layers.selection = {layer}
    _duplicate_layer(viewer.layers)
    return viewer.layers[viewer.layers.index(layer) + 1]
