"""Texts: the same vectors as the makers' own libraries give, out of the files they release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Entry, load_encoder, loading
from napari_scalescope.encoders import text as text_module

from .test_layouts import HEADS, WIDTH, as_beit3, normalised, scattered
from .test_layouts import tiles as tiles
from .two_towers import (
    DIM,
    SENTENCES,
    TEXT_DEPTH,
    TEXT_HEADS,
    TEXT_WIDTH,
    conch_file,
    open_clip_file,
    saved,
    small,
    small_conch,
    trunk_of,
    wordpieces,
)

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
transformers = pytest.importorskip("transformers")

Loader = Callable[..., Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loader:
    """`load_encoder` as a user calls it, for an entry that is not in the catalogue."""

    def loaded(entry: Entry, path: Path) -> Any:
        monkeypatch.setattr(loading, "find_entry", lambda *_, **__: entry)
        return load_encoder(
            entry.id,
            accept_licence=True,
            weights=path,
            folder=tmp_path / "none",
            device="cpu",
            precision="fp32",
        )

    return loaded


def unit(vectors: Any) -> np.ndarray:
    array = vectors.detach().numpy() if hasattr(vectors, "detach") else np.asarray(vectors)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def assert_agrees(encoder: Any, tiles: np.ndarray, texts: Any, images: Any) -> None:
    """Texts, images and the cosines between them are those of the other library."""
    read = encoder.text.vectors(SENTENCES)
    seen = encoder.text.images(encoder.encode(tiles, ()).embedding)
    for ours, theirs in ((read, unit(texts)), (seen, unit(images))):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(read[0] - read[1]).max() > 1e-3  # the texts are told apart
    np.testing.assert_allclose(seen @ read.T, unit(images) @ unit(texts).T, atol=1e-5)


# --- CLIP ---


def test_transformers_clip(tiles: np.ndarray, tmp_path: Path, load: Loader) -> None:
    entry = small("plip")
    text = {
        "hidden_size": TEXT_WIDTH,
        "num_hidden_layers": TEXT_DEPTH,
        "num_attention_heads": TEXT_HEADS,
        "intermediate_size": 4 * TEXT_WIDTH,
        "hidden_act": "quick_gelu",
        "bos_token_id": 49406,
        "eos_token_id": 49407,
    }
    vision = {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "intermediate_size": 4 * WIDTH,
        "hidden_act": "quick_gelu",
        "patch_size": 32,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIM)
    theirs = scattered(transformers.CLIPModel(config))
    theirs.save_pretrained(tmp_path)
    encoder = load(entry, tmp_path / "model.safetensors")
    tokens = [encoder.text._tokenize(s) for s in SENTENCES]
    longest = max(map(len, tokens))
    ids = torch.tensor([t + [49407] * (longest - len(t)) for t in tokens])
    with torch.inference_mode():
        out = theirs(
            input_ids=ids,
            attention_mask=torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t in tokens]),
            pixel_values=normalised(tiles, entry),
        )
    assert_agrees(encoder, tiles, out.text_embeds, out.image_embeds)


@pytest.mark.parametrize("name", ["pathgen-clip", "quiltnet-b-32"])
def test_open_clip(tiles: np.ndarray, tmp_path: Path, load: Loader, name: str) -> None:
    import open_clip

    # quick_gelu is transformers' part of the tests; the same files come with either.
    entry = small(name, arch="vit_base_patch16_clip_224", patch_px=16, text={"activation": "gelu"})
    path, theirs = open_clip_file(tmp_path, entry)
    with torch.inference_mode():
        texts = theirs.encode_text(open_clip.tokenize(list(SENTENCES)))
        images = theirs.encode_image(normalised(tiles, entry))
    assert_agrees(load(entry, path), tiles, texts, images)


# --- BERT ---


def bert(pooler: bool, width: int, heads: int, words: int) -> Any:
    config = transformers.BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=TEXT_DEPTH,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    return config, scattered(transformers.BertModel(config, add_pooling_layer=pooler))


def padded(folder: Path, to: int) -> Any:
    """The sentences as transformers tokenizes them, filled up as the makers do."""
    known = transformers.BertTokenizer(str(wordpieces(folder)), do_lower_case=True)
    return known(
        list(SENTENCES), max_length=to, padding="max_length", truncation=True, return_tensors="pt"
    )


def test_keep(tiles: np.ndarray, tmp_path: Path, load: Loader) -> None:
    entry = small("keep", text={"vocabulary": 30})
    _, theirs = bert(True, entry.text.width, entry.text.heads, 30)
    trunk = trunk_of(entry)
    head = scattered(
        torch.nn.Sequential(torch.nn.Linear(WIDTH, DIM), torch.nn.GELU(), torch.nn.Linear(DIM, DIM))
    )
    state = {f"visual.{k.replace('.gamma', '.weight')}": v for k, v in trunk.state_dict().items()}
    state |= {f"visual_head.{k}": v for k, v in head.state_dict().items()}
    state |= {f"text.{k}": v for k, v in theirs.state_dict().items()}
    state |= {"logit_scale": torch.ones(()), "text.embeddings.position_ids": torch.arange(512)}
    path = saved(state, tmp_path / "pytorch_model.bin")
    with torch.inference_mode():
        texts = theirs(**padded(tmp_path, 256)).pooler_output
        images = head(trunk.forward_features(normalised(tiles, entry))[:, 0])
    assert_agrees(load(entry, path), tiles, texts, images)


def test_quiltnet_with_pubmedbert(tiles: np.ndarray, tmp_path: Path, load: Loader) -> None:
    from open_clip.hf_model import HFTextEncoder

    entry = small("quiltnet-b-16-pmb", text={"vocabulary": 30})
    config, _ = bert(False, TEXT_WIDTH, TEXT_HEADS, 30)
    theirs = scattered(
        HFTextEncoder(
            "",
            output_dim=DIM,
            config=config,
            pooler_type="cls_last_hidden_state_pooler",
            proj_type="mlp",
        )
    )
    trunk, projection = trunk_of(entry), torch.randn(DIM, WIDTH)
    state = {f"visual.trunk.{k}": v for k, v in trunk.state_dict().items()}
    # The file has no pooler: nothing was left for it to do.
    state |= {f"text.{k}": v for k, v in theirs.state_dict().items() if ".pooler." not in k}
    state |= {"visual.head.proj.weight": projection, "logit_scale": torch.ones(())}
    path = saved(state, tmp_path / "open_clip_pytorch_model.bin")
    with torch.inference_mode():
        texts = theirs(padded(tmp_path, 256)["input_ids"])
        images = trunk.forward_features(normalised(tiles, entry))[:, 0] @ projection.T
    assert_agrees(load(entry, path), tiles, texts, images)


# --- CONCH ---


def attended(q: Any, k: Any, v: Any, heads: int, hidden: Any) -> Any:
    """Attention of (t, w), written out; where ``hidden`` is true nothing is seen."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(0, 1) for x in (q, k, v))
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    out = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v
    return out.transpose(0, 1).flatten(1)


