from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_scalescope.widgets.scatter import ScatterView

from .hand import LATTICE


@pytest.fixture
def view(qtbot):
    view = ScatterView()
    qtbot.addWidget(view)
    view.resize(400, 400)
    view.set_points(LATTICE)
    view.show()
    QApplication.processEvents()
    return view


@pytest.fixture
def changes(view):
    """Every selection that was announced, as lists of indices."""
    changes = []
    view.selection_changed.connect(lambda mask: changes.append(np.flatnonzero(mask).tolist()))
    return changes
