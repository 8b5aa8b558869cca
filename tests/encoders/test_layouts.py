"""A network is the same whatever its makers called its layers.

Wherever the makers' own library is at hand, a random network of theirs is saved as they save it,
loaded as a user's file is, and has to give what theirs gives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Encoder, Entry, catalogue
from napari_scalescope.encoders.layouts import on_grid, to_timm
from napari_scalescope.encoders.network import build, filled, shapes, untrained
from napari_scalescope.encoders.weights import read_state
from napari_scalescope.errors import EncoderError

torch = pytest.importorskip("torch")

#: Small enough to be built in milliseconds.
WIDTH, HEADS, DEPTH = 64, 4, 2


def narrow(name: str, **changes: Any) -> Entry:
    """An entry of the catalogue with a small network of the same make."""
    entry = catalogue()[name]
    args = {**entry.args, "embed_dim": WIDTH, "num_heads": HEADS, "depth": DEPTH}
    args |= changes.pop("args", {})
    dims = {"cls+mean": 2 * WIDTH, "head": 32}
    return entry.model_copy(
        update={
            "args": args,
            "token_dim": WIDTH,
            "heads": HEADS,
            "dim": dims.get(entry.embedding, WIDTH),
            **changes,
        }
    )


def encoder_of(entry: Entry, state: dict[str, Any]) -> Encoder:
    return Encoder(entry, filled(entry, state).eval(), "cpu", "fp32", "0" * 64)


def scattered(model: Any) -> Any:
    """Random numbers everywhere: a layer that begins as zeros or ones could be lost unseen."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.1 + (parameter.mean() > 0.5).float())
    return model.eval()


@pytest.fixture
def tiles(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 255, (2, 224, 224, 3), np.uint8)


def normalised(tiles: np.ndarray, entry: Entry) -> Any:
    return torch.from_numpy((tiles / 255 - entry.mean) / entry.std).permute(0, 3, 1, 2).float()


def saved(model: Any, folder: Path) -> dict[str, Any]:
    """The state of a transformers model as its file holds it."""
    model.save_pretrained(folder)
    return read_state(folder / "model.safetensors")


def test_transformers_vit(tiles: np.ndarray, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
    )
    theirs = scattered(transformers.ViTModel(config))
    entry = narrow("phikon")
    coded = encoder_of(entry, saved(theirs, tmp_path)).encode(tiles)
    with torch.inference_mode():
        hidden = theirs(normalised(tiles, entry)).last_hidden_state.numpy()
    np.testing.assert_allclose(coded.embedding, hidden[:, 0], atol=2e-3)  # norms' epsilons differ
    np.testing.assert_allclose(coded.patch_tokens.reshape(2, 196, -1), hidden[:, 1:], atol=2e-3)


@pytest.mark.parametrize(
    ("name", "registers", "swiglu", "positions"),
    [
        ("phikon-v2", False, False, 224),
        ("midnight-12k", False, True, 518),
        ("xmag", False, False, 518),
        ("hibou-b", True, True, 224),
    ],
)
def test_transformers_dinov2(
    tiles: np.ndarray, tmp_path: Path, name: str, registers: bool, swiglu: bool, positions: int
) -> None:
    transformers = pytest.importorskip("transformers")
    kind = "Dinov2WithRegisters" if registers else "Dinov2"
    patch = catalogue()[name].patch_px
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        mlp_ratio=4,
        use_swiglu_ffn=swiglu,
        image_size=positions,
        patch_size=patch,
    )
    theirs = scattered(getattr(transformers, f"{kind}Model")(config))
    hidden = (int(WIDTH * 4 * 2 / 3) + 7) // 8 * 8
    entry = narrow(name, args={"mlp_ratio": 2 * hidden / WIDTH} if swiglu else {})
    coded = encoder_of(entry, saved(theirs, tmp_path)).encode(tiles)
    with torch.inference_mode():
        tokens = theirs(normalised(tiles, entry)).last_hidden_state.numpy()
    prefix = entry.tokens.cls + entry.tokens.registers
    np.testing.assert_allclose(coded.embedding[:, :WIDTH], tokens[:, 0], atol=2e-4)
    ours = coded.patch_tokens.reshape(2, -1, WIDTH)
    np.testing.assert_allclose(ours, tokens[:, prefix:], atol=2e-4)


