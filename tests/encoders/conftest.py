from __future__ import annotations

import pytest

from napari_scalescope.encoders import Encoder, load_encoder


@pytest.fixture(scope="session")
def untrained() -> Encoder:
    return load_encoder("untrained", device="cpu", precision="fp32")
