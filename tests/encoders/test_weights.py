"""Weights come from this machine, whole, right, and without running anybody's code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Encoder, catalogue, load_encoder
from napari_scalescope.encoders.network import build, shapes
from napari_scalescope.encoders.weights import (
    availability,
    find_weights,
    random_state,
    read_state,
    sha256_of_file,
)
from napari_scalescope.errors import EncoderError

NAME = "kaiko-vits16"


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return random_state(shapes(build(catalogue()[NAME])), 7)


@pytest.fixture
def saved(tmp_path: Path, state: dict[str, Any]) -> Path:
    from safetensors.torch import save_file

    path = tmp_path / f"{NAME}.safetensors"
    save_file(state, path)
    return path


def test_found_in_the_encoder_folder(saved: Path) -> None:
    entry = catalogue()[NAME]
    assert find_weights(entry, saved.parent) == saved
    assert availability(entry, saved.parent) == "on this machine"
    encoder = load_encoder(NAME, precision="fp32", accept_licence=True, folder=saved.parent)
    assert encoder.weights_sha256 == sha256_of_file(saved)


def test_found_by_the_name_it_has_on_the_hub(saved: Path) -> None:
    folder = saved.parent / NAME
    folder.mkdir()
    saved.rename(folder / "model.safetensors")
    assert find_weights(catalogue()[NAME], saved.parent) == folder / "model.safetensors"


def test_found_in_the_hubs_cache(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    entry = catalogue()[NAME]
    assert entry.hub is not None
    repository = tmp_path / "hub" / f"models--{entry.hub.replace('/', '--')}"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    saved.rename(snapshot / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    found = find_weights(entry, None)
    assert found is not None
    assert found.samefile(snapshot / "model.safetensors")


@pytest.mark.parametrize("form", ["plain", "state_dict", "bin", "legacy"])
def test_other_files(tmp_path: Path, state: dict[str, Any], form: str) -> None:
    import torch

    path = tmp_path / ("pytorch_model.bin" if form == "bin" else "weights.pth")
    torch.save(
        {"state_dict": state} if form == "state_dict" else state,
        path,
        _use_new_zipfile_serialization=form != "legacy",
    )
    given = tmp_path if form == "bin" else path
    encoder = load_encoder(NAME, device="cpu", precision="fp32", accept_licence=True, weights=given)
    assert encoder.encode(np.zeros((1, 224, 224, 3), np.uint8)).embedding.shape == (1, 384)


def test_no_weights_says_where_to_get_them_and_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(EncoderError) as caught:
        load_encoder("uni2-h", folder=tmp_path)
    text = str(caught.value)
    assert "MahmoodLab/UNI2-h" in text
    assert "Accept its licence" in text
    assert "scalescope download uni2-h" in text
    assert str(tmp_path / "uni2-h.safetensors") in text
    assert availability(catalogue()["uni2-h"], tmp_path) == "needs a licence"
    assert availability(catalogue()[NAME], tmp_path) == "needs its weights"


def test_a_given_path_without_weights(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no weights of Kaiko"):
        load_encoder(NAME, weights=tmp_path)
    with pytest.raises(EncoderError, match="no weights of Kaiko"):
        load_encoder(NAME, weights=tmp_path / "nothing.pth")
    with pytest.raises(EncoderError, match=r"a folder with untrained.safetensors in it"):
        load_encoder("untrained", weights=tmp_path)


@pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, state: dict[str, Any], damage: str
) -> None:
    from safetensors.torch import save_file

    wrong = dict(state)
    if damage == "missing":
        del wrong["blocks.3.mlp.fc1.bias"]
    elif damage == "extra":
        wrong["blocks.0.ls1.gamma"] = wrong["norm.bias"].clone()
    else:
        wrong["pos_embed"] = wrong["pos_embed"][:, :51].clone()
    save_file(wrong, tmp_path / "w.safetensors")
    with pytest.raises(EncoderError) as caught:
        load_encoder(NAME, weights=tmp_path / "w.safetensors", accept_licence=True)
    assert "are not Kaiko ViT-S/16" in str(caught.value)
    words = {"missing": "blocks.3.mlp.fc1.bias", "extra": "ls1.gamma", "shape": "pos_embed"}
    assert words[damage] in str(caught.value)


class Bomb:
    """Would run code when unpickled."""

    def __reduce__(self) -> Any:
        return (print, ("boom",))


def test_a_pickle_with_code_is_not_opened(tmp_path: Path, capsys: Any) -> None:
    import torch

    path = tmp_path / "w.pth"
    path.write_bytes(pickle.dumps({"state_dict": Bomb()}, protocol=2))
    with pytest.raises(EncoderError, match="more than numbers"):
        read_state(path)
    for is_archive in (True, False):
        torch.save({"x": Bomb()}, path, _use_new_zipfile_serialization=is_archive)
        with pytest.raises(EncoderError, match="more than numbers"):
            read_state(path)
    assert "boom" not in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    for content in (b"", b"\xff" * 1000, b"hello"):
        path.write_bytes(content)
        with pytest.raises(EncoderError, match=r"w\.\w+ is not a readable weights file .*again"):
            read_state(path)


@pytest.mark.parametrize("is_archive", [True, False])
def test_a_file_cut_short(tmp_path: Path, state: dict[str, Any], is_archive: bool) -> None:
    import torch

    path = tmp_path / "w.pth"
    torch.save(state, path, _use_new_zipfile_serialization=is_archive)
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(EncoderError, match=r"w\.pth is not a readable weights file .*again"):
        read_state(path)


def test_random_weights_keep_signals_alive(untrained: Encoder, rng: np.random.Generator) -> None:
    coded = untrained.encode(rng.integers(0, 255, (4, 224, 224, 3), np.uint8))
    assert 0.5 < coded.embedding.std() < 2
    # Attention is not flat: a map of it shows something.
    assert coded.attention.std((2, 3)).mean() * 196 > 0.1
