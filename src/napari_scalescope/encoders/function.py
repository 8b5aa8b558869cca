"""An `Encoder` whose network is a Python function."""

from __future__ import annotations

import threading
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from ..errors import EncoderError
from .batches import BatchSize
from .encoder import FEED, LARGEST, Encoder, Pixels
from .encoding import Encoding, Part, Tokens
from .own import Own, digest_of


class FunctionEncoder(Encoder):
    """Runs what `register_encoder` was given, and holds it to what was said of it."""

    def __init__(self, own: Own) -> None:
        assert own.function is not None
        self.entry = own.entry
        self.device = "cpu"
        self.precision = "fp32"
        self.weights_sha256 = digest_of(own)
        self.attention = own.entry.looks_with
        self.weights = self._folder = None
        self._function = own.function
        self._network = own.function
        self._passing = threading.Lock()
        self._batch = BatchSize(LARGEST["cpu"])

    @property
    def depth(self) -> int:
        """Nothing is known of its blocks."""
        return 1

    @property
    def feed(self) -> int:
        """Tiles to hand over at once in a long run."""
        return FEED

    def looking(self, source: object) -> Encoder:
        """Only what the function gives can be shown."""
        if source in (None, self.attention):
            return self
        raise EncoderError(f"{self.entry.name} shows only what its function returns.")

    def tokens(self, pixels: Pixels, block: int = -1) -> Tokens:
        """What its function gives as patch tokens; nothing is known of blocks."""
        coded = self.encode(pixels)
        if coded.patch_tokens is None or block != -1:
            raise EncoderError(f"{self.entry.name} has no patch tokens of block {block}.")
        n, d = len(coded), coded.patch_tokens.shape[-1]
        none = np.zeros((n, 0, d), np.float32)
        norms = np.linalg.norm(coded.patch_tokens, axis=-1)
        attention = coded.attention if self.entry.tokens.cls else None
        return Tokens(None, none, coded.patch_tokens, norms, attention, None)

    def _forward(self, pixels: Pixels, side: int, keep: Collection[Part]) -> Encoding:
        try:
            made = self._function(pixels)
        except EncoderError:
            raise
        except Exception as error:  # it is the user's own, and may raise anything
            raise EncoderError(
                f"{self.entry.name} failed: {type(error).__name__}: {error}",
                "Correct its function.",
            ) from error
        coded = made
        if not isinstance(made, Encoding):
            coded = Encoding(*made) if isinstance(made, tuple) else Encoding(np.asarray(made))
        n, e = len(pixels), self.entry
        vectors = self._checked(coded.embedding, (n, e.dim), "vectors")
        tokens = coded.patch_tokens
        if tokens is None and side == 1 and e.token_dim == e.dim:
            tokens = vectors.reshape(n, 1, 1, e.dim)
        if tokens is None and keep:
            raise EncoderError(
                f"{e.name} returned no patch tokens, but has patches of {e.patch_px} px.",
                "Return an Encoding with patch_tokens, or register it without patch_px.",
            )
        if tokens is not None:
            tokens = self._checked(tokens, (n, side, side, e.token_dim), "patch tokens")
        return Encoding(
            vectors,
            tokens if "patch_tokens" in keep else None,
            self._maps(coded.attention, tokens, side) if "attention" in keep else None,
        )

    def _maps(  # type: ignore[override]  # of arrays, not of a tap
        self,
        attention: npt.NDArray[np.float32] | None,
        tokens: npt.NDArray[np.float32] | None,
        side: int,
    ) -> npt.NDArray[np.float32]:
        if self.entry.tokens.cls:
            if attention is None:
                raise EncoderError(f"{self.entry.name} returned no attention.", "Return it.")
            n = len(attention)
            return self._checked(attention, (n, self.entry.heads, side, side), "attention")
        assert tokens is not None
        norm = np.linalg.norm(tokens, axis=-1)
        shares = norm / np.maximum(norm.sum((1, 2), keepdims=True), 1e-12)
        return np.asarray(shares[:, None], np.float32)

    def _checked(
        self, values: npt.ArrayLike, shape: tuple[int, ...], what: str
    ) -> npt.NDArray[np.float32]:
        found = np.asarray(values, np.float32)
        if found.shape != shape:
            raise EncoderError(
                f"{self.entry.name} returned {what} of shape {found.shape}, not {shape}.",
                "Correct its function or what was registered of it.",
            )
        if not np.isfinite(found).all():
            raise EncoderError(f"{self.entry.name} returned {what} that are not finite.")
        return found
