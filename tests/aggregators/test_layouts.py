from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_scalescope.aggregators import aggregator_of, read_aggregator, steps
from napari_scalescope.errors import EncoderError

from .networks import Clam, D, Dsmil, MilLab, Trident, networks

torch.manual_seed(0)
NETWORKS = dict(networks())


def arrays(net: nn.Module) -> dict[str, np.ndarray]:
    return {name: t.detach().numpy() for name, t in net.state_dict().items()}


@pytest.fixture
def bag(rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(50, D)) * 2).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("at_a_time", [7, 4096])
def test_every_layout_says_what_its_makers_network_says(
    name: str, at_a_time: int, bag: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "TILES_AT_A_TIME", at_a_time)
    net = NETWORKS[name].eval()
    with torch.no_grad():
        said = net(torch.from_numpy(bag))
    head = aggregator_of(arrays(net), "head.pt")
    assert head.dim == D
    assert head.attention(bag).dtype == np.float32
    np.testing.assert_allclose(head.attention(bag), said.attention, atol=1e-5)
    assert len(head.branches) == said.attention.shape[1] == len(set(head.branches))
    for ours, theirs in ((head.scores(bag), said.scores), (head.tile_scores(bag), said.tiles)):
        if theirs is None:
            assert ours is None
        else:
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "branches"),
    [
        ("CLAM-SB gated", ("attention",)),
        ("CLAM-MB gated", ("class 0", "class 1", "class 2")),
        ("MIL-Lab gated, 2 layers, 3 heads", ("head 1", "head 2", "head 3")),
        ("DSMIL deep", ("class 0", "class 1")),
    ],
)
def test_branches_are_called_what_they_are(name: str, branches: tuple[str, ...]) -> None:
    assert aggregator_of(arrays(NETWORKS[name]), "head.pt").branches == branches


def test_heads_stand_within_branches() -> None:
    head = aggregator_of(arrays(Trident(True, 2, 3, 0)), "head.pt")
    assert head.branches[:3] == ("branch 1, head 1", "branch 1, head 2", "branch 2, head 1")


@pytest.mark.parametrize("wrapped", ["", "module.", "model.", "module.slide_encoder.model."])
def test_what_a_head_was_wrapped_in_does_not_matter(wrapped: str, bag: np.ndarray) -> None:
    state = arrays(Trident(True, 2, 1, 2))
    named = {f"{'' if 'class' in name else wrapped}{name}": t for name, t in state.items()}
    expected = aggregator_of(state, "a").scores(bag)
    np.testing.assert_array_equal(aggregator_of(named, "a").scores(bag), expected)


def test_clam_with_only_its_attention_on_several_gpus_and_its_loss(bag: np.ndarray) -> None:
    state = arrays(Clam(False, 2, several=False, dropout=True))
    state |= {"instance_loss_fn.labels": np.array([0, 1])}
    moved = {n.replace("attention_net.", "attention_net.module."): t for n, t in state.items()}
    expected = aggregator_of(state, "a").attention(bag)
    np.testing.assert_array_equal(aggregator_of(moved, "a").attention(bag), expected)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_files(suffix: str, bag: np.ndarray, tmp_path: Path) -> None:
    net = MilLab(True, 1, 1, 2).eval().bfloat16()
    path = tmp_path / f"head{suffix}"
    if suffix == ".pt":
        torch.save({"epoch": 3, "state_dict": net.state_dict()}, path)
    else:
        save_file(net.state_dict(), path)
    head = read_aggregator(path)
    assert head.name == f"ABMIL (head{suffix})"
    with torch.no_grad():
        expected = net.float()(torch.from_numpy(bag)).attention
    np.testing.assert_allclose(head.attention(bag), expected, atol=1e-5)


def test_vectors_as_the_store_keeps_them(bag: np.ndarray) -> None:
    half = bag.astype(np.float16)
    for name in ("CLAM-MB gated", "DSMIL deep"):
        head = aggregator_of(arrays(NETWORKS[name]), "head.pt")
        expected = head.attention(half.astype(np.float32))
        np.testing.assert_array_equal(head.attention(half), expected)


def refused(state: dict[str, np.ndarray]) -> str:
    with pytest.raises(EncoderError) as caught:
        aggregator_of(state, "head.pt")
    return str(caught.value)


def test_files_that_are_no_head_or_more_than_one() -> None:
    state = arrays(Clam(True, 2, several=False, dropout=True))
    assert "conv.weight" in refused({"conv.weight": np.zeros((3, 3))})
    assert "its tensors: none" in refused({})
    assert "no place for: extra.bias." in refused(state | {"extra.bias": np.zeros(3)})
    many = {f"extra.{i}": np.zeros(1) for i in range(9)}
    assert "extra.3 and 5 more." in refused(state | many)
    assert "twice" in refused(state | {f"module.{name}": t for name, t in state.items()})


@pytest.mark.parametrize("name", NETWORKS)
def test_no_tensor_may_be_missing_but_optional_parts(name: str) -> None:
    state = arrays(NETWORKS[name])
    for missing in (n for n in state if n.endswith("bias")):
        assert missing in refused({n: t for n, t in state.items() if n != missing})


def test_layers_that_do_not_fit() -> None:
    state = arrays(Dsmil(2, deep=True, value=False, sequential=True))
    state["b_classifier.q.2.weight"] = np.zeros((128, 100))
    assert "do not fit" in refused(state)


def test_pickles_with_code_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "head.pt"
    torch.save({"head": nn.Linear(2, 2)}, path)
    with pytest.raises(EncoderError, match="more than numbers"):
        read_aggregator(path)


@pytest.mark.parametrize(
    ("file", "name", "dim", "classes"),
    [
        ("clam_demo_s_0_checkpoint.pt", "CLAM-SB", 1024, 2),
        ("dsmil_c16_aggregator.pth", "DSMIL", 512, 1),
    ],
)
def test_files_of_their_makers(
    file: str, name: str, dim: int, classes: int, shared: Path, rng: np.random.Generator
) -> None:
    path = shared / "weights" / "mil" / file
    if not path.exists():
        pytest.skip(f"{file} is not there")
    head = read_aggregator(path)
    assert head.name == f"{name} ({file})"
    assert head.dim == dim
    vectors = rng.normal(size=(300, dim)).astype(np.float32)
    assert head.attention(vectors).shape == (300, 1)
    assert head.scores(vectors).shape == (classes,)
    assert head.tile_scores(vectors).shape == (300, classes)
    assert np.ptp(head.attention(vectors)) > 0
