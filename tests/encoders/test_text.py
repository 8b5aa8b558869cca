"""Texts: the same vectors as the makers' own libraries give, out of the files they release."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Entry, catalogue, load_encoder, loading
from napari_scalescope.encoders import text as text_module
from napari_scalescope.encoders.text import TEMPLATES, TextTower, load_text_tower, prompts
from napari_scalescope.errors import EncoderError

from .test_layouts import HEADS, WIDTH, normalised, scattered
from .test_layouts import tiles as tiles
from .two_towers import (
    DIM,
    SENTENCES,
    TEXT_DEPTH,
    TEXT_HEADS,
    TEXT_WIDTH,
    byte_pairs,
    open_clip_file,
    saved,
    small,
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


def test_clip_cuts_what_is_too_long_as_open_clip_does() -> None:
    import open_clip

    from napari_scalescope.encoders.text_tokens import tokenizer_of

    entry = catalogue()["plip"]
    tokenize = tokenizer_of(entry, entry.text, None, None)
    for text in ("Lymphocytes &amp; fat", "mitosis " * 100):
        expected = open_clip.tokenize([text])[0].tolist()
        ours = tokenize(text)
        assert ours == expected[: len(ours)]
        assert not any(expected[len(ours) :])


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


def conch_file(folder: Path, entry: Entry) -> tuple[Path, Any, Any, dict[str, Any], Any]:
    from open_clip.model import CLIPTextCfg, _build_text_tower
    from open_clip.transformer import AttentionalPooler

    config = CLIPTextCfg(
        context_length=entry.text.context - 1,
        vocab_size=entry.text.vocabulary,
        width=TEXT_WIDTH,
        heads=TEXT_HEADS,
        layers=TEXT_DEPTH,
        embed_cls=True,
    )
    tower = scattered(_build_text_tower(DIM, config))
    trunk = trunk_of(entry)
    pool = scattered(AttentionalPooler(DIM, WIDTH, n_head=8, n_queries=1))
    after = scattered(torch.nn.LayerNorm(DIM))
    parts = {"visual.trunk": trunk, "visual.attn_pool_contrast": pool, "visual.ln_contrast": after}
    state = {f"{at}.{k}": v for at, part in parts.items() for k, v in part.state_dict().items()}
    state |= {f"text.{k}": v for k, v in tower.state_dict().items()}
    matrix = torch.randn(DIM, DIM)
    state |= {"visual.proj_contrast": matrix, "visual.attn_pool_caption.query": torch.ones(4, 4)}
    state |= {"logit_scale": torch.ones(())}

    def sees(pixels: Any) -> Any:
        return after(pool(trunk.forward_features(pixels))[:, 0]) @ matrix

    byte_pairs(folder)
    path = saved(state, folder / "pytorch_model.bin")
    return path, tower, sees, dict(tower.state_dict()), matrix


@pytest.fixture
def conch() -> Entry:
    changes = {"vocabulary": 300, "context": 40}
    return small("conch", args={"img_size": 224}, input_px=224, text=changes)


def test_conch(tiles: np.ndarray, tmp_path: Path, load: Loader, conch: Entry) -> None:
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
    tiles: np.ndarray, tmp_path: Path, load: Loader, conch: Entry
) -> None:
    """Without its last matrix an embedding has the right length and means nothing to texts."""
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
    names = (
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
    from .test_layouts import renamed

    state: dict[str, Any] = {}
    for name, tensor in trunk.state_dict().items():
        if ".attn.qkv." in name:
            for which, part in zip("qkv", tensor.chunk(3), strict=True):
                state[name.replace("attn.qkv.", f"self_attn.{which}_proj.A.")] = part
        else:
            state[name] = tensor
    state = renamed(state, *names)
    places = state.pop("pos_embed")[0]
    torch.manual_seed(1)
    both = {
        k.replace(".A.", ".B."): torch.randn_like(v) * 0.2 for k, v in state.items() if ".A." in k
    }
    state |= both
    state["encoder.embed_positions.A.weight"] = torch.cat([torch.ones(2, WIDTH), places])
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


def test_sentencepiece_is_numbered_as_xlm_r_does(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    from napari_scalescope.encoders.text_tokens import tokenizer_of

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*SENTENCES] * 20),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (tmp_path / "tokenizer.model").rename(tmp_path / "tokenizer.spm")
    entry = catalogue()["musk"]
    tokenize = tokenizer_of(entry, entry.text, tmp_path / "model.safetensors", None)
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.spm"))
    ids = tokenize("fat. 漢")
    assert ids[0] == 0
    assert ids[-2:] == [3, 2]  # unknown, end
    known = [*pieces.encode("fat. ", out_type=str), "▁"]
    assert [pieces.id_to_piece(i - 1) for i in ids[1:-2]] == known
    assert len(tokenize("fat " * 300)) == 100


# --- what is asked ---


class Loud:
    """A network that says what it was given."""

    def __init__(self) -> None:
        self.given: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Any:
        self.given.append(texts)
        return torch.tensor([[float(len(t)), 1.0, 0.0] for t in texts])


def test_a_name_is_worded_in_several_ways_and_a_sentence_is_not() -> None:
    network = Loud()
    entry = catalogue()["plip"]
    tower = TextTower(entry, network, lambda text: text, None)  # type: ignore[arg-type,return-value]
    found = tower.vectors(["  fat\n cells ", "Fat cells are shown."])
    assert network.given[0] == [t.format("fat cells") for t in TEMPLATES]
    assert network.given[1] == ["Fat cells are shown."]
    lengths = unit([[len(t), 1.0, 0.0] for t in network.given[0]])
    np.testing.assert_allclose(found[0], unit(lengths.mean(0)), atol=1e-6)
    assert tower.vectors([]).shape == (0, 512)
    assert prompts("a {} in braces") == [t.format("a {} in braces") for t in TEMPLATES]


# --- what can be wrong ---


def test_a_tower_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    entry = small("pathgen-clip")
    path, theirs = open_clip_file(tmp_path, entry)
    whole = dict(theirs.state_dict())
    load_text_tower(entry, path)

    def tower_of(state: dict[str, Any]) -> TextTower:
        return load_text_tower(entry, saved(state, tmp_path / "other.pt"))

    name = "transformer.resblocks.1.mlp.c_fc.bias"
    with pytest.raises(EncoderError, match=r"not that of PathGen-CLIP: Missing.*mlp\.c_fc\.bias"):
        tower_of({k: v for k, v in whole.items() if k != name})
    more = whole | {"transformer.resblocks.2.ln_1.bias": torch.ones(TEXT_WIDTH)}
    with pytest.raises(EncoderError, match="Unexpected"):
        tower_of(more)
    with pytest.raises(EncoderError, match="size mismatch"):
        tower_of(whole | {"text_projection": torch.ones(TEXT_WIDTH, 7)})
    with pytest.raises(EncoderError, match="only the half of PathGen-CLIP that sees"):
        tower_of({k: v for k, v in whole.items() if k.startswith("visual.")})


def test_the_matrix_of_images_has_to_be_there(tmp_path: Path, conch: Entry) -> None:
    path, *_ = conch_file(tmp_path, conch)
    state = torch.load(path, weights_only=True)
    del state["visual.proj_contrast"]
    with pytest.raises(EncoderError, match="lacks the matrix"):
        load_text_tower(conch, saved(state, tmp_path / "other.pt"))


@pytest.mark.parametrize(
    ("name", "file", "where"),
    [
        ("keep", "vocab.txt", "scalescope download keep"),
        ("quiltnet-b-16-pmb", "vocab.txt", "scalescope download quiltnet-b-16-pmb"),
        ("conch", "conch_byte_level_bpe_uncased.json", "mahmoodlab/CONCH"),
        ("musk", "tokenizer.spm", "scalescope download musk"),
    ],
)
def test_which_vocabulary_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, file: str, where: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "encoders"
    with pytest.raises(EncoderError, match=file) as caught:
        load_text_tower(catalogue()[name], tmp_path / "model.bin", home)
    assert where in caught.value.remedy
    assert str(home / name) in caught.value.remedy


def test_where_a_vocabulary_is_looked_for(tmp_path: Path) -> None:
    from napari_scalescope.encoders.text_tokens import find_tokenizer

    entry = catalogue()["keep"]
    home, beside = tmp_path / "encoders", tmp_path / "downloads"
    for folder in (home / "keep", beside):
        folder.mkdir(parents=True)
    weights = beside / "model.safetensors"
    assert find_tokenizer(entry, entry.text, weights, home) is None
    theirs = wordpieces(beside)
    assert find_tokenizer(entry, entry.text, weights, home) == theirs
    own = wordpieces(home / "keep")
    assert find_tokenizer(entry, entry.text, weights, home) == own
    own.unlink()
    wordpieces(home)  # nobody's: it does not say whose it is
    assert find_tokenizer(entry, entry.text, home / "keep.safetensors", home) is None


def test_a_vocabulary_of_another_encoder_is_refused(tmp_path: Path) -> None:
    wordpieces(tmp_path)
    entry = small("keep", text={"vocabulary": 10})
    with pytest.raises(EncoderError, match=r"vocab\.txt is not the vocabulary of KEEP"):
        load_text_tower(entry, tmp_path / "model.bin")
    (tmp_path / "conch_byte_level_bpe_uncased.json").write_text("{")
    with pytest.raises(EncoderError, match="not a readable vocabulary"):
        load_text_tower(catalogue()["conch"], tmp_path / "model.bin")


@pytest.mark.parametrize(
    ("name", "library"),
    [("plip", "open_clip"), ("keep", "transformers"), ("conch", "open_clip")],
)
def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, library: str
) -> None:
    for module in [m for m in sys.modules if m.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(EncoderError, match=library) as caught:
        load_text_tower(catalogue()[name], tmp_path / "model.bin")
    assert 'pip install "napari-scalescope[text]"' in caught.value.remedy


def test_an_encoder_that_reads_nothing_says_who_does() -> None:
    encoder = load_encoder("untrained", device="cpu", precision="fp32")
    with pytest.raises(EncoderError, match=r"Untrained ViT-Tiny reads no texts\. .*KEEP.*PLIP"):
        _ = encoder.text


def test_specs_that_contradict_themselves_are_refused() -> None:
    from napari_scalescope.encoders.text_spec import TextSpec

    spec = catalogue()["keep"].text.model_dump()
    for wrong in ({"pool": "end"}, {"tokenizer": ()}, {"dim": 5}):
        with pytest.raises(ValueError, match=r"pooled|vocabulary|dimensions"):
            TextSpec.model_validate(spec | wrong)
    entry = catalogue()["plip"].model_dump()
    with pytest.raises(ValueError, match="texts have 7 dimensions"):
        Entry.model_validate(entry | {"text": entry["text"] | {"dim": 7}})
