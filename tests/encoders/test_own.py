"""Encoders of the user's own, remembered weights and accepted licences."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Encoding, catalogue, find_entry, known_encoders, load_encoder
from napari_scalescope.encoders import own as own_module
from napari_scalescope.encoders.own import described, own_encoders, register_encoder, save
from napari_scalescope.encoders.remembered import (
    accept_licence,
    licence_accepted,
    remember_weights,
    remembered_weights,
)
from napari_scalescope.encoders.text_tokens import tokenizer_of
from napari_scalescope.encoders.weights import availability, lacks
from napari_scalescope.errors import EncoderError

TILES = np.random.default_rng(0).integers(0, 255, (5, 64, 64, 3), np.uint8)


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_module, "_registered", {})


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Weights of a network that is built like Kaiko's smallest."""
    from safetensors.torch import save_file

    from napari_scalescope.encoders.network import build, shapes
    from napari_scalescope.encoders.weights import random_state

    path = tmp_path / "run12.safetensors"
    save_file(random_state(shapes(build(catalogue()["kaiko-vits16"])), 3), path)
    return path


# --- a checkpoint ---


def test_a_described_checkpoint_loads(checkpoint: Path, tmp_path: Path) -> None:
    entry = save(
        {
            "name": "Lab ViT-S, run 12",
            "like": "kaiko-vits16",
            "weights": checkpoint.name,
            "native_mpp": [1.0],
            "mean": [0.1, 0.2, 0.3],
            "embedding": "cls+mean",
        },
        tmp_path,
    )
    assert entry.id == "lab-vit-s-run-12"
    assert (entry.dim, entry.commercial, entry.native_mpp) == (768, True, (1.0,))
    assert known_encoders(tmp_path)[entry.id] == entry
    assert availability(entry, tmp_path) == "your own"
    assert lacks(entry, tmp_path) == ""
    encoder = load_encoder("Lab ViT-S, run 12", folder=tmp_path, precision="fp32")
    tile = np.tile(TILES[:1], (1, 4, 4, 1))[:, :224, :224]
    assert encoder.encode(tile).embedding.shape == (1, 768)
    assert encoder.identity["mean"] == [0.1, 0.2, 0.3]


def test_a_yaml_file_by_hand(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"like: kaiko-vits16\nweights: {checkpoint}\n")
    assert find_entry("mine", folder=tmp_path).weights == checkpoint
    checkpoint.unlink()
    assert availability(find_entry("mine", folder=tmp_path), tmp_path) == "needs its weights"
    with pytest.raises(EncoderError, match="no weights at"):
        load_encoder("mine", folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("like: nothing\nweights: a.pth", "not in the catalogue"),
        ("like: uni", "names no weights file"),
        ("like: uni\nweights: a.pth\ndimension: 3", "dimension"),
        ("weights: a.pth", "arch"),
        ("- a\n- b", "does not describe"),
        ("{", "cannot be read"),
        ("like: uni\nweights: a.pth\ninput_px: 225", "no multiple"),
        ("id: uni\nlike: uni\nweights: a.pth", "of the catalogue"),
        ("like: uni\nweights: a.pth\nembedding: cls+mean\ntoken_dim: wide", "token_dim"),
        ("like: uni\nweights: a.pth\nembedding: cls+mean\ntoken_dim:", "token_dim"),
        ("like: [uni]\nweights: a.pth", "not in the catalogue"),
    ],
)
def test_a_wrong_description_is_told_and_the_others_work(
    tmp_path: Path, checkpoint: Path, text: str, words: str
) -> None:
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(f"like: kaiko-vits16\nweights: {checkpoint}")
    found, (error,) = own_encoders(tmp_path)
    assert words in str(error)
    assert list(found) == ["b"]
    with pytest.raises(EncoderError, match="no encoder named"):
        find_entry("zzzzzz", folder=tmp_path)


def test_the_texts_of_one_it_is_like(tmp_path: Path) -> None:
    """They are of that one's embedding: of another, nothing is known to lie beside them."""
    spec = {"id": "lab", "weights": "lab.safetensors"}
    plip = described({**spec, "like": "plip"}, tmp_path).entry
    assert plip.text == catalogue()["plip"].text
    assert described({**spec, "like": "plip", "embedding": "head"}, tmp_path).entry == plip
    other = described({**spec, "like": "plip", "embedding": "cls"}, tmp_path).entry
    assert (other.dim, other.head, other.text) == (768, None, None)
    keep = described({**spec, "like": "keep"}, tmp_path).entry
    with pytest.raises(EncoderError) as caught:
        tokenizer_of(keep, keep.text, tmp_path / "lab.safetensors", tmp_path)
    assert catalogue()["keep"].page in caught.value.remedy