@pytest.mark.parametrize("name", ["plip", "quiltnet-b-16"])
def test_transformers_clip(tiles: np.ndarray, tmp_path: Path, name: str) -> None:
    transformers = pytest.importorskip("transformers")
    small = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS}
    small["intermediate_size"] = 4 * WIDTH
    entry = narrow(name)
    config = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 99},
        vision_config={**small, "image_size": 224, "patch_size": entry.patch_px},
        projection_dim=entry.dim,
    )
    theirs = scattered(transformers.CLIPModel(config))
    coded = encoder_of(entry, saved(theirs, tmp_path)).encode(tiles)
    with torch.inference_mode():
        x = normalised(tiles, entry)
        pooled = theirs.vision_model(pixel_values=x).pooler_output
        expected = theirs.visual_projection(pooled).numpy()
    np.testing.assert_allclose(coded.embedding, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("name", "quick"), [("plip", True), ("quiltnet-b-16", True), ("pathgen-clip", False)]
)
def test_open_clip(tiles: np.ndarray, name: str, quick: bool) -> None:
    open_clip = pytest.importorskip("open_clip")
    entry = narrow(name)
    theirs = scattered(
        open_clip.CLIP(
            embed_dim=entry.dim,
            vision_cfg={
                "layers": DEPTH,
                "width": WIDTH,
                "head_width": WIDTH // HEADS,
                "patch_size": entry.patch_px,
                "image_size": 224,
            },
            text_cfg={"context_length": 8, "vocab_size": 99, "width": 32, "heads": 2, "layers": 1},
            quick_gelu=quick,
        )
    )
    coded = encoder_of(entry, theirs.state_dict()).encode(tiles)
    with torch.inference_mode():
        expected = theirs.encode_image(normalised(tiles, entry)).numpy()
    np.testing.assert_allclose(coded.embedding, expected, atol=2e-4)


def test_open_clip_around_a_timm_model(tiles: np.ndarray) -> None:
    """As QuiltNet-B-16-PMB was saved."""
    entry = narrow("quiltnet-b-16-pmb")
    trunk = scattered(build_real(entry)["trunk"])
    head = scattered(torch.nn.Linear(WIDTH, entry.dim, bias=False))
    state = {f"visual.trunk.{k}": v for k, v in trunk.state_dict().items()}
    state |= {"visual.head.proj.weight": head.weight.detach(), "logit_scale": torch.ones(())}
    state |= {"text.transformer.embeddings.word_embeddings.weight": torch.ones(9, 4)}
    coded = encoder_of(entry, state).encode(tiles)
    with torch.inference_mode():
        expected = head(trunk.forward_features(normalised(tiles, entry))[:, 0]).numpy()
    np.testing.assert_allclose(coded.embedding, expected, atol=2e-4)


@pytest.mark.parametrize(("name", "prefix"), [("conch", "visual."), ("conch-v1.5", "")])
def test_an_attention_pool_is_open_clips(tiles: np.ndarray, name: str, prefix: str) -> None:
    pytest.importorskip("open_clip")
    from open_clip.transformer import AttentionalPooler

    entry = narrow(name, args={"img_size": 224}, input_px=224)
    trunk = scattered(build_real(entry)["trunk"])
    pool = scattered(AttentionalPooler(entry.dim, WIDTH, n_head=8, n_queries=1))
    norm = scattered(torch.nn.LayerNorm(entry.dim))
    parts = {"trunk": trunk, "attn_pool_contrast": pool, "ln_contrast": norm}
    state = {f"{prefix}{p}.{k}": v for p, m in parts.items() for k, v in m.state_dict().items()}
    state[f"{prefix}proj_contrast"] = torch.ones(entry.dim, entry.dim)
    state[f"{prefix}attn_pool_caption.query"] = torch.ones(4, 4)
    coded = encoder_of(entry, state).encode(tiles)
    with torch.inference_mode():
        tokens = trunk.forward_features(normalised(tiles, entry))
        expected = norm(pool(tokens)[:, 0]).numpy()
    np.testing.assert_allclose(coded.embedding, expected, atol=2e-4)


def test_keep_has_two_layers_and_length_one(tiles: np.ndarray) -> None:
    entry = narrow("keep")
    trunk = scattered(build_real(entry)["trunk"])
    head = scattered(
        torch.nn.Sequential(
            torch.nn.Linear(WIDTH, entry.dim),
            torch.nn.GELU(),
            torch.nn.Linear(entry.dim, entry.dim),
        )
    )
    state = {f"visual.{k}": v for k, v in trunk.state_dict().items()}
    state |= {f"visual_head.{k}": v for k, v in head.state_dict().items()}
    state |= {"text.embeddings.position_ids": torch.arange(4)}
    coded = encoder_of(entry, state).encode(tiles)
    with torch.inference_mode():
        out = head(trunk.forward_features(normalised(tiles, entry))[:, 0])
    expected = (out / out.norm(dim=1, keepdim=True)).numpy()
    np.testing.assert_allclose(coded.embedding, expected, atol=1e-5)


def build_real(entry: Entry) -> Any:
    """A network with memory and numbers."""
    return untrained(entry, 0)[0]


