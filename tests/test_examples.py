"""What `docs/examples` shows does what it says."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import napari_scalescope as ss

from .slides.conftest import write_pyramid
from .slides.memory import coloured_slide

SHAPES = {
    "conv1": (32, 3, 5, 5),
    "conv2": (32, 32, 5, 5),
    "conv3": (64, 32, 5, 5),
    "ip1": (64, 1024),
    "ip2": (2, 64),
}


@pytest.fixture(scope="module")
def janowczyk() -> ModuleType:
    path = Path(__file__).parents[1] / "docs" / "examples" / "janowczyk.py"
    spec = importlib.util.spec_from_file_location("janowczyk", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    made = {"mean": rng.uniform(90, 180, (3, 32, 32))}
    for name, shape in SHAPES.items():
        fan_in = np.prod(shape[1:])
        made[f"{name}.weight"] = rng.normal(size=shape) / np.sqrt(fan_in)
        made[f"{name}.bias"] = rng.normal(size=shape[0])
    made["conv1.weight"] /= 50
    return {name: np.asarray(t, np.float32) for name, t in made.items()}


@pytest.fixture
def load(janowczyk: ModuleType, weights: dict[str, np.ndarray], tmp_path: Path) -> Callable:
    path = tmp_path / "net.safetensors"
    save_file(weights, path)
    return lambda **how: janowczyk.Janowczyk(path, **how)


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2))
    return np.einsum("chwij,kcij->khw", seen, weight) + bias[:, None, None]


def pooled(x: np.ndarray, how: Callable[..., Any]) -> np.ndarray:
    """Caffe's: as many windows as it takes to see every cell, the last ones cut off."""
    n = -(-(x.shape[1] - 3) // 2) + 1
    cells = [(slice(2 * i, 2 * i + 3), slice(2 * j, 2 * j + 3)) for i in range(n) for j in range(n)]
    return np.stack([how(x[:, a, b], axis=(1, 2)) for a, b in cells], 1).reshape(-1, n, n)


def as_caffe_does(t: dict[str, np.ndarray], patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features (64,) and probabilities (2,) of a patch (32, 32, 3)."""

    def layer(name: str) -> tuple[np.ndarray, np.ndarray]:
        return t[f"{name}.weight"], t[f"{name}.bias"]

    x = patch[..., [2, 1, 0]].transpose(2, 0, 1) - t["mean"]
    x = np.maximum(pooled(convolved(x, *layer("conv1")), np.max), 0)
    for name in ("conv2", "conv3"):
        x = pooled(np.maximum(convolved(x, *layer(name)), 0), np.mean)
    assert x.shape == (64, 4, 4)
    weight, bias = layer("ip1")
    features = weight @ x.ravel() + bias
    weight, bias = layer("ip2")
    scores = np.exp(weight @ features + bias)
    return features, scores / scores.sum()


def test_nets_of_caffe(
    load: Callable[..., Any], weights: dict[str, np.ndarray], rng: np.random.Generator
) -> None:
    tiles = rng.integers(0, 256, (2, 48, 48, 3), np.uint8)
    net = load()
    embeddings, tokens = net(tiles)
    assert embeddings.shape == (2, 64)
    assert tokens.shape == (2, 6, 6, 64)
    np.testing.assert_allclose(embeddings, tokens.mean((1, 2)), rtol=1e-4, atol=1e-5)
    # The place in row 2, column 3 is the middle of pixels 16 to 23 and 24 to 31.
    patch = tiles[1, 20 - 16 : 20 + 16, 28 - 16 : 28 + 16]
    features, probabilities = as_caffe_does(weights, patch.astype(np.float64))
    np.testing.assert_allclose(tokens[1, 2, 3], features, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(net.probabilities(tiles)[1, 2, 3], probabilities, atol=1e-3)


def test_dense(load: Callable[..., Any], rng: np.random.Generator) -> None:
    tiles = rng.integers(0, 256, (2, 32, 32, 3), np.uint8)
    embeddings, tokens = load(dense=True)(tiles)
    assert embeddings.shape == (2, 64)
    assert tokens.shape == (2, 4, 4, 64)
    assert np.isfinite(tokens).all()
    with pytest.raises(ValueError, match="multiple of 8"):
        load()(tiles[:, :30, :30])


@pytest.mark.parametrize("dense", [False, True])
def test_nuclei_light_up(janowczyk: ModuleType, shared: Path, dense: bool) -> None:
    from skimage.color import rgb2hed

    path = shared / "weights" / "janowczyk_caffe" / "1-nuclei.safetensors"
    if not path.exists():
        pytest.skip("the nuclei net is not there")
    with ss.open_slide(shared / "slides" / "CMU-1-Small-Region.svs") as slide:
        pixels = slide.read((900, 1300, 112, 112), mpp=0.25)[:224, :224]
    found = janowczyk.Janowczyk(path, dense=dense).probabilities(pixels[None])[0, ..., 1]
    stain = rgb2hed(pixels)[..., 0].reshape(28, 8, 28, 8).mean((1, 3))
    dark, pale = np.quantile(stain, [0.95, 0.5])
    assert found[stain > dark].mean() > 5 * found[stain < pale].mean()


def test_the_agent_of_the_docs_looks_around(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path(__file__).parents[1] / "docs" / "scripting.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    pixels = coloured_slide(1500, 1200).read_level(0, 0, 0, 1500, 1200)
    write_pyramid(tmp_path / "slide.tif", pixels, mpp=0.5, compression="deflate")
    monkeypatch.chdir(tmp_path)
    exec(code.replace("slide.svs", "slide.tif"), {})
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 3
    assert told[-1].startswith("at 0.50 µm/px")
    visits = ss.read_viewing(tmp_path / "looked.jsonl")
    assert visits[0].box == (0, 0, 1500, 1200)
    assert min(v.mpp for v in visits) == 0.5
    assert {v.slide for v in visits} == {"slide.tif"}
    with ss.open_slide(tmp_path / "slide.tif") as slide:
        seconds = ss.viewing_map(visits, slide).values
    assert np.nansum(seconds) == pytest.approx(sum(v.seconds for v in visits), rel=1e-4)
