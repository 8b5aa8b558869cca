"""Where an encoder runs, and in which numbers."""

from __future__ import annotations

import os
from typing import Any, Literal

from ..errors import EncoderError
from .catalogue import Entry
from .torch_import import torch_module

Precision = Literal["auto", "bf16", "fp16", "fp32"]


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


def nth_device(device: str, n: int) -> str:
    """The device for the n-th of several processes on this machine: they take its GPUs in turn."""
    picked = pick_device(device)
    return f"cuda:{n % torch_module().cuda.device_count()}" if picked == "cuda" else picked


def processes(device: str = "auto") -> int:
    """How many processes keep this machine busy: one for each GPU, or core where none is used."""
    picked = pick_device(device)
    if picked == "cuda":
        return int(torch_module().cuda.device_count())
    return (os.cpu_count() or 1) if picked == "cpu" else 1


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
