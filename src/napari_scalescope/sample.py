"""The sample slide that comes with the package."""

from __future__ import annotations

from pathlib import Path

from .errors import SlideError

NAME = "phantom.tif"


def _folder() -> Path:
    """Inside an installed package, or beside ``src`` in a checkout."""
    package = Path(__file__).parent
    inside = package / "sample_data"
    return inside if inside.is_dir() else package.parent.parent / "sample_data"


def sample_slide_path() -> Path:
    """The sample slide: a rendered phantom, pyramidal TIFF, 0.5 µm/px."""
    path = _folder() / NAME
    if not path.is_file():
        raise SlideError(f"The sample {NAME} is not installed.", "Install napari-scalescope again.")
    return path
