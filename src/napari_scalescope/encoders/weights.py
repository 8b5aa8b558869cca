"""Where an encoder's weights are, and whether they are the right ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import EncoderError
from .catalogue import Entry, catalogue, unreleased
from .remembered import licence_accepted, remembered_weights

if TYPE_CHECKING:
    import torch

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")

Availability = Literal[
    "built in",
    "your own",
    "on this machine",
    "needs its weights",
    "needs a licence",
    "not released",
]


def availability(entry: Entry, folder: Path | None) -> Availability:
    """Whether an encoder can be used now, and if not, what it lacks."""
    if entry.seed is not None or entry.packaged is not None:
        return "built in"
    if entry.arch == "function":
        return "your own"
    if find_weights(entry, folder) is not None:
        here = entry.id in catalogue() or entry.id in unreleased()
        return "on this machine" if here else "your own"
    if entry.id in unreleased():
        return "not released"
    return "needs a licence" if entry.gated else "needs its weights"


def lacks(entry: Entry, folder: Path | None) -> str:
    """What is missing for an encoder to run here and how to get it, "" where nothing is."""
    state = availability(entry, folder)
    if state == "not released":
        return f"a checkpoint: {unreleased()[entry.id].needs}"
    wants = "" if licence_accepted(entry, folder) else f"its licence accepted ({entry.licence})"
    if state in ("needs its weights", "needs a licence"):
        how = f"`scalescope download {entry.id}`" if entry.hub else "from its makers"
        wants = " and ".join(part for part in (wants, f"its weights ({how})") if part)
    elif wants:
        wants += f": `scalescope licence {entry.id}`"
    room = memory_gb()
    if room and needed_gb(entry) > room:
        wants += f"{'; ' if wants else ''}{needed_gb(entry):.0f} GB of memory (here: {room:.0f})"
    return wants


def needed_gb(entry: Entry) -> float:
    """Memory its weights take in half precision, GB."""
    return entry.parameters_m * 2 / 1000


def memory_gb() -> float | None:
    """Memory of this machine, GB, None where that cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, OSError, ValueError):  # not on Windows
        return None


def find_weights(entry: Entry, folder: Path | None) -> Path | None:
    """The file with an encoder's weights on this machine, without asking any network.

    Looked for in order: inside the package, the file the user described or chose before,
    ``<folder>/<id>.safetensors`` (or .bin, .pth, .pt), any of the names it has on the hub inside
    ``<folder>/<id>/``, and the hub's own cache.
    """
    if entry.packaged is not None:
        return Path(__file__).parent / entry.packaged
    if entry.weights is not None:
        return entry.weights if entry.weights.is_file() else None
    chosen = remembered_weights(entry, folder)
    if chosen is not None:
        return chosen
    if folder is not None:
        places = [folder / f"{entry.id}{suffix}" for suffix in SUFFIXES]
        places += [folder / entry.id / name for name in entry.files]
        for place in places:
            if place.is_file():
                return place
    if entry.hub is not None:
        from huggingface_hub import try_to_load_from_cache

        for name in entry.files:
            found = try_to_load_from_cache(entry.hub, name)
            if isinstance(found, str):
                return Path(found)
    return None


def require_weights(entry: Entry, folder: Path | None, given: Path | None = None) -> Path:
    """The weights file to load: the one given (a file, or a folder that holds one), or found.

    Raises
    ------
    EncoderError
        If there is none; the text says where to put one.
    """
    if given is not None:
        found = _inside(given, entry) if given.is_dir() else given
        if found is None or not found.is_file():
            raise EncoderError(
                f"There are no weights of {entry.name} at {given}.",
                f"Give a file ({', '.join(SUFFIXES)}) or a folder with {_names(entry)[0]} in it.",
            )
        return found
    found = find_weights(entry, folder)
    if found is not None:
        return found
    if entry.weights is not None:
        raise EncoderError(
            f"{entry.name} has no weights at {entry.weights}.",
            "Put them there, or describe it anew.",
        )
    name = entry.files[0]
    accept = f"Accept its licence at {entry.page}, then run" if entry.gated else "Run"
    get = (
        f"{accept} `scalescope download {entry.id}`" if entry.hub else f"Get {name} from its makers"
    )
    place = (
        f"{folder / entry.id}{Path(name).suffix}"
        if folder
        else "the encoder folder of the settings"
    )
    raise EncoderError(
        f"{entry.name} is known but its weights are not on this machine.",
        f"{get}; or put {name} at {place}, or choose the file with Local weights….",
    )


def _inside(folder: Path, entry: Entry) -> Path | None:
    return next((folder / n for n in _names(entry) if (folder / n).is_file()), None)


def _names(entry: Entry) -> list[str]:
    """What a file with an encoder's weights may be called: an untrained one has none on a hub."""
    return [*entry.files, *(f"{entry.id}{suffix}" for suffix in SUFFIXES)]


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file by name. Never runs code from the file.

    Raises
    ------
    EncoderError
        If the file is damaged, or is a pickle that would need to run code.
    """
    import pickle

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = _unpickled(path)
    except pickle.UnpicklingError as error:
        raise EncoderError(
            f"{path.name} is a pickle that holds more than numbers; it was not opened.",
            "Ask its makers for safetensors.",
        ) from error
    except FileNotFoundError:
        raise EncoderError(f"There is no file {path}.", "Check the path.") from None
    except Exception as error:  # safetensors, zip and pickle readers raise their own kinds
        raise EncoderError(
            f"{path.name} is not a readable weights file ({error}).", "Download it again."
        ) from error
    for key in ("state_dict", "model", "teacher"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict) or not all(hasattr(v, "shape") for v in state.values()):
        raise EncoderError(f"{path.name} holds no named tensors.", "Choose the weights file.")
    return state


def _unpickled(path: Path) -> Any:
    """What `torch.save` wrote. The archives it writes today are mapped, not read, into memory."""
    import torch

    with path.open("rb") as file:
        head = file.read(2)
    is_archive = head == b"PK"
    if not is_archive and head[:1] != b"\x80":
        raise ValueError("neither an archive nor a pickle")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_archive)


def sha256_of_file(path: Path) -> str:
    """sha256 of a file's content, as the hub prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_state(state: dict[str, torch.Tensor]) -> str:
    """sha256 over names, shapes and float32 values of tensors that come from no file."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().float().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def random_state(shapes: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    """Weights for an untrained network by name: the same numbers on every machine and version.

    Matrices are normal with variance 1 / fan-in (LeCun et al. 1998), which keeps signals at the
    same size through the layers; biases and means are 0, other vectors (of norms, variances) 1.
    numpy's ``RandomState`` is used because its stream is frozen, which torch's and numpy's newer
    generators do not promise.
    """
    import numpy as np
    import torch

    source = np.random.RandomState(seed)
    state = {}
    for name, shape in shapes.items():
        if name.endswith(("bias", "running_mean", "num_batches_tracked")):
            values = np.zeros(shape)
        elif len(shape) == 1:
            values = np.ones(shape)
        elif name in ("cls_token", "pos_embed", "reg_token"):
            values = source.standard_normal(shape) * 0.02
        else:
            fan_in = int(np.prod(shape[1:])) or 1
            values = source.standard_normal(shape) / np.sqrt(fan_in)
        state[name] = torch.from_numpy(values.astype(np.float32))
    return state
