"""`TextTower`: texts in, vectors out that can be compared with tiles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EncoderError
from .catalogue import Entry, catalogue
from .text_layouts import image_matrix, text_state
from .text_spec import TextSpec
from .text_tokens import Tokenizer, needed, tokenizer_of
from .torch_import import torch_module
from .weights import read_state

Vectors = npt.NDArray[np.float32]

#: What a name is put into. Image and text towers were trained on captions, and the vector of a
#: bare word depends on how it is worded; the mean over several wordings does less so (CLIP,
#: Radford et al. 2021, section 3.1.4; CONCH, Lu et al. 2024, used 22 for pathology).
TEMPLATES = (
    "{}",
    "{} is present.",
    "an H&E image of {}.",
    "a photomicrograph of {}.",
    "a histopathology image that shows {}.",
    "{}, H&E stain.",
)


def prompts(text: str) -> list[str]:
    """The wordings of a text: one that ends like a sentence is taken as it is."""
    text = " ".join(text.split())
    return [text] if text.endswith((".", "!", "?")) else [t.format(text) for t in TEMPLATES]


class TextTower:
    """The half of an encoder that reads. Made by `load_text_tower`, or asked of an `Encoder`.

    It runs on the processor in float32: a text is some dozens of tokens.

    Parameters
    ----------
    entry : Entry
    network : Module
        One of `text_networks`, with its numbers.
    tokenize : callable
        A text to the numbers of its tokens.
    matrix : (D, T) float32 or None
        What brings an embedding into the space that texts share; None where it is there already.
    """

    def __init__(
        self, entry: Entry, network: Any, tokenize: Tokenizer, matrix: Vectors | None
    ) -> None:
        self.entry = entry
        self._network = network
        self._tokenize = tokenize
        self._matrix = matrix

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Texts as directions in the space they share with images.

        A name ("lymphocytes") is worded in several ways (`TEMPLATES`) and gets the mean of their
        directions. A sentence, which ends with a full stop, is taken as it is.

        Parameters
        ----------
        texts : sequence of m str

        Returns
        -------
        (m, T) float32, of length 1
        """
        torch = torch_module()
        found = []
        with torch.inference_mode():
            for text in texts:
                tokens = [self._tokenize(prompt) for prompt in prompts(text)]
                try:
                    read = self._network(tokens).numpy()
                except RuntimeError as error:  # as torch's all are
                    raise EncoderError(
                        f"{self.entry.name} failed to read “{text}”: {error}",
                        "Free some memory and try again.",
                    ) from error
                found.append(_unit(_unit(read).mean(0)))
        return np.stack(found) if found else np.empty((0, text_spec(self.entry).dim), np.float32)

    def images(self, embeddings: npt.ArrayLike) -> Vectors:
        """Embeddings of the same encoder as directions in the space they share with texts.

        Parameters
        ----------
        embeddings : (n, D)

        Returns
        -------
        (n, T) float32, of length 1
        """
        vectors = np.asarray(embeddings, np.float32)
        return _unit(vectors if self._matrix is None else vectors @ self._matrix)


def load_text_tower(entry: Entry, weights: Path | None, folder: Path | None = None) -> TextTower:
    """The text tower out of the weights file of an encoder.

    Parameters
    ----------
    entry : Entry
    weights : path or None
        The file the image tower was loaded from. It holds both.
    folder : path, optional
        The encoder folder, where the vocabulary is looked for first.

    Raises
    ------
    EncoderError
        If the encoder has no text tower; if the file has none, not all of one, or another's; if
        the vocabulary or a library is missing.
    """
    spec = text_spec(entry)
    if weights is None:
        raise EncoderError(f"{entry.name} has no weights file to read from.", "Choose one.")
    needed("transformers.models.bert" if spec.kind == "bert" else "timm", entry)
    if spec.kind in ("clip", "coca"):
        needed("open_clip.transformer", entry)
    torch_module()
    from .text_networks import network_of

    tokenize = tokenizer_of(entry, spec, weights, folder)
    state = read_state(weights)
    ours = {name: tensor.float() for name, tensor in text_state(state, spec).items()}
    if not ours:
        raise EncoderError(
            f"{weights.name} holds only the half of {entry.name} that sees, not that which reads.",
            "Choose the file its makers released, which holds both.",
        )
    network = network_of(spec, entry.arch)
    try:
        network.load_state_dict(ours, strict=True, assign=True)
    except RuntimeError as error:
        said = " ".join(line.strip() for line in str(error).splitlines()[1:])[:300]
        raise EncoderError(
            f"The text tower in {weights.name} is not that of {entry.name}: {said}",
            "Choose the file its makers released for this very model.",
        ) from error
    matrix = None
    if spec.image_projection:
        found = image_matrix(state, spec)
        if found is None or tuple(found.shape) != (entry.dim, spec.dim):
            raise EncoderError(
                f"{weights.name} lacks the matrix that brings tiles of {entry.name} to its texts.",
                "Choose the file its makers released, which holds it.",
            )
        matrix = found.float().numpy()
    return TextTower(entry, network.eval().requires_grad_(False), tokenize, matrix)


def text_spec(entry: Entry) -> TextSpec:
    """What the catalogue says of an encoder's text tower. EncoderError if it has none."""
    if entry.text is None:
        able = ", ".join(e.name for e in catalogue().values() if e.text is not None)
        raise EncoderError(f"{entry.name} reads no texts.", f"These do: {able}.")
    return entry.text


def _unit(vectors: Vectors) -> Vectors:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), np.float32)
