"""What tests of stores and cohorts are made on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_scalescope.embeddings.cohort import Cohort
from napari_scalescope.slides import Slide

from ..slides.memory import coloured_slide
from .fake import FakeEncoder
from .many import clustered, fill, made_set


@pytest.fixture
def slide() -> Slide:
    return coloured_slide(3000, 2400)


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def vectors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: clustered(rng, 30) for name in ("a", "b", "c")}


@pytest.fixture
def cohort(tmp_path: Path, vectors: dict[str, np.ndarray]) -> Cohort:
    for name, its in vectors.items():
        fill(made_set(tmp_path / "store", name, dim=32), its)
    return Cohort.scan([tmp_path / "store"], tmp_path / "cohort.parquet")
