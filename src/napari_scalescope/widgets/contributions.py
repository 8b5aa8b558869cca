"""What the manifest offers napari: a reader, a sample, commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..sample import sample_slide_path
from ..slides import open_slide
from .layers import slide_layer
from .preferences import PLUGIN, read_settings

if TYPE_CHECKING:
    import napari.viewer

Data = tuple[Any, dict[str, Any], str]

EXPLORER = "Explorer"
EMBEDDING_MAP = "Embedding map"


def get_reader(path: str | list[str]) -> Callable[[Any], list[Data]] | None:
    """A reader for slides; stacks of several files are left to others."""
    return None if isinstance(path, list) and len(path) > 1 else read_slides


def read_slides(path: str | list[str]) -> list[Data]:
    """Slides as layer data. In a window, the Explorer opens beside them."""
    paths = path if isinstance(path, list) else [path]
    layers = [slide_layer(open_slide(p), read_settings().cache_mb) for p in paths]
    _welcome()
    return layers


def sample_slide() -> list[Data]:
    """The sample slide: a phantom of stained tissue with known ground truth."""
    return read_slides(str(sample_slide_path()))


def encode_view(viewer: napari.viewer.Viewer) -> None:
    """Command: encode what is in view."""
    from .coordinator import Coordinator

    Coordinator.of(viewer).session.encode_view()


def encode_slide(viewer: napari.viewer.Viewer) -> None:
    """Command: encode all tissue of the slide."""
    from .coordinator import Coordinator

    Coordinator.of(viewer).session.encode_slide()


def show_docks(viewer: Any) -> dict[str, Any]:
    """Have both docks in a viewer; returns their widgets by name."""
    widgets = {}
    for name in (EXPLORER, EMBEDDING_MAP):
        _, widgets[name] = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return widgets


def _welcome() -> None:
    """Open the Explorer once the layers of a dropped slide are there."""
    import napari
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication

    viewer = napari.current_viewer()
    if viewer is None or QApplication.instance() is None:
        return  # read by a script, without a window

    def dock() -> None:
        known = [key for key in viewer.window.dock_widgets if key.startswith(EXPLORER)]
        if not known:
            viewer.window.add_plugin_dock_widget(PLUGIN, EXPLORER)

    QTimer.singleShot(0, dock)
