"""From a name to an encoder that is ready to use."""

from __future__ import annotations

from pathlib import Path

from ..errors import EncoderError
from .catalogue import DEFAULT_ENCODER
from .devices import Precision, dtype_of, pick_device, pick_precision
from .encoder import Encoder
from .function import FunctionEncoder
from .known import find_entry
from .network import filled, untrained
from .own import own_encoders
from .remembered import accept_licence as accept
from .remembered import require_licence
from .weights import read_state, require_weights, sha256_of_file


def load_encoder(
    name: str = DEFAULT_ENCODER,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    weights: str | Path | None = None,
    folder: str | Path | None = None,
    accept_licence: bool = False,
) -> Encoder:
    """Load an encoder of the catalogue, or one of the user's own.

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
    accept_licence : bool
        Accept what the licence of its weights asks, now and from now on.

    Raises
    ------
    EncoderError
        If there is no such encoder, its weights are not here, they do not fit, or their licence
        asks something that was not accepted yet.
    """
    from ..settings import Settings

    home = Path(folder) if folder is not None else Settings().encoder_folder
    entry = find_entry(name, has_weights=weights is not None, folder=home)
    own = own_encoders(home)[0].get(entry.id)
    if own is not None and own.function is not None:
        return FunctionEncoder(own)
    device = pick_device(device)
    precision = pick_precision(precision, device, entry)
    path = None
    if entry.seed is not None and weights is None:
        network, digest = untrained(entry, entry.seed)
    else:
        path = require_weights(entry, home, Path(weights) if weights is not None else None)
        if accept_licence:
            accept(entry, home)
        require_licence(entry, home)
        network = filled(entry, read_state(path))
        digest = sha256_of_file(path)
    try:
        network = network.to(device=device, dtype=dtype_of(precision)).eval()
    except RuntimeError as error:
        raise EncoderError(
            f"{entry.name} does not fit on {device} ({error}).", 'Use the device "cpu".'
        ) from error
    return Encoder(entry, network, device, precision, digest, path, home)
