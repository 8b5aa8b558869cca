"""Texts as numbers: an encoder's vocabulary, and where it is on this machine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import EncoderError
from .catalogue import Entry
from .text_spec import TextSpec

#: A text to the numbers of its tokens, those that begin and end it included.
Tokenizer = Callable[[str], list[int]]


def needed(module: str, entry: Entry) -> Any:
    """A library that only text towers need.

    Raises
    ------
    EncoderError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise EncoderError(
            f"Texts for {entry.name} need the library {module.partition('.')[0]} ({error}).",
            'Install it: pip install "napari-scalescope[text]"',
        ) from error


def tokenizer_of(
    entry: Entry, spec: TextSpec, weights: Path | None, folder: Path | None
) -> Tokenizer:
    """What turns texts into an encoder's tokens.

    Raises
    ------
    EncoderError
        If its vocabulary is not on this machine, is damaged or another's.
    """
    if spec.kind == "clip":
        return _clip(entry, spec)
    path = find_tokenizer(entry, spec, weights, folder)
    if path is None:
        raise _missing(entry, spec, folder)
    read = _sentencepiece if path.suffix in (".spm", ".model") else _wordpiece
    try:
        tokenize, size = read(path, entry, spec)
    except EncoderError:
        raise
    except Exception as error:  # readers of vocabularies raise their own kinds
        raise EncoderError(
            f"{path.name} is not a readable vocabulary ({error}).", "Get it again."
        ) from error
    if size > spec.vocabulary:
        raise EncoderError(
            f"{path.name} is not the vocabulary of {entry.name}: it has {size:,} tokens, "
            f"not {spec.vocabulary:,}.",
            f"Get the one its makers released ({_page(entry, spec)}).",
        )
    return tokenize


def find_tokenizer(
    entry: Entry, spec: TextSpec, weights: Path | None, folder: Path | None
) -> Path | None:
    """The file with an encoder's vocabulary, without asking any network.

    Looked for in order: ``<folder>/<id>/``, beside the weights, the hub's own cache. What lies
    in the encoder folder itself is nobody's: several encoders call theirs by the same name.
    """
    places = [folder / entry.id] if folder is not None else []
    if weights is not None and weights.parent != folder:
        places.append(weights.parent)
    for place in places:
        for name in spec.tokenizer:
            if (place / name).is_file():
                return place / name
    if entry.hub is not None:
        from huggingface_hub import try_to_load_from_cache

        for name in spec.tokenizer:
            found = try_to_load_from_cache(entry.hub, name)
            if isinstance(found, str):
                return Path(found)
    return None


def _missing(entry: Entry, spec: TextSpec, folder: Path | None) -> EncoderError:
    name = spec.tokenizer[0]
    place = folder / entry.id if folder else "the encoder's folder in the encoder folder"
    get = f"Get it from {_page(entry, spec)}"
    if entry.hub is not None and not spec.tokenizer_page:
        get = f"Run `scalescope download {entry.id}`"
    return EncoderError(
        f"Texts for {entry.name} need {name}, its vocabulary, which is not on this machine.",
        f"{get}; or put {name} into {place}.",
    )


def _page(entry: Entry, spec: TextSpec) -> str:
    return spec.tokenizer_page or entry.page


def _clip(entry: Entry, spec: TextSpec) -> Tokenizer:
    """CLIP's byte pairs (Radford et al. 2021), which open_clip brings along."""
    known = needed("open_clip.tokenizer", entry).SimpleTokenizer(context_length=spec.context)

    def tokenize(text: str) -> list[int]:
        numbers = [known.sot_token_id, *known.encode(text)][: spec.context - 1]
        return [*numbers, known.eot_token_id]

    return tokenize


def _wordpiece(path: Path, entry: Entry, spec: TextSpec) -> tuple[Tokenizer, int]:
    """A vocabulary as BERT has it, one piece a line, or what the library tokenizers wrote."""
    tokenizers = needed("tokenizers", entry)
    if path.suffix == ".json":
        known = tokenizers.Tokenizer.from_file(str(path))
    else:
        known = tokenizers.BertWordPieceTokenizer(str(path), lowercase=True)
    # CoCa's class token takes the last place.
    known.enable_truncation(spec.context - (spec.kind == "coca"))
    known.no_padding()
    return lambda text: list(known.encode(text).ids), known.get_vocab_size()


def _sentencepiece(path: Path, entry: Entry, spec: TextSpec) -> tuple[Tokenizer, int]:
    """A sentencepiece model numbered as XLM-R numbers it (Conneau et al. 2020; fairseq).

    Numbers 0 to 3 are begin, pad, end and unknown, and the model's own pieces follow from its
    third on, one later than the model counts them.
    """
    begin, end, unknown = 0, 2, 3
    known = needed("sentencepiece", entry).SentencePieceProcessor(model_file=str(path))

    def tokenize(text: str) -> list[int]:
        pieces = known.encode(text)[: spec.context - 2]
        return [begin, *(p + 1 if p else unknown for p in pieces), end]

    return tokenize, known.get_piece_size() + 1