def renamed(state: dict[str, Any], *rules: tuple[str, str]) -> dict[str, Any]:
    import re

    out = {}
    for name, tensor in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        out[name] = tensor
    return out


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("prefix", ["", "teacher.backbone.", "module."])
@pytest.mark.parametrize("name", ["openmidnight", "gpfm"])
def test_dinov2_as_its_makers_save_it(name: str, prefix: str) -> None:
    """timm's own conversion is the other opinion."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    entry = narrow(name, args={"mlp_ratio": 4})
    trunk = scattered(build_real(entry)["trunk"])
    theirs = renamed(
        trunk.state_dict(),
        (r"^reg_token$", "register_tokens"),
        (r"\.mlp\.fc1\.", ".mlp.w12." if entry.tokens.registers else ".mlp.fc1."),
        (r"\.mlp\.fc2\.", ".mlp.w3." if entry.tokens.registers else ".mlp.fc2."),
    )
    if entry.tokens.registers:  # there the class token has a place
        place = torch.randn(1, 1, WIDTH)
        theirs["pos_embed"] = torch.cat([place, theirs["pos_embed"]], dim=1)
    theirs["mask_token"] = torch.zeros(1, WIDTH)
    expected = checkpoint_filter_fn(dict(theirs), trunk)
    chunked = renamed(theirs, (r"^blocks\.(\d+)\.", r"blocks.0.\1."))
    for state in (theirs, chunked):
        file = {f"{prefix}{k}": v for k, v in state.items()}
        if prefix:
            file |= {"teacher.dino_head.mlp.0.weight": torch.ones(3, 3)}
            file |= {f"student.{k}": v + 1 for k, v in state.items()}
        found, _ = to_timm(file, shapes(build(entry)))
        assert_same(found, expected)


@pytest.mark.parametrize("name", ["dinov3-s", "dinov3-splus"])
def test_dinov3_as_its_makers_save_it(name: str) -> None:
    from timm.models.eva import checkpoint_filter_fn

    entry = catalogue()[name]
    entry = entry.model_copy(update={"args": {**entry.args, "depth": 2}})
    trunk = scattered(build_real(entry)["trunk"])
    theirs = renamed(
        trunk.state_dict(),
        (r"^reg_token$", "storage_tokens"),
        (r"\.gamma_([12])$", r".ls\1.gamma"),
        (r"\.mlp\.fc1_g\.", ".mlp.w1."),
        (r"\.mlp\.fc1_x\.", ".mlp.w2."),
        (r"\.mlp\.fc2\.", ".mlp.w3." if "plus" in name else ".mlp.fc2."),
    )
    theirs |= {"rope_embed.periods": torch.ones(16), "mask_token": torch.zeros(1, entry.dim)}
    theirs |= {"blocks.0.attn.qkv.bias_mask": torch.ones(3 * entry.dim)}
    found, layout = to_timm(theirs, shapes(build(entry)))
    assert layout == "DINOv3"
    assert_same(found, checkpoint_filter_fn(dict(theirs), trunk))
    assert_same(found, trunk.state_dict())


def as_beit3(ours: dict[str, Any]) -> dict[str, Any]:
    """A timm network's tensors as BEiT-3 calls those of its branch of pictures."""
    theirs: dict[str, Any] = {}
    for name, tensor in ours.items():
        if ".attn.qkv." in name:
            for which, part in zip("qkv", tensor.chunk(3), strict=True):
                theirs[name.replace("attn.qkv.", f"self_attn.{which}_proj.A.")] = part
        else:
            theirs[name] = tensor
    theirs = renamed(
        theirs,
        (r"^blocks\.", "encoder.layers."),
        (r"\.attn\.norm\.", ".self_attn.inner_attn_ln.A."),
        (r"\.attn\.proj\.", ".self_attn.out_proj.A."),
        (r"\.mlp\.norm\.", ".ffn.A.ffn_layernorm."),
        (r"\.mlp\.", ".ffn.A."),
        (r"\.norm1\.", ".self_attn_layer_norm.A."),
        (r"\.norm2\.", ".final_layer_norm.A."),
        (r"^norm\.", "encoder.layer_norm.A."),
        (r"^cls_token$", "vision_embed.cls_token"),
        (r"^patch_embed\.", "vision_embed."),
    )
    places = theirs.pop("pos_embed")[0]
    # Places are counted from 2.
    theirs["encoder.embed_positions.A.weight"] = torch.cat([torch.ones(2, WIDTH), places])
    return theirs