def linear(x: Any, state: dict[str, Any], name: str) -> Any:
    return torch.nn.functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def norm(x: Any, state: dict[str, Any], name: str) -> Any:
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    return torch.nn.functional.layer_norm(x, x.shape[-1:], weight, bias)


def conch_reads(state: dict[str, Any], ids: list[int], context: int, heads: int) -> Any:
    """What CONCH's makers compute, written out.

    The class token stands last. Others see what comes before them. The class token sees those
    places whose neighbour to the left is a token: one further than the text goes.
    """
    ids = ids + [0] * (context - 1 - len(ids))
    x = torch.cat([state["token_embedding.weight"][ids], state["cls_emb"][None]])
    x = x + state["positional_embedding"]
    hidden = torch.ones(context, context, dtype=torch.bool).triu(1)
    hidden[-1] = torch.tensor([False, *(i == 0 for i in ids)])
    for layer in range(TEXT_DEPTH):
        at = f"transformer.resblocks.{layer}"
        y = norm(x, state, f"{at}.ln_1")
        weight, bias = state[f"{at}.attn.in_proj_weight"], state[f"{at}.attn.in_proj_bias"]
        q, k, v = torch.nn.functional.linear(y, weight, bias).chunk(3, -1)
        x = x + linear(attended(q, k, v, heads, hidden), state, f"{at}.attn.out_proj")
        y = torch.nn.functional.gelu(linear(norm(x, state, f"{at}.ln_2"), state, f"{at}.mlp.c_fc"))
        x = x + linear(y, state, f"{at}.mlp.c_proj")
    return norm(x[-1], state, "ln_final") @ state["text_projection"]


