"""How near fast numbers come to float32."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_scalescope.encoders import Encoder, load_encoder
from napari_scalescope.geometry import Box
from napari_scalescope.session import Session, View
from napari_scalescope.session import resources as resources_module
from napari_scalescope.settings import Settings

from ..slides.memory import coloured_slide


def encoded(settings: Settings) -> float | None:
    with Session(settings) as session:
        session.set_slide(coloured_slide(900, 700))
        session.choose_encoder("untrained")
        session.set_view(View(Box(0, 0, 600, 500), 0.5))
        session.encode_view()
        assert session.wait(60)
        return session.cosine


def test_it_is_measured_once_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(
        store_folder=tmp_path / "s", encoder_folder=tmp_path / "e", device="cpu", precision="bf16"
    )
    first = encoded(settings)
    assert first is not None
    assert 0.999 < first < 1
    monkeypatch.setattr("napari_scalescope.session.precision.load_encoder", None)  # not again
    assert encoded(settings) == first


def test_numbers_that_are_far_off_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(name: str, **given: object) -> Encoder:
        import torch

        encoder = load_encoder(name, **given)  # type: ignore[arg-type]
        with torch.no_grad():
            for parameter in encoder._network.parameters():
                parameter.copy_(parameter + 0.02 * torch.randn_like(parameter))
        return encoder

    monkeypatch.setattr(resources_module, "load_encoder", spoilt)
    found = encoded(
        Settings(
            store_folder=tmp_path / "s", encoder_folder=tmp_path, device="cpu", precision="bf16"
        )
    )
    assert found is not None
    assert found < 0.999


def test_float32_is_not_compared_with_itself(tmp_path: Path) -> None:
    settings = Settings(
        store_folder=tmp_path / "s", encoder_folder=tmp_path, device="cpu", precision="fp32"
    )
    assert encoded(settings) is None
