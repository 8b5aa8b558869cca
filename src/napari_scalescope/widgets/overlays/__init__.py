"""The chooser of the overlay: a panel, and the options of each overlay in a module of its own."""

from .panel import OverlayPanel

__all__ = ["OverlayPanel"]
