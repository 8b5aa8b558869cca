"""What a user would read in a widget, and press."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QPushButton

from napari_scalescope.widgets.parts import Words


def texts(widget: Any) -> str:
    """All texts that are shown, one per line."""
    return "\n".join(w.text() for w in widget.findChildren(Words) if not w.isHidden())


def button(widget: Any, text: str) -> QPushButton:
    """The button with a text."""
    return next(b for b in widget.findChildren(QPushButton) if b.text() == text)
