"""What the keys do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QPointF, Qt

from .mouse import Mouse
from .plot import Plot

if TYPE_CHECKING:
    from .view import ScatterView


def command(event: Any, view: ScatterView, plot: Plot, mouse: Mouse) -> Callable[[], None] | None:
    """What a key does when it is pressed in a view; None: nothing."""
    key, keys, modifiers = event.key(), Qt.Key, Qt.KeyboardModifier
    if event.modifiers() & modifiers.ControlModifier:
        return {keys.Key_A: view.select_all, keys.Key_I: view.invert_selection}.get(key)
    if event.modifiers() & modifiers.AltModifier:
        return None
    if key == keys.Key_Escape and mouse.outline:
        return mouse.stop_drawing
    if key == keys.Key_Escape and not plot.cloud.selected.any():
        return None  # may close a dialog
    middle, step = QPointF(view.width() / 2, view.height() / 2), 0.1 * view.width()
    return {
        keys.Key_Escape: view.clear_selection,
        keys.Key_Space: lambda: mouse.hold_hand(True),
        keys.Key_F: view.fit,
        keys.Key_Left: lambda: plot.pan(step, 0),
        keys.Key_Right: lambda: plot.pan(-step, 0),
        keys.Key_Up: lambda: plot.pan(0, step),
        keys.Key_Down: lambda: plot.pan(0, -step),
        keys.Key_Plus: lambda: plot.zoom(1.2, middle),
        keys.Key_Equal: lambda: plot.zoom(1.2, middle),
        keys.Key_Minus: lambda: plot.zoom(1 / 1.2, middle),
    }.get(key)
