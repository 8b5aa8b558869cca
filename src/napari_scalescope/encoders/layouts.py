"""Names of tensors: from those a file was saved with to those of the timm architecture it is of.

The same network is published under many names: as its makers' own code calls its layers, as
transformers does, as open_clip does. Renaming is exact, so one code path runs them all. Which
layout a file has is seen from its names, never asked; whatever follows is loaded strictly, so that
a wrong guess cannot pass.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

Rules = tuple[tuple[str, str], ...]

#: Names on the way, for what needs more than a new name.
_TRANSPOSED_HEAD = "head.weight transposed"
_OFFSET_POSITIONS = "pos_embed after two places"

#: What training leaves in a file and encoding does not need: heads, masks, tables that are
#: computed anyway.
_LEFTOVERS = re.compile(
    r"(^|\.)(mask_token|bias_mask|periods|relative_position_index|attn_mask|num_batches_tracked"
    r"|local_cls_norm\..*|position_ids)$|^((head|fc|pooler|dino_head|ibot_head|classifier)\.)"
)


@dataclass(frozen=True)
class Layout:
    """How one kind of file names its tensors.

    Parameters
    ----------
    name : str
    anchor : str
        The end of a name every such file has; what comes before it is the prefix of all.
    rules : pairs of regular expression and replacement
        Applied to each name without its prefix, in order. An empty result drops the tensor.
    sign : str
        The end of some name that tells it from others with the same anchor.
    heads : pairs of regular expression and replacement
        For names that lie outside the prefix: what the embedding goes through after the network.
    """

    name: str
    anchor: str
    rules: Rules = ()
    sign: str = ""
    heads: Rules = ()


_HF_BLOCK: Rules = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.register_tokens$", "reg_token"),
    (r"^embeddings\.", ""),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
)


#: Of a branch of BEiT-3 without its letter A or B; this file takes A, that of images.
BEIT3: Rules = (
    (r"^vision_embed\.cls_token$", "cls_token"),
    (r"^vision_embed\.", "patch_embed."),
    (r"\.A\.", "."),
    (r"^encoder\.embed_positions\.weight$", _OFFSET_POSITIONS),
    (r"^encoder\.layer_norm\.", "norm."),
    (r"^encoder\.layers\.", "blocks."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.final_layer_norm\.", ".norm2."),
    (r"\.self_attn\.inner_attn_ln\.", ".attn.norm."),
    (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
    (r"\.self_attn\.out_proj\.", ".attn.proj."),
    (r"\.ffn\.ffn_layernorm\.", ".mlp.norm."),
    (r"\.ffn\.", ".mlp."),
)


def _mobilenet_rules() -> Rules:
    """Torchvision counts the blocks through; timm has them in stages."""
    rules = [
        (r"^features\.0\.0\.", "conv_stem."),
        (r"^features\.0\.1\.", "bn1."),
        (r"^features\.18\.0\.", "conv_head."),
        (r"^features\.18\.1\.", "bn2."),
    ]
    places = [(stage, i) for stage, n in enumerate((1, 2, 3, 4, 3, 3, 1)) for i in range(n)]
    plain = ("0.0 conv_dw", "0.1 bn1", "1 conv_pw", "2 bn2")  # the first does not widen
    wide = ("0.0 conv_pw", "0.1 bn1", "1.0 conv_dw", "1.1 bn2", "2 conv_pwl", "3 bn3")
    for block, (stage, i) in enumerate(places, start=1):
        for pair in plain if block == 1 else wide:
            theirs, ours = pair.split()
            their = rf"^features\.{block}\.conv\.{re.escape(theirs)}\."
            rules.append((their, f"blocks.{stage}.{i}.{ours}."))
    return tuple(rules)


#: Tried in order.
LAYOUTS = (
    Layout(
        "transformers DINOv2",
        "embeddings.cls_token",
        (
            *_HF_BLOCK,
            (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
            (r"\.mlp\.weights_in\.", ".mlp.fc1."),
            (r"\.mlp\.weights_out\.", ".mlp.fc2."),
        ),
        sign="layer_scale1.lambda1",
    ),
    Layout(
        "transformers ViT",
        "embeddings.cls_token",
        (
            *_HF_BLOCK,
            (r"\.layernorm_before\.", ".norm1."),
            (r"\.layernorm_after\.", ".norm2."),
            (r"\.intermediate\.dense\.", ".mlp.fc1."),
            (r"\.output\.dense\.", ".mlp.fc2."),
        ),
    ),
    Layout(
        "transformers CLIP",
        "embeddings.class_embedding",
        (
            (r"^embeddings\.class_embedding$", "cls_token"),
            (r"^embeddings\.position_embedding\.weight$", "pos_embed"),
            (r"^embeddings\.patch_embedding\.", "patch_embed.proj."),
            (r"^embeddings\.position_ids$", ""),
            (r"^pre_layrnorm\.", "norm_pre."),
            (r"^post_layernorm\.", "norm."),
            (r"^encoder\.layers\.", "blocks."),
            (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
            (r"\.self_attn\.out_proj\.", ".attn.proj."),
            (r"\.layer_norm([12])\.", r".norm\1."),
        ),
        heads=((r"^(?:.*\.)?visual_projection\.weight$", "head.weight"),),
    ),
    Layout(
        "open_clip",
        "class_embedding",
        (
            (r"^class_embedding$", "cls_token"),
            (r"^positional_embedding$", "pos_embed"),
            (r"^conv1\.", "patch_embed.proj."),
            (r"^ln_pre\.", "norm_pre."),
            (r"^ln_post\.", "norm."),
            (r"^proj$", _TRANSPOSED_HEAD),
            (r"^transformer\.resblocks\.", "blocks."),
            (r"\.ln_([12])\.", r".norm\1."),
            (r"\.attn\.in_proj_(weight|bias)$", r".attn.qkv.\1"),
            (r"\.attn\.out_proj\.", ".attn.proj."),
            (r"\.mlp\.c_fc\.", ".mlp.fc1."),
            (r"\.mlp\.c_proj\.", ".mlp.fc2."),
        ),
        sign="conv1.weight",
    ),
    Layout(
        "BEiT-3",
        "vision_embed.cls_token",
        (
            (r"^.*\.B\..*$|^text_embed\..*$", ""),
            *BEIT3,
        ),
    ),
    Layout(
        "DINOv3",
        "storage_tokens",
        (
            (r"^storage_tokens$", "reg_token"),
            (r"\.ls([12])\.gamma$", r".gamma_\1"),
            (r"\.mlp\.w1\.", ".mlp.fc1_g."),
            (r"\.mlp\.w2\.", ".mlp.fc1_x."),
            (r"\.mlp\.w3\.", ".mlp.fc2."),
        ),
    ),
    Layout(
        "CTransPath",
        "patch_embed.proj.0.weight",
        (
            # Merging came after a stage there and comes before the next one in timm.
            (r"^layers\.0\.downsample\.", "layers.1.merge."),
            (r"^layers\.1\.downsample\.", "layers.2.merge."),
            (r"^layers\.2\.downsample\.", "layers.3.merge."),
            (r"\.merge\.", ".downsample."),
        ),
        sign="relative_position_bias_table",
    ),
    Layout(
        "timm",
        "patch_embed.proj.weight",
        (
            (r"^register_tokens$", "reg_token"),
            (r"\.ls([12])\.weight$", r".ls\1.gamma"),  # KEEP: transformers took "gamma" ill
            (r"^blocks\.\d+\.(\d+\.)", r"blocks.\1"),  # DINOv2 keeps blocks in chunks
            (r"\.mlp\.w12\.", ".mlp.fc1."),
            (r"\.mlp\.w3\.", ".mlp.fc2."),
        ),
        heads=(
            (r"^(?:.*\.)?visual\.head\.proj\.weight$", "head.weight"),
            (r"^(?:.*\.)?visual_head\.", "head."),
            (r"^(?:visual\.)?attn_pool_contrast\.", "head.pool."),
            (r"^(?:visual\.)?ln_contrast\.", "head.norm."),
        ),
    ),
    Layout("ResNet", "layer1.0.conv1.weight"),
    Layout("torchvision MobileNetV2", "features.0.0.weight", _mobilenet_rules()),
)


def to_timm(
    state: Mapping[str, torch.Tensor], shapes: Mapping[str, Sequence[int]]
) -> tuple[State, str]:
    """Tensors under timm's names, and the layout they were found in.

    Parameters
    ----------
    state : tensors by name, as a file holds them
    shapes : shapes by name of what the network has, its head's as ``head.*``

    Returns
    -------
    tensors by name
        Those of the network, and whatever else could not be told from them: loading is strict
        and refuses it.
    str
        Name of the layout; "timm" where nothing had to be renamed, "unknown" where none fits.
    """
    if set(state) == set(shapes):
        return dict(state), "timm"
    for layout in LAYOUTS:
        prefix = _prefix(state, layout)
        if prefix is None:
            continue
        found = fused(_renamed(state, layout, prefix))
        _settle_positions(found, shapes)
        wanted = {k: v for k, v in found.items() if k in shapes or not _LEFTOVERS.search(k)}
        return wanted, layout.name
    return dict(state), "unknown"


def _prefix(state: Mapping[str, torch.Tensor], layout: Layout) -> str | None:
    """What comes before every name of a layout: None if the file does not have this layout."""
    if layout.sign and not any(name.endswith(layout.sign) for name in state):
        return None
    ending = re.compile(rf"(^|.*\.){re.escape(layout.anchor)}$")
    found = [m[1] for m in map(ending.match, state) if m]
    # Of a student and its teacher in one file, the teacher is the one that is meant to be used.
    return min(found, key=lambda p: ("teacher" not in p, len(p)), default=None)


def _renamed(state: Mapping[str, torch.Tensor], layout: Layout, prefix: str) -> State:
    out: State = {}
    for name, tensor in state.items():
        if name.startswith(prefix):
            new = apply_rules(layout.rules, name.removeprefix(prefix))
            if new:
                out[new] = tensor
        else:
            new = apply_rules(layout.heads, name)
            if new != name:
                out[new] = tensor
    return out


def apply_rules(rules: Rules, name: str) -> str:
    """A name after all rules, in order."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


