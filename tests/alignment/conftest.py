from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def viewer() -> Any:
    """A viewer without a window."""
    from napari.components import ViewerModel

    return ViewerModel()
