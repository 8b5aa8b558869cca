"""`Encoder`: tiles in, embeddings, patch tokens and attention out."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import EncoderError
from .batches import BatchSize
from .catalogue import Entry
from .devices import Precision, dtype_of
from .encoding import EVERYTHING, Encoding, Part, Tokens
from .network import final_norm
from .text import TextTower, load_text_tower
from .tokens import LAST, AttentionSource, Tap, feature_norm, forward_map, tapped_blocks
from .torch_import import torch_module

if TYPE_CHECKING:
    from torch import Tensor

    #: Vectors (n, D), patch tokens (n, g, g, d), maps (n, heads, g, g) where asked for.
    Read: TypeAlias = tuple[Tensor, Tensor, Tensor | None]

Pixels = npt.NDArray[np.uint8]
Out = TypeVar("Out", Encoding, Tokens)

#: Most tiles of a pass; `BatchSize` finds how many are best.
LARGEST = {"cuda": 256, "mps": 64, "cpu": 32}
#: Most tiles that are handed over at once in a long run.
FEED = 128
#: A processor gains nothing from larger passes.
STEADY_ON_CPU = 8


class Encoder:
    """A loaded encoder. Made by `load_encoder`.

    Parameters
    ----------
    entry : Entry
        What the catalogue says of it.
    network : ModuleDict of ``trunk`` and ``head``
        In evaluation mode, on its device, in its precision.
    device : str
    precision : "bf16", "fp16" or "fp32"
    weights_sha256 : str
        Hash of the weights it was loaded from.
    weights, folder : path, optional
        The weights file, which may hold a text tower too, and the encoder folder.

    Attributes
    ----------
    attention : int or "rollout" or "feature norm"
        What its attention maps are made of: see `looking`.
    """

    def __init__(
        self,
        entry: Entry,
        network: Any,
        device: str,
        precision: Precision,
        weights_sha256: str,
        weights: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        torch = torch_module()
        self.entry = entry
        self.device = device
        self.precision = precision
        self.weights_sha256 = weights_sha256
        self.attention: AttentionSource = entry.looks_with
        self._batch = BatchSize(LARGEST[device.partition(":")[0]])
        self.weights = weights
        self._folder = folder
        self._network = network
        # Held for a pass: what hooks catch on the way is of whoever runs the network then.
        self._passing = threading.Lock()
        self._dtype = dtype_of(precision)
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(entry.mean, device=device).reshape(shape) * 255
        self._std = torch.tensor(entry.std, device=device).reshape(shape) * 255

    @property
    def name(self) -> str:
        """Its id in the catalogue."""
        return self.entry.id

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.entry.dim

    @property
    def batch(self) -> int:
        """Tiles of the next forward pass.

        Found by trying (`BatchSize`), and halved for good when the device runs out of memory.
        Setting it ends the search.
        """
        return self._batch.size

    @batch.setter
    def batch(self, size: int) -> None:
        self._batch.fix(size)

    @property
    def note(self) -> str:
        """What should be known of its running: that memory was short."""
        return self._batch.note

    @property
    def feed(self) -> int:
        """Tiles to hand over at once in a long run: about a second's work, so that it can stop."""
        if self.device == "cpu":
            return max(1, min(FEED, round(2000 / max(self.entry.parameters_m, 1))))
        return LARGEST[self.device.partition(":")[0]]

    @property
    def depth(self) -> int:
        """Number of blocks of a vision transformer, 1 of other networks."""
        return len(self._network["trunk"].blocks) if self.entry.tokens.cls else 1

    @property
    def map_heads(self) -> int:
        """Heads of its attention maps: 1 where they are not those of one block."""
        return self.entry.heads if isinstance(self.attention, int) else 1

    @property
    def identity(self) -> dict[str, Any]:
        """Everything about the encoder that would change a vector or an attention map."""
        return {
            "encoder": self.entry.id,
            "weights_sha256": self.weights_sha256,
            "precision": self.precision,
            "embedding": self.entry.embedding,
            "embedding_blocks": self.entry.embedding_blocks.model_dump(),
            "attention": self.attention,
            "mean": list(self.entry.mean),
            "std": list(self.entry.std),
        }

    @cached_property
    def text(self) -> TextTower:
        """The half that reads, loaded when it is first asked for. EncoderError if it has none."""
        return load_text_tower(self.entry, self.weights, self._folder)

    def looking(self, source: AttentionSource | None) -> Encoder:
        """The same encoder, whose attention maps are made of something else.

        Parameters
        ----------
        source : int, "rollout", "feature norm" or None
            A block, negative from the end: its attention from CLS to each patch token, by head.
            "rollout": attention through all blocks (Abnar & Zuidema 2020), one map. "feature
            norm": the length of each patch token before the final norm, one map. None: what the
            catalogue says.

        Raises
        ------
        EncoderError
            If it has no such block, or no attention.
        """
        source = self.entry.looks_with if source is None else source
        if source == self.attention:
            return self
        if not self.entry.tokens.cls:
            raise EncoderError(
                f"{self.entry.name} has no attention: only the length of its features can be shown."
            )
        tapped_blocks(self._network["trunk"], source)
        other = copy.copy(self)
        other.attention = source
        return other

    def steady(self) -> Encoder:
        """The same encoder, all of whose passes have one size that no clock has a say in.

        Kernels are chosen by the size of a pass, and add up in different orders: of the same tile,
        attention from a pass of one tile and of two may differ in the last bit. Whole slides are
        encoded like this, so that they come out the same wherever and how often it is done.
        """
        if self._batch.fixed:
            return self
        other = copy.copy(self)
        other._batch = BatchSize(self._batch.largest)
        other.batch = min(self.feed, STEADY_ON_CPU) if self.device == "cpu" else self.feed
        return other

    def shares_network(self, other: Encoder) -> bool:
        """Whether both are one encoder, whatever their attention maps are made of."""
        return self._network is other._network

    def grid(self, tile_px: int) -> int:
        """Patch tokens along one side of a tile of that size.

        Raises
        ------
        EncoderError
            If the encoder does not take that size.
        """
        if tile_px < self.entry.patch_px or tile_px % self.entry.patch_px:
            below = max(1, tile_px // self.entry.patch_px) * self.entry.patch_px
            raise EncoderError(
                f"{self.entry.name} takes tiles of whole {self.entry.patch_px} px patches, "
                f"not of {tile_px} px.",
                f"Use {below} or {below + self.entry.patch_px} px.",
            )
        return tile_px // self.entry.patch_px

    def encode(self, pixels: Pixels, keep: Collection[Part] = EVERYTHING) -> Encoding:
        """Encode tiles.

        Parameters
        ----------
        pixels : (n, px, px, 3) uint8
            RGB at the resolution they are to be seen at; px a multiple of the patch size.
        keep : collection of "patch_tokens" and "attention"
            What to return beside the embeddings.

        Raises
        ------
        EncoderError
            If the tiles have a size the encoder does not take, or the device fails.
        """
        side = self._side(pixels)
        if not len(pixels):
            return self._nothing(side, keep)
        return Encoding.joined(self._batches(pixels, lambda part: self._forward(part, side, keep)))

    def tokens(self, pixels: Pixels, block: int = LAST) -> Tokens:
        """Tokens and attention of any block.

        Parameters
        ----------
        pixels : (n, px, px, 3) uint8
            At least one tile.
        block : int
            Counted from the end, -1 the last. Networks without a class token only have that one.

        Raises
        ------
        EncoderError
            If it has no such block; else as `encode`.
        """
        side = self._side(pixels)
        if not len(pixels):
            raise ValueError("no tiles to take tokens from")
        self.looking(block if self.entry.tokens.cls else None)  # says so where there is none
        if not self.entry.tokens.cls and block != LAST:
            raise EncoderError(f"Of {self.entry.name} only the last features can be had.")
        return Tokens.joined(self._batches(pixels, lambda part: self._take(part, side, block)))

    # --- batches ---

    def _side(self, pixels: Pixels) -> int:
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"tiles are (n, px, px, 3) uint8, not {pixels.shape} {pixels.dtype}")
        if pixels.shape[1] != pixels.shape[2]:
            raise ValueError(f"tiles are square, not {pixels.shape[1]} by {pixels.shape[2]}")
        return self.grid(pixels.shape[1])

    def _batches(self, pixels: Pixels, forward: Callable[[Pixels], Out]) -> list[Out]:
        torch = torch_module()
        parts: list[Out] = []
        start = 0
        while start < len(pixels):
            with self._passing, torch.inference_mode():
                began = time.perf_counter()
                try:
                    parts.append(forward(pixels[start : start + self.batch]))
                except RuntimeError as error:
                    if not _out_of_memory(error) or not self._batch.halve():
                        raise EncoderError(
                            f"{self.entry.name} failed on {self.device}: {error}",
                            "Choose another device or precision.",
                        ) from error
                    continue
                done = len(parts[-1])
                self._batch.took(done, time.perf_counter() - began)
            start += done
        return parts

    def _input(self, pixels: Pixels) -> Tensor:
        torch = torch_module()
        # A byte per channel goes over the bus, and becomes numbers there.
        x = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
        x = ((x.permute(0, 3, 1, 2).float() - self._mean) / self._std).to(self._dtype)
        return x.reshape(-1, 1, *x.shape[2:]) if self.entry.channels_apart else x

    # --- one forward pass ---

    def _forward(self, pixels: Pixels, side: int, keep: Collection[Part]) -> Encoding:
        x = self._input(pixels)
        read = self._read_tokens if self.entry.tokens.cls else self._read_map
        vector, patch, maps = read(x, side, "attention" in keep)
        return Encoding(
            _array(self._one(vector)),
            _array(self._one(patch)) if "patch_tokens" in keep else None,
            None if maps is None else _array(self._mean_of(maps)),
        )

    def _read_tokens(self, x: Tensor, side: int, attention: bool) -> Read:
        """Of a vision transformer."""
        torch = torch_module()
        trunk, entry = self._network["trunk"], self.entry
        blocks = entry.embedding_blocks
        tapped = tapped_blocks(trunk, self.attention) if attention else ()
        wanted = {blocks.cls, blocks.mean} - {LAST}
        raw = attention and self.attention == "feature norm"
        with Tap(trunk, tapped, wanted | {LAST} if raw else wanted) as tap:
            tokens = {LAST: trunk.forward_features(x)}
        tokens |= {block: trunk.norm(tap.output(block)) for block in wanted}
        prefix = entry.tokens.cls + entry.tokens.registers
        norm = final_norm(trunk)
        parts = []
        if entry.embedding in ("cls", "cls+mean"):
            parts.append(norm(tokens[blocks.cls][:, 0]))
        if entry.embedding in ("mean", "cls+mean"):
            mean = tokens[blocks.mean][:, prefix:].float().mean(1)
            # A mean is exact in float32: it is rounded only for a norm that comes after it.
            is_last = isinstance(norm, torch.nn.Identity)
            parts.append(mean if is_last else norm(mean.to(self._dtype)))
        if entry.embedding == "head":
            parts.append(self._network["head"](tokens[LAST]))
        patch = norm(tokens[LAST])[:, prefix:].unflatten(1, (side, side))
        maps = self._maps(tap, prefix, side) if attention else None
        return torch.cat([p.float() for p in parts], dim=1), patch, maps

    def _maps(self, tap: Tap, prefix: int, side: int) -> Tensor:
        """What was asked for of where it looks: (n, heads, g, g)."""
        if self.attention == "feature norm":
            return feature_norm(tap.output(LAST)[:, prefix:].unflatten(1, (side, side)))
        source = self.attention
        row = tap.rollout()[:, None] if source == "rollout" else tap.cls_row(source)
        return row[:, :, prefix:].unflatten(2, (side, side))

    def _read_map(self, x: Tensor, _side: int, attention: bool) -> Read:
        """Of a network whose last features are a picture."""
        features = forward_map(self._network["trunk"], x)
        maps = feature_norm(features) if attention else None
        return features.float().mean((1, 2)), features, maps

    def _take(self, pixels: Pixels, side: int, block: int) -> Tokens:
        x = self._input(pixels)
        trunk = self._network["trunk"]
        if not self.entry.tokens.cls:
            features = forward_map(trunk, x)
            none = features.new_zeros((len(features), 0, features.shape[-1]))
            norms = features.float().norm(dim=-1)
            return Tokens(None, _array(none), _array(features), _array(norms), None, None)
        with Tap(trunk, (block,), (block,)) as tap:
            trunk.forward_features(x)
        raw = tap.output(block)
        tokens = final_norm(trunk)(trunk.norm(raw))
        prefix = self.entry.tokens.cls + self.entry.tokens.registers
        row = tap.cls_row(block)
        norms = raw[:, prefix:].float().norm(dim=-1).unflatten(1, (side, side))
        return Tokens(
            _array(self._one(tokens[:, 0])),
            _array(self._one(tokens[:, 1:prefix])),
            _array(self._one(tokens[:, prefix:].unflatten(1, (side, side)))),
            _array(self._mean_of(norms)),
            _array(self._mean_of(row[:, :, prefix:].unflatten(2, (side, side)))),
            _array(self._mean_of(row[:, :, :prefix])),
        )

    # --- where red, green and blue are encoded apart ---

    def _one(self, of_channels: Tensor) -> Tensor:
        """Features of a tile's three channels one after the other."""
        if not self.entry.channels_apart:
            return of_channels
        return torch_module().cat(of_channels.unflatten(0, (-1, 3)).unbind(1), dim=-1)

    def _mean_of(self, of_channels: Tensor) -> Tensor:
        """Maps of a tile's three channels as their mean."""
        if not self.entry.channels_apart:
            return of_channels
        return of_channels.unflatten(0, (-1, 3)).mean(1)

    def _nothing(self, side: int, keep: Collection[Part]) -> Encoding:
        lattice, empty = (side, side), np.float32
        return Encoding(
            np.empty((0, self.dim), empty),
            np.empty((0, *lattice, self.entry.token_dim), empty)
            if "patch_tokens" in keep
            else None,
            np.empty((0, self.map_heads, *lattice), empty) if "attention" in keep else None,
        )


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    out: npt.NDArray[np.float32] = tensor.float().cpu().numpy()
    return out


def _out_of_memory(error: RuntimeError) -> bool:
    torch = torch_module()
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
