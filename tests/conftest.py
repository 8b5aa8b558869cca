"""What every test may ask for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real slides and tiles, where this checkout has them beside it."""
    if not SHARED.is_dir():
        pytest.skip("no folder ../shared/data with real slides beside this checkout")
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
