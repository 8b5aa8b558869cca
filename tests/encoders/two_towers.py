"""Small random encoders that see and read, in files such as their makers release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_scalescope.encoders import Entry, catalogue

from .test_layouts import HEADS, WIDTH, build_real, narrow, scattered

#: Of the text towers: small, and not what the image towers have.
TEXT_WIDTH, TEXT_HEADS, TEXT_DEPTH = 48, 3, 2
DIM = 32

#: Sentences are taken as they are: what comes out is what the makers' own library gives for them.
SENTENCES = ("lymphocytes are present.", "an H&E image of fat.", "Mucin?")

WORDS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "lymph", "##ocytes", "are", "present", ".", "an",
    "h", "&", "e", "image", "of", "fat", "mu", "##cin", "?",
)  # fmt: skip


def small(name: str, **changes: Any) -> Entry:
    """An entry with both towers small."""
    spec = catalogue()[name].text
    assert spec is not None
    beit3 = spec.kind == "beit3"
    width = WIDTH if beit3 else DIM if spec.head is None else TEXT_WIDTH
    heads = HEADS if beit3 else 2 if spec.head is None else TEXT_HEADS
    dim = WIDTH if beit3 else DIM
    sizes = {"width": width, "heads": heads, "layers": TEXT_DEPTH, "dim": dim}
    sizes |= changes.pop("text", {})
    return narrow(name, text=spec.model_copy(update=sizes), **changes)


def wordpieces(folder: Path) -> Path:
    """A vocabulary as BERT has it."""
    path = folder / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


def byte_pairs(folder: Path) -> Path:
    """A vocabulary such as CONCH's: bytes, lower case, a token at the beginning and at the end."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from tokenizers.trainers import BpeTrainer

    known = Tokenizer(models.BPE())
    known.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    known.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    known.decoder = decoders.ByteLevel()
    marks = ["<pad>", "<start_of_text>", "<end_of_text>"]
    trainer = BpeTrainer(
        vocab_size=300,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    known.train_from_iterator([s.lower() for s in SENTENCES], trainer)
    known.post_processor = processors.TemplateProcessing(
        single="<start_of_text> $A <end_of_text>",
        special_tokens=[("<start_of_text>", 1), ("<end_of_text>", 2)],
    )
    path = folder / "conch_byte_level_bpe_uncased.json"
    known.save(str(path))
    return path


def saved(state: dict[str, Any], path: Path) -> Path:
    """As `torch.save` writes it, in memory of its own."""
    import torch

    torch.save({k: v.detach().clone() for k, v in state.items()}, path)
    return path


def open_clip_file(folder: Path, entry: Entry) -> tuple[Path, Any]:
    """What PathGen-CLIP releases, and the model that wrote it."""
    from open_clip.model import CLIP

    assert entry.text is not None
    theirs = scattered(
        CLIP(
            entry.dim,
            {
                "image_size": 224,
                "layers": 2,
                "width": WIDTH,
                "head_width": WIDTH // HEADS,
                "patch_size": entry.patch_px,
            },
            {
                "context_length": entry.text.context,
                "vocab_size": entry.text.vocabulary,
                "width": entry.text.width,
                "heads": entry.text.heads,
                "layers": entry.text.layers,
            },
        )
    )
    names = {f"module.{k}": v for k, v in theirs.state_dict().items()}
    return saved(names, folder / "pathgen-clip.pt"), theirs


def trunk_of(entry: Entry) -> Any:
    """A random timm network of an entry."""
    return scattered(build_real(entry)["trunk"])


def small_conch() -> Entry:
    """An entry like CONCH's, small."""
    changes = {"vocabulary": 300, "context": 40}
    return small("conch", args={"img_size": 224}, input_px=224, text=changes)


def conch_file(folder: Path, entry: Entry) -> tuple[Path, Any, Any, dict[str, Any], Any]:
    """CONCH's file, its text tower, what makes vectors of tiles, its tensors and last matrix."""
    import torch
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
