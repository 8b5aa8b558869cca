"""A catalogue entry as a network with its weights in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..errors import EncoderError
from .catalogue import Entry
from .layouts import on_grid, to_timm
from .torch_import import torch_module
from .weights import random_state, sha256_of_state

if TYPE_CHECKING:
    import torch


def build(entry: Entry, img_size: int | None = None) -> torch.nn.ModuleDict:
    """The architecture without weights: nothing is allocated or drawn at random.

    Parameters
    ----------
    entry : Entry
    img_size : int, optional
        Side of the tiles its position embedding is for, where that is not what the entry says.

    Returns
    -------
    ModuleDict
        ``trunk``, a timm model, and ``head``, an identity where the encoder has none.
    """
    torch = torch_module()
    import timm
    import timm.layers
    import timm.models.eva

    from . import heads, stem

    args = dict(entry.args)
    if img_size is not None:
        args["img_size"] = img_size
    homes = {"mlp_layer": timm.layers, "act_layer": torch.nn, "embed_layer": stem}
    for name, home in homes.items():
        if isinstance(args.get(name), str):
            args[name] = getattr(home, args[name])
    kinds = {
        "projection": heads.Projection,
        "mlp": heads.Mlp,
        "attention-pool": heads.AttentionPool,
    }
    with torch.device("meta"):
        if entry.arch == "eva":  # an architecture timm has and gives no name to
            trunk = timm.models.eva.Eva(num_classes=0, **args)
        else:
            trunk = timm.create_model(entry.arch, pretrained=False, num_classes=0, **args)
        head = kinds[entry.head](entry.token_dim, entry.dim) if entry.head else torch.nn.Identity()
        return torch.nn.ModuleDict({"trunk": trunk, "head": head})


def shapes(network: torch.nn.ModuleDict) -> dict[str, tuple[int, ...]]:
    """Shapes by name as `to_timm` wants them: the trunk's names, the head's as ``head.*``."""
    return {
        name.removeprefix("trunk."): tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
    }


def untrained(entry: Entry, seed: int) -> tuple[torch.nn.ModuleDict, str]:
    """The network with random weights, the same everywhere, and their sha256."""
    network = build(entry)
    state = random_state(shapes(network), seed)
    digest = sha256_of_state(state)
    _load(network, state, entry)
    return network, digest


def filled(entry: Entry, state: dict[str, torch.Tensor]) -> torch.nn.ModuleDict:
    """The network with the tensors of a file in it, all that it has and no others.

    Raises
    ------
    EncoderError
        If they are those of another network; the text says which tensors do not fit.
    """
    network = build(entry)
    wanted = shapes(network)
    state, layout = to_timm(state, wanted)
    if layout == "transformers DINOv2" and "pos_embed" in state:
        state["pos_embed"] = on_grid(state["pos_embed"], entry.grid)
    size = _size_of_positions(entry, state, wanted)
    if size is not None:
        network = build(entry, size)
    _load(network, state, entry)
    return network


def _size_of_positions(
    entry: Entry, state: dict[str, torch.Tensor], wanted: dict[str, tuple[int, ...]]
) -> int | None:
    """Side of the tiles a file's position embedding is for, None if it is the architecture's."""
    ours, theirs = wanted.get("pos_embed"), state.get("pos_embed")
    if ours is None or theirs is None or tuple(theirs.shape) == ours:
        return None
    prefix = ours[1] - math.isqrt(ours[1]) ** 2
    side = math.isqrt(max(theirs.shape[1] - prefix, 0))
    if theirs.ndim != 3 or side * side != theirs.shape[1] - prefix or side == 0:
        return None  # loading will say that it does not fit
    return side * entry.patch_px


def _load(network: torch.nn.ModuleDict, state: dict[str, torch.Tensor], entry: Entry) -> None:
    torch = torch_module()
    under = {k if k.startswith("head.") else f"trunk.{k}": v for k, v in state.items()}
    try:
        network.load_state_dict(under, strict=True, assign=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        said = " ".join(lines).replace("trunk.", "")[:300]
        raise EncoderError(
            f"These weights are not {entry.name}: {said}",
            "Choose the file its makers released for this very model.",
        ) from error
    for module in network.modules():
        # Rotary tables are buffers that no file holds: they are computed.
        names = [n for n, b in module.named_buffers(recurse=False) if b.is_meta]
        for name in names:
            empty = torch.empty_like(getattr(module, name), device="cpu")
            module.register_buffer(name, empty, persistent=False)
        if names and hasattr(module, "init_non_persistent_buffers"):
            module.init_non_persistent_buffers()
    for parameter in network.parameters():
        parameter.requires_grad_(False)


def final_norm(trunk: Any) -> Any:
    """What tokens go through after `forward_features` where a model keeps its last norm there."""
    torch = torch_module()
    norm = getattr(trunk, "fc_norm", None)
    return torch.nn.Identity() if norm is None else norm
