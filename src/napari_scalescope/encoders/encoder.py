"""`Encoder`: tiles in, embeddings, patch tokens and attention out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ..errors import EncoderError
from .catalogue import DEFAULT_ENCODER, Entry, find_entry
from .network import filled, final_norm, untrained
from .text import TextTower, load_text_tower
from .tokens import LAST, AttentionTap, feature_norm, forward_map, forward_tokens
from .torch_import import torch_module
from .weights import read_state, require_weights, sha256_of_file

if TYPE_CHECKING:
    from torch import Tensor

    #: Vectors (n, D), patch tokens (n, g, g, d), maps (n, heads, g, g) where asked for.
    Read: TypeAlias = tuple[Tensor, Tensor, Tensor | None]

Precision = Literal["auto", "bf16", "fp16", "fp32"]
Part = Literal["patch_tokens", "attention"]
EVERYTHING: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Encoding:
    """What an encoder makes of n tiles.

    Parameters
    ----------
    embedding : (n, D) float32
        One vector per tile, made of its tokens as the catalogue says.
    patch_tokens : (n, g, g, d) float32 or None
        Patch tokens after the final norm, rows from the top. Registers are not among them.
    attention : (n, heads, g, g) float32 or None
        Softmax attention from CLS to each patch token, of the block the catalogue names, the last
        one for most. What is missing to a sum of 1 went to CLS itself and the registers. Of an
        encoder without a class token the length of each place's features, as shares of the
        tile's, is here as one head: `Entry.shows` says which it is.
    """

    embedding: npt.NDArray[np.float32]
    patch_tokens: npt.NDArray[np.float32] | None = None
    attention: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.embedding)


def pick_device(device: str = "auto") -> str:
    """The device to run on: "cuda", "mps" or "cpu", or the one asked for."""
    torch = torch_module()
    if device != "auto":
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise EncoderError("There is no usable CUDA device.", 'Choose the device "auto".')
        return device
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def pick_precision(
    precision: Precision = "auto", device: str = "cpu", entry: Entry | None = None
) -> Precision:
    """The fastest precision whose vectors stay within cosine 0.999 of float32 on a device.

    Convolutional networks do not in bfloat16: MobileNetV2's reach 0.989.
    """
    torch = torch_module()
    if precision != "auto":
        return precision
    if entry is not None and not entry.tokens.cls:
        return "fp32"
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.get_device_capability(device)[0] >= 8 else "fp16"
    if device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return "bf16"
    return "fp32"


def dtype_of(precision: Precision) -> Any:
    """The torch type of a precision that was picked."""
    torch = torch_module()
    return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]


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
    batch : int
        Tiles per forward pass. Halved for good when the device runs out of memory.
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
        self.batch = 64 if device.startswith("cuda") else 8
        self._weights, self._folder = weights, folder
        self._network = network
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
    def identity(self) -> dict[str, Any]:
        """Everything about the encoder that would change a vector or an attention map."""
        return {
            "encoder": self.entry.id,
            "weights_sha256": self.weights_sha256,
            "precision": self.precision,
            "embedding": self.entry.embedding,
            "embedding_blocks": self.entry.embedding_blocks.model_dump(),
            "shows": self.entry.shows,
            "attention_block": self.entry.attention_block,
            "mean": list(self.entry.mean),
            "std": list(self.entry.std),
        }

    @cached_property
    def text(self) -> TextTower:
        """The half that reads, loaded when it is first asked for. EncoderError if it has none."""
        return load_text_tower(self.entry, self._weights, self._folder)

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

    def encode(
        self, pixels: npt.NDArray[np.uint8], keep: Collection[Part] = EVERYTHING
    ) -> Encoding:
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
        if pixels.ndim != 4 or pixels.shape[-1] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"tiles are (n, px, px, 3) uint8, not {pixels.shape} {pixels.dtype}")
        if pixels.shape[1] != pixels.shape[2]:
            raise ValueError(f"tiles are square, not {pixels.shape[1]} by {pixels.shape[2]}")
        side = self.grid(pixels.shape[1])
        parts: list[Encoding] = []
        start = 0
        while start < len(pixels):
            try:
                parts.append(self._forward(pixels[start : start + self.batch], side, keep))
            except RuntimeError as error:
                if not _out_of_memory(error) or self.batch == 1:
                    raise EncoderError(
                        f"{self.entry.name} failed on {self.device}: {error}",
                        "Choose another device or precision.",
                    ) from error
                self.batch //= 2
                continue
            start += len(parts[-1])
        return _joined(parts, self.entry, side, keep)

    def _forward(
        self, pixels: npt.NDArray[np.uint8], side: int, keep: Collection[Part]
    ) -> Encoding:
        torch = torch_module()
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device)
            x = ((x.permute(0, 3, 1, 2).float() - self._mean) / self._std).to(self._dtype)
            if self.entry.channels_apart:
                x = x.reshape(-1, 1, *x.shape[2:])
            read = self._read_tokens if self.entry.tokens.cls else self._read_map
            vector, patch, maps = read(x, side, "attention" in keep)
            if self.entry.channels_apart:
                vector, patch = _joined_channels(vector), _joined_channels(patch)
                maps = None if maps is None else maps.unflatten(0, (-1, 3)).mean(1)
            return Encoding(
                vector.float().cpu().numpy(),
                patch.float().cpu().numpy() if "patch_tokens" in keep else None,
                None if maps is None else maps.float().cpu().numpy(),
            )

    def _read_tokens(self, x: Tensor, side: int, attention: bool) -> Read:
        """Of a vision transformer."""
        torch = torch_module()
        trunk, entry = self._network["trunk"], self.entry
        blocks, row = entry.embedding_blocks, None
        if attention:
            with AttentionTap(trunk, entry.attention_block) as tap:
                tokens = forward_tokens(trunk, x, {blocks.cls, blocks.mean})
                row = tap.cls_row()
        else:
            tokens = forward_tokens(trunk, x, {blocks.cls, blocks.mean})
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
        maps = None if row is None else row[:, :, prefix:].unflatten(2, (side, side))
        return torch.cat([p.float() for p in parts], dim=1), patch, maps

    def _read_map(self, x: Tensor, _side: int, attention: bool) -> Read:
        """Of a network whose last features are a picture."""
        features = forward_map(self._network["trunk"], x)
        maps = feature_norm(features) if attention else None
        return features.float().mean((1, 2)), features, maps


def _joined_channels(of_channels: Tensor) -> Tensor:
    """Red, green and blue of a tile, encoded as three tiles, one after the other."""
    parts = of_channels.unflatten(0, (-1, 3)).unbind(1)
    return torch_module().cat(parts, dim=-1)


def _out_of_memory(error: RuntimeError) -> bool:
    torch = torch_module()
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _joined(parts: list[Encoding], entry: Entry, side: int, keep: Collection[Part]) -> Encoding:
    if not parts:
        return Encoding(
            np.empty((0, entry.dim), np.float32),
            np.empty((0, side, side, entry.token_dim), np.float32)
            if "patch_tokens" in keep
            else None,
            np.empty((0, entry.heads, side, side), np.float32) if "attention" in keep else None,
        )

    def join(arrays: list[Any]) -> Any:
        return None if arrays[0] is None else np.concatenate(arrays)

    return Encoding(
        join([p.embedding for p in parts]),
        join([p.patch_tokens for p in parts]),
        join([p.attention for p in parts]),
    )


# --- loading ----------------------------------------------------------------------------------


def load_encoder(
    name: str = DEFAULT_ENCODER,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    weights: str | Path | None = None,
    folder: str | Path | None = None,
) -> Encoder:
    """Load an encoder of the catalogue.

    Parameters
    ----------
    name : str
        Its id ("uni2-h") or name ("UNI2-h").
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    precision : "auto", "bf16", "fp16" or "fp32"
        "auto" takes the fastest the device is good at; the reference is fp32.
    weights : path, optional
        A weights file, or a folder that holds one. Default: looked for in ``folder`` and in the
        hub's cache on this machine. Nothing is downloaded.
    folder : path, optional
        The encoder folder. Default: the one of the settings.

    Raises
    ------
    EncoderError
        If there is no such encoder, its weights are not here, or they do not fit.
    """
    from ..settings import Settings

    entry = find_entry(name, has_weights=weights is not None)
    home = Path(folder) if folder is not None else Settings().encoder_folder
    device = pick_device(device)
    precision = pick_precision(precision, device, entry)
    path = None
    if entry.seed is not None and weights is None:
        network, digest = untrained(entry, entry.seed)
    else:
        path = require_weights(entry, home, Path(weights) if weights is not None else None)
        network = filled(entry, read_state(path))
        digest = sha256_of_file(path)
    try:
        network = network.to(device=device, dtype=dtype_of(precision)).eval()
    except RuntimeError as error:
        raise EncoderError(
            f"{entry.name} does not fit on {device} ({error}).", 'Use the device "cpu".'
        ) from error
    return Encoder(entry, network, device, precision, digest, path, home)