def test_beit3_takes_the_branch_of_pictures() -> None:
    from timm.models.vision_transformer import checkpoint_filter_fn

    entry = narrow("musk", args={"img_size": 224}, input_px=224)
    trunk = scattered(build_real(entry)["trunk"])
    ours = trunk.state_dict()
    theirs = as_beit3(ours)
    theirs |= {k.replace(".A.", ".B."): v + 1 for k, v in theirs.items() if ".A." in k}
    theirs |= {"text_embed.weight": torch.ones(9, WIDTH)}
    theirs = {f"beit3.{k}": v for k, v in theirs.items()}
    theirs |= {"vision_head.weight": torch.ones(4, WIDTH), "logit_scale": torch.ones(())}
    found, layout = to_timm(theirs, shapes(build(entry)))
    assert layout == "BEiT-3"
    assert_same(found, ours)
    beit3 = {k: v for k, v in theirs.items() if k.startswith("beit3.")}
    other = renamed(checkpoint_filter_fn(beit3, trunk), (r"^layer_norm\.", "norm."))
    assert_same(found, other)


def test_ctranspath_merges_after_a_stage() -> None:
    entry = catalogue()["ctranspath"]
    trunk = scattered(build_real(entry)["trunk"])
    ours = trunk.state_dict()
    theirs = renamed(
        ours,
        (r"^layers\.1\.downsample", "layers.0.merge"),
        (r"^layers\.2\.downsample", "layers.1.merge"),
        (r"^layers\.3\.downsample", "layers.2.merge"),
        (r"\.merge\.", ".downsample."),
    )
    theirs["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49)
    theirs["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    found, _ = to_timm(theirs, shapes(build(entry)))
    assert_same(found, ours)


def test_mobilenet_as_torchvision_saves_it(tiles: np.ndarray) -> None:
    torchvision = pytest.importorskip("torchvision")
    entry = catalogue()["mobilenet-v2"].model_copy(update={"args": {}})
    theirs = scattered(torchvision.models.mobilenet_v2(weights=None))
    coded = encoder_of(entry, theirs.state_dict()).encode(tiles)
    with torch.inference_mode():
        features = theirs.features(normalised(tiles, entry)).permute(0, 2, 3, 1).numpy()
    scale = np.abs(features).max()
    np.testing.assert_allclose(coded.patch_tokens / scale, features / scale, atol=1e-5)
    np.testing.assert_allclose(coded.embedding / scale, features.mean((1, 2)) / scale, atol=1e-5)


def test_a_file_of_another_network_is_refused_and_says_what_does_not_fit() -> None:
    narrower = narrow("uni", args={"embed_dim": 32})
    state = untrained(narrower, 0)[0]["trunk"].state_dict()
    with pytest.raises(EncoderError, match=r"not UNI.*cls_token.*\[1, 1, 32\]"):
        filled(narrow("uni"), state)
    with pytest.raises(EncoderError, match="not UNI"):
        filled(narrow("uni"), {"anything": torch.ones(3)})


def test_layer_scale_that_is_missing_is_not_passed_over() -> None:
    """timm says so in its log alone, and computes other numbers."""
    state = dict(build_real(narrow("uni"))["trunk"].state_dict())
    del state["blocks.1.ls2.gamma"]
    with pytest.raises(EncoderError, match=r"blocks\.1\.ls2\.gamma"):
        filled(narrow("uni"), state)
    plain = narrow("kaiko-vits16")
    with pytest.raises(EncoderError, match="Unexpected"):
        filled(plain, build_real(narrow("uni"))["trunk"].state_dict())


def test_positions_of_another_size_of_tile_are_taken_as_they_are() -> None:
    entry = narrow("uni")
    wider = narrow("uni", args={"img_size": 320})
    state = build_real(wider)["trunk"].state_dict()
    network = filled(entry, state)
    assert torch.equal(network["trunk"].pos_embed, state["pos_embed"])


def test_positions_on_their_own_grid_are_left_alone() -> None:
    position = torch.randn(1, 1 + 25, 8)
    assert on_grid(position, 5) is position
    assert on_grid(position, 9).shape == (1, 1 + 81, 8)
    assert torch.equal(on_grid(position, 9)[:, :1], position[:, :1])


def test_a_checkpoint_of_an_encoder_that_is_not_released_yet(
    tiles: np.ndarray, tmp_path: Path
) -> None:
    """DaX today: DINOv3's names, its own numbers, tiles of any size."""
    from napari_scalescope.encoders import catalogue as entries
    from napari_scalescope.encoders import find_entry

    entry = find_entry("DaX", has_weights=True)
    assert entry.arch == entries()["dinov3-l"].arch
    small = entry.model_copy(update={"args": {**entry.args, "depth": 2}})
    trunk = scattered(build_real(small)["trunk"])
    state = renamed(trunk.state_dict(), (r"^reg_token$", "storage_tokens"))
    state = renamed(state, (r"\.gamma_([12])$", r".ls\1.gamma"))
    encoder = encoder_of(small, state)
    for px in (224, 256, 320):
        coded = encoder.encode(np.resize(tiles, (1, px, px, 3)))
        assert coded.patch_tokens.shape == (1, px // 16, px // 16, 1024)
        assert np.isfinite(coded.embedding).all()
