"""What a text tower is asked, in which tokens, and what can be wrong with its file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_scalescope.encoders import Entry, catalogue, load_encoder
from napari_scalescope.encoders.text import TEMPLATES, TextTower, load_text_tower, prompts
from napari_scalescope.errors import EncoderError

from .test_layouts import tiles as tiles
from .two_towers import (
    SENTENCES,
    TEXT_WIDTH,
    conch_file,
    open_clip_file,
    saved,
    small,
    small_conch,
    wordpieces,
)

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
transformers = pytest.importorskip("transformers")


def unit(vectors: Any) -> np.ndarray:
    array = vectors.detach().numpy() if hasattr(vectors, "detach") else np.asarray(vectors)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


# --- tokens ---


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


def test_the_matrix_of_images_has_to_be_there(tmp_path: Path) -> None:
    conch = small_conch()
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
    for wrong in ({"pool": "end"}, {"tokenizer": ()}, {"dim": 5}, {"image_projection": True}):
        with pytest.raises(ValueError, match=r"pooled|vocabulary|dimensions|matrix"):
            TextSpec.model_validate(spec | wrong)
    entry = catalogue()["plip"].model_dump()
    with pytest.raises(ValueError, match="texts have 7 dimensions"):
        Entry.model_validate(entry | {"text": entry["text"] | {"dim": 7}})