def test_one_that_is_not_released_may_be_described(checkpoint: Path, tmp_path: Path) -> None:
    entry = save({"id": "dax", "like": "kaiko-vits16", "weights": checkpoint.name}, tmp_path)
    assert known_encoders(tmp_path)["dax"] == entry == find_entry("dax", folder=tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EncoderError, match="cannot be written"):
        save({"name": "a", "like": "uni", "weights": "a.pth"}, tmp_path / "file")


def test_everything_can_be_said_without_an_example(tmp_path: Path) -> None:
    fields = catalogue()["untrained"].model_dump(exclude={"seed", "trained_on", "id", "name"})
    own = described({**fields, "name": "Whole", "weights": "w.pth"}, tmp_path)
    assert own.entry.weights == tmp_path / "w.pth"
    assert own.entry.trained


# --- a function ---


def colours(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean((1, 2))


def test_a_function_is_an_encoder(tmp_path: Path) -> None:
    register_encoder(colours, id="colours", dim=3, tile_px=64, native_mpp=(1.0,))
    encoder = load_encoder("colours", folder=tmp_path)
    coded = encoder.encode(TILES)
    np.testing.assert_allclose(coded.embedding, TILES.mean((1, 2)), rtol=1e-6)
    assert coded.patch_tokens is not None
    assert coded.patch_tokens.shape == (5, 1, 1, 3)
    np.testing.assert_allclose(coded.attention, 1)
    assert availability(encoder.entry, tmp_path) == "your own"
    assert len(encoder.weights_sha256) == 64
    assert encoder.looking(None) is encoder
    with pytest.raises(EncoderError, match="shows only"):
        encoder.looking("rollout")
    assert len(encoder.encode(TILES[:0])) == 0


def test_a_function_with_patch_tokens_and_attention(tmp_path: Path) -> None:
    @register_encoder(id="cells", dim=3, tile_px=64, patch_px=16, heads=2, name="Cells")
    def cells(pixels: np.ndarray) -> Encoding:
        n = len(pixels)
        tokens = pixels.reshape(n, 4, 16, 4, 16, 3).mean((2, 4)).astype(np.float32)
        attention = np.full((n, 2, 4, 4), 1 / 16, np.float32)
        return Encoding(tokens.mean((1, 2)), tokens, attention)

    encoder = load_encoder("Cells", folder=tmp_path)
    coded = encoder.encode(TILES)
    assert coded.patch_tokens.shape == (5, 4, 4, 3)
    assert coded.attention.shape == (5, 2, 4, 4)
    tokens = encoder.tokens(TILES)
    np.testing.assert_array_equal(tokens.patch, coded.patch_tokens)
    assert encoder.encode(TILES, keep=()).attention is None


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda p: np.zeros((len(p), 4)), "vectors of shape"),
        (lambda p: np.full((len(p), 3), np.nan), "not finite"),
        (lambda p: 1 / 0, "ZeroDivisionError"),
        (lambda p: np.zeros((len(p), 3)), "no patch tokens"),
        (lambda p: Encoding(np.zeros((len(p), 3)), np.zeros((len(p), 2, 2, 3))), "tokens of shape"),
        (lambda p: Encoding(np.zeros((len(p), 3)), np.zeros((len(p), 4, 4, 3))), "no attention"),
    ],
)
def test_a_function_is_held_to_what_was_said(tmp_path: Path, returned: Any, words: str) -> None:
    register_encoder(returned, id="odd", dim=3, tile_px=64, patch_px=16, heads=1)
    with pytest.raises(EncoderError, match=words):
        load_encoder("odd", folder=tmp_path).encode(TILES)


def test_a_changed_function_is_another_encoder(tmp_path: Path) -> None:
    register_encoder(colours, id="a", dim=3, tile_px=64)
    register_encoder(lambda p: p.max((1, 2)), id="b", dim=3, tile_px=64)
    a, b = (load_encoder(name, folder=tmp_path) for name in "ab")
    assert a.weights_sha256 != b.weights_sha256
    register_encoder(len, id="c", dim=3, tile_px=64)  # has no source
    assert len(load_encoder("c", folder=tmp_path).weights_sha256) == 64
    register_encoder(colours, id="a", dim=3, tile_px=64, version="2")
    assert load_encoder("a", folder=tmp_path).weights_sha256 != a.weights_sha256


