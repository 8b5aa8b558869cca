"""Torch, imported so that it leaves the process and the machine usable."""

from __future__ import annotations

import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_lock = threading.Lock()
_ready = False


def torch_module() -> Any:
    """The torch module. Everything here that needs torch gets it through this function.

    Two things are done before its first import, or at least before whatever else is imported
    here, where somebody (a function that is an encoder, a script) has imported it already:

    - OpenMP's threads are told to sleep rather than spin while they wait. Beside a window that
      draws on the same cores, spinning costs three quarters of the encoder's speed and stalls
      the window. The variable is read once, when torch is imported.
    - triton is imported first where a software renderer is at work: see `_import_triton_apart`.
    """
    global _ready
    if not _ready:
        with _lock:  # so that nobody sees it half imported
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            _import_triton_apart()
            import torch  # noqa: F401
        _ready = True
    return sys.modules["torch"]


def _import_triton_apart() -> None:
    """Keep triton's LLVM apart from the one Mesa draws with.

    torchvision imports triton, whose library carries its own LLVM. Where napari already draws
    through Mesa's software renderer (a virtual screen, a remote desktop), that has put another
    LLVM into the global scope of the process; triton's calls would end up in it and the process
    would die with a segmentation fault. Bound deeply, triton's library keeps to its own.
    """
    deep = getattr(os, "RTLD_DEEPBIND", None)
    if deep is None or "triton" in sys.modules or find_spec("triton") is None:
        return
    try:
        if "libLLVM" not in Path("/proc/self/maps").read_text():
            return
    except OSError:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | deep)
    try:
        import triton  # noqa: F401
    except ImportError:
        pass  # torch does without it
    finally:
        sys.setdlopenflags(flags)