def test_conch(tiles: np.ndarray, tmp_path: Path, load: Loader) -> None:
    conch = small_conch()
    path, tower, sees, state, _ = conch_file(tmp_path, conch)
    encoder = load(conch, path)
    tokens = [encoder.text._tokenize(s) for s in SENTENCES]
    assert all(t[0] == 1 and t[-1] == 2 for t in tokens)
    filled = torch.tensor([t + [0] * (39 - len(t)) for t in tokens])
    with torch.inference_mode():
        texts = torch.stack([conch_reads(state, t, 40, TEXT_HEADS) for t in tokens])
        np.testing.assert_allclose(tower(filled).numpy(), texts.numpy(), atol=1e-4)
        images = sees(normalised(tiles, conch))
    assert_agrees(encoder, tiles, texts, images)


def test_embeddings_of_conch_lie_elsewhere_than_its_texts(
    tiles: np.ndarray, tmp_path: Path, load: Loader
) -> None:
    """Without its last matrix an embedding has the right length and means nothing to texts."""
    conch = small_conch()
    path, _, _, _, matrix = conch_file(tmp_path, conch)
    encoder = load(conch, path)
    embedding = encoder.encode(tiles, ()).embedding
    seen = encoder.text.images(embedding)
    np.testing.assert_allclose(seen, unit(embedding @ matrix.numpy()), atol=1e-5)
    assert np.abs(seen - unit(embedding)).max() > 0.1


# --- MUSK ---


def musk_reads(state: dict[str, Any], ids: list[int], heads: int) -> Any:
    """What BEiT-3 computes of a text, written out: branch B, and places that begin at 2.

    Filled up to 20 tokens that nobody sees, as its makers do.
    """
    real, ids = len(ids), ids + [1] * (20 - len(ids))
    hidden = (torch.arange(20) >= real).expand(20, 20)
    x = state["beit3.text_embed.weight"][ids]
    x = x + state["beit3.encoder.embed_positions.B.weight"][2:22]
    x = x * ~hidden[0][:, None]
    for layer in range(TEXT_DEPTH):
        at = f"beit3.encoder.layers.{layer}"
        y = norm(x, state, f"{at}.self_attn_layer_norm.B")
        q, k, v = (linear(y, state, f"{at}.self_attn.{part}_proj.B") for part in "qkv")
        y = norm(attended(q, k, v, heads, hidden), state, f"{at}.self_attn.inner_attn_ln.B")
        x = x + linear(y, state, f"{at}.self_attn.out_proj.B")
        y = linear(norm(x, state, f"{at}.final_layer_norm.B"), state, f"{at}.ffn.B.fc1")
        y = norm(torch.nn.functional.gelu(y), state, f"{at}.ffn.B.ffn_layernorm")
        x = x + linear(y, state, f"{at}.ffn.B.fc2")
    first = norm(x, state, "beit3.encoder.layer_norm.B")[0]
    return first @ state["language_head.weight"].T


def musk_state(entry: Entry) -> tuple[dict[str, Any], Any]:
    """A file as MUSK's is, and its image tower in timm."""
    trunk = trunk_of(entry)
    state = as_beit3(trunk.state_dict())
    torch.manual_seed(1)
    both = {
        k.replace(".A.", ".B."): torch.randn_like(v) * 0.2 for k, v in state.items() if ".A." in k
    }
    state |= both
    state["encoder.embed_positions.B.weight"] = torch.randn(1024, WIDTH)
    state["text_embed.weight"] = torch.randn(entry.text.vocabulary, WIDTH)
    state["vision_embed.mask_token"] = torch.zeros(1, 1, WIDTH)
    state = {f"beit3.{k}": v for k, v in state.items()}
    for head in ("vision_head", "language_head"):
        state[f"{head}.weight"] = torch.randn(WIDTH, WIDTH) * 0.3
    return state | {"logit_scale": torch.ones(())}, trunk


@pytest.fixture
def musk() -> Entry:
    return small("musk", args={"img_size": 224}, input_px=224, text={"vocabulary": 90})


def test_musk(
    tiles: np.ndarray,
    tmp_path: Path,
    load: Loader,
    musk: Entry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state, trunk = musk_state(musk)
    tokens = {s: [0, *(4 + ord(c) % 80 for c in s[:9]), 2] for s in SENTENCES}
    monkeypatch.setattr(text_module, "tokenizer_of", lambda *_: tokens.__getitem__)
    encoder = load(musk, saved(state, tmp_path / "model.pth"))
    with torch.inference_mode():
        texts = torch.stack([musk_reads(state, tokens[s], HEADS) for s in SENTENCES])
        seen = trunk.forward_features(normalised(tiles, musk))[:, 0]
        images = seen @ state["vision_head.weight"].T
    assert_agrees(encoder, tiles, texts, images)