def test_an_object_may_be_the_function_and_return_a_tuple(tmp_path: Path) -> None:
    class Net:
        def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            tokens = pixels[:, ::32, ::32].astype(np.float32)
            return tokens.mean((1, 2)), tokens

    register_encoder(Net(), id="net", dim=3, tile_px=64, patch_px=32)
    coded = load_encoder("net", folder=tmp_path).encode(TILES)
    assert coded.patch_tokens.shape == (5, 2, 2, 3)
    assert coded.attention.shape == (5, 1, 2, 2)


def test_the_name_of_another_is_taken() -> None:
    with pytest.raises(EncoderError, match="of the catalogue"):
        register_encoder(colours, id="uni", dim=3, tile_px=64)


# --- of an installed package ---


def test_entry_points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkpoint: Path) -> None:
    offered: dict[str, Any] = {
        "by-spec": {"like": "kaiko-vits16", "weights": str(checkpoint)},
        "by-function": register_encoder(colours, id="by-function", dim=3, tile_px=64),
        "nonsense": 42,
    }
    points = [EntryPoint(name, f"package:{name}", own_module.ENTRY_POINTS) for name in offered]
    points.append(EntryPoint("broken", "no_such_package:x", own_module.ENTRY_POINTS))

    def load(point: EntryPoint) -> Any:
        return offered[point.name] if point.name in offered else __import__(point.module)

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    own_module._plugins.cache_clear()
    try:
        found, wrong = own_encoders(tmp_path)
        assert set(found) == {"by-spec", "by-function"}
        assert ["nonsense" in str(wrong[0]), "broken" in str(wrong[1])] == [True, True]
    finally:
        own_module._plugins.cache_clear()


# --- what is remembered ---


def test_a_chosen_file_is_remembered_while_it_is_there(tmp_path: Path, checkpoint: Path) -> None:
    entry = catalogue()["uni"]
    assert remembered_weights(entry, tmp_path) is None
    remember_weights(entry, checkpoint, tmp_path)
    assert remembered_weights(entry, tmp_path) == checkpoint
    assert availability(entry, tmp_path) == "on this machine"
    checkpoint.unlink()
    assert remembered_weights(entry, tmp_path) is None


def test_what_is_not_released_is_usable_once_a_checkpoint_was_chosen(
    tmp_path: Path, checkpoint: Path
) -> None:
    dax = known_encoders(tmp_path)["dax"]
    assert availability(dax, tmp_path) == "not released"
    assert "a checkpoint" in lacks(dax, tmp_path)
    with pytest.raises(EncoderError, match="not released"):
        find_entry("dax", folder=tmp_path)
    remember_weights(dax, checkpoint, tmp_path)
    assert find_entry("DaX", folder=tmp_path) == dax
    assert availability(dax, tmp_path) == "on this machine"


def test_weights_are_not_used_before_their_licence_is_accepted(
    checkpoint: Path, tmp_path: Path
) -> None:
    entry = catalogue()["kaiko-vits16"]
    with pytest.raises(EncoderError, match="scalescope licence kaiko-vits16 --accept"):
        load_encoder("kaiko-vits16", weights=checkpoint, folder=tmp_path)
    assert "its licence accepted" in lacks(entry, tmp_path)
    assert "scalescope download" in lacks(entry, tmp_path)
    accept_licence(entry, tmp_path)
    load_encoder("kaiko-vits16", weights=checkpoint, folder=tmp_path)
    other = entry.model_copy(update={"licence": "another one"})
    assert not licence_accepted(other, tmp_path)  # its makers changed it
    load_encoder("kaiko-vits16", weights=checkpoint, folder=tmp_path / "b", accept_licence=True)
    assert licence_accepted(entry, tmp_path / "b")
    assert licence_accepted(catalogue()["quiltnet-b-16"], None)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"licences": 3, "weights": [1]}', '{"weights": {"uni": 5}}']
)
def test_a_damaged_memory_remembers_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "remembered.json").write_text(content)
    entry = catalogue()["uni"]
    assert not licence_accepted(entry, tmp_path)
    assert remembered_weights(entry, tmp_path) is None
    accept_licence(entry, tmp_path)
    assert json.loads((tmp_path / "remembered.json").read_text())["licences"] == {
        "uni": entry.licence
    }


def test_an_acceptance_that_cannot_be_kept_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EncoderError, match="cannot be written"):
        accept_licence(catalogue()["uni"], tmp_path / "file")


def test_too_little_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_scalescope.encoders import weights

    monkeypatch.setattr(weights, "memory_gb", lambda: 8.0)
    assert "13 GB of memory (here: 8)" in lacks(catalogue()["dinov3-7b"], tmp_path)
    monkeypatch.setattr(weights, "memory_gb", lambda: None)
    assert "memory" not in lacks(catalogue()["dinov3-7b"], tmp_path)
