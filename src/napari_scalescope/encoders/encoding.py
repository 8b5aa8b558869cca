"""What comes out of an encoder."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

Part = Literal["patch_tokens", "attention"]
EVERYTHING: tuple[Part, ...] = get_args(Part)

Array = npt.NDArray[np.float32]


class _Joinable:
    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Those of many batches as one."""
        if len(parts) == 1:
            return parts[0]
        columns = {f.name: [getattr(p, f.name) for p in parts] for f in fields(cls)}  # type: ignore[arg-type]
        return cls(**{k: None if v[0] is None else np.concatenate(v) for k, v in columns.items()})


@dataclass(frozen=True)
class Encoding(_Joinable):
    """What an encoder makes of n tiles.

    Parameters
    ----------
    embedding : (n, D) float32
        One vector per tile, made of its tokens as the catalogue says.
    patch_tokens : (n, g, g, d) float32 or None
        Patch tokens after the final norm, rows from the top. Registers are not among them.
    attention : (n, heads, g, g) float32 or None
        Softmax attention from CLS to each patch token, of the block the catalogue names, the last
        one for most, or of what `Encoder.looking` was told. What is missing to a sum of 1 went to
        CLS itself and the registers. Of an encoder without a class token the length of each
        place's features, as shares of the tile's, is here as one head.
    """

    embedding: Array
    patch_tokens: Array | None = None
    attention: Array | None = None

    def __len__(self) -> int:
        return len(self.embedding)


@dataclass(frozen=True)
class Tokens(_Joinable):
    """The tokens of n tiles as they left one block, through the final norm.

    Parameters
    ----------
    cls : (n, d) float32 or None
        None for an encoder without a class token.
    registers : (n, r, d) float32
    patch : (n, g, g, d) float32
        Rows from the top.
    norms : (n, g, g) float32
        Length of each patch token before the final norm, which makes all about equally long.
    attention : (n, heads, g, g) float32 or None
        Softmax attention of the block from CLS to each patch token.
    attention_to_prefix : (n, heads, 1 + r) float32 or None
        From CLS to itself and to each register.
    """

    cls: Array | None
    registers: Array
    patch: Array
    norms: Array
    attention: Array | None
    attention_to_prefix: Array | None

    def __len__(self) -> int:
        return len(self.patch)
