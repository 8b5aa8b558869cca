"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from napari_scalescope import settings as settings_module
from napari_scalescope.slides import remembered

# The same examples every time: a run that fails can be repeated, and one that passed passes.
# HYPOTHESIS_PROFILE=explore looks at new ones.
settings.register_profile("repeat", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real slides and tiles, where this checkout has them beside it."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared/data with real slides beside this checkout")
    return SHARED


@pytest.fixture(autouse=True)
def _remembers_nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test says once (resolutions, licences, weights) is kept in a folder of that test."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("user")
        for module in (remembered, settings_module):
            patch.setattr(module, "user_data_path", lambda _app: folder)
        yield


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