_APART = re.compile(r"(.*\.attn\.)(q|query|k|key|v|value)\.(weight|bias)$")


def fused(state: State) -> State:
    """Queries, keys and values as the one matrix timm has."""
    import torch

    out: State = {}
    apart: dict[str, State] = {}
    for name, tensor in state.items():
        m = _APART.match(name)
        if m:
            apart.setdefault(f"{m[1]}qkv.{m[3]}", {})[m[2][0]] = tensor
        else:
            out[name] = tensor
    for name, parts in apart.items():
        if len(parts) == 3:  # otherwise it is missed when the state is loaded
            out[name] = torch.cat([parts["q"], parts["k"], parts["v"]])
    return out


def _settle_positions(state: State, shapes: Mapping[str, Sequence[int]]) -> None:
    """Class token and position embedding as timm shapes them."""
    offset = state.pop(_OFFSET_POSITIONS, None)
    if offset is not None:
        state["pos_embed"] = offset[2:]
    transposed = state.pop(_TRANSPOSED_HEAD, None)
    if transposed is not None:
        state["head.weight"] = transposed.T.contiguous()
    for name in ("cls_token", "pos_embed", "reg_token"):
        if name in state and state[name].ndim < 3:
            state[name] = state[name].reshape(1, -1, state[name].shape[-1])
    position, cls = state.get("pos_embed"), state.get("cls_token")
    wanted = shapes.get("pos_embed")
    if position is None or cls is None or wanted is None:
        return
    if _is_square(wanted[1]) and _is_square(position.shape[1] - 1):
        # timm gives the class token no place of its own in these: its place is added for good.
        state["cls_token"] = cls + position[:, :1]
        state["pos_embed"] = position[:, 1:]


def _is_square(n: int) -> bool:
    return n > 0 and math.isqrt(n) ** 2 == n


def on_grid(position: torch.Tensor, grid: int) -> torch.Tensor:
    """A position embedding (1, prefix + n², D) resampled to grid × grid as transformers does it.

    Bicubic without antialiasing, whereas timm, which resamples for every other size of tile,
    antialiases.
    """
    import torch

    side = math.isqrt(position.shape[1])
    prefix = position.shape[1] - side * side
    if side == grid:
        return position
    patches = position[:, prefix:].reshape(1, side, side, -1).permute(0, 3, 1, 2).float()
    patches = torch.nn.functional.interpolate(
        patches, size=(grid, grid), mode="bicubic", align_corners=False
    )
    patches = patches.permute(0, 2, 3, 1).reshape(1, grid * grid, -1).to(position.dtype)
    return torch.cat([position[:, :prefix], patches], dim=1)
