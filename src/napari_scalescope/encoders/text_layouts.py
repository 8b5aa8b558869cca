"""Names of tensors of text towers, from those in a file to those of `text_networks`.

The file is that of the image tower, of which `layouts` takes the other half.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .layouts import BEIT3, Rules, apply_rules, fused
from .text_spec import TextSpec

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class TextLayout:
    """How one kind of file names the tensors of a text tower.

    Parameters
    ----------
    kind : str
        That of the `TextSpec`.
    anchor : str
        The end of a name every such file has; what comes before it is a prefix of all.
    part : str
        Regular expression at the beginning of the names, without prefix, that are of the tower.
        All of them have to find a place in it.
    rules : pairs of regular expression and replacement
        Applied to those names in order. An empty result drops the tensor.
    """

    kind: str
    anchor: str
    part: str
    rules: Rules


_TRANSPOSED = "text.text_projection transposed"
_QKV: Rules = ((r"\.attn\.qkv\.(weight|bias)$", r".attn.in_proj_\1"),)
_TABLE: Rules = ((r"^.*\.position_ids$", ""),)  # numbers from 0, which older files hold

#: Tried in order.
LAYOUTS = (
    TextLayout(
        "clip",
        "text_model.embeddings.token_embedding.weight",
        r"text_model\.|text_projection\.",
        (
            *_TABLE,
            (r"^text_projection\.weight$", _TRANSPOSED),
            (r"^text_model\.embeddings\.token_embedding\.", "text.token_embedding."),
            (r"^text_model\.embeddings\.position_embedding\.weight$", "text.positional_embedding"),
            (r"^text_model\.final_layer_norm\.", "text.ln_final."),
            (r"^text_model\.encoder\.layers\.", "text.transformer.resblocks."),
            (r"\.layer_norm([12])\.", r".ln_\1."),
            (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."),
            (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
            (r"\.mlp\.fc1\.", ".mlp.c_fc."),
            (r"\.mlp\.fc2\.", ".mlp.c_proj."),
        ),
    ),
    TextLayout("clip", "text.token_embedding.weight", r"text\.", ()),
    TextLayout(
        "clip",
        "token_embedding.weight",
        r"token_embedding\.|positional_embedding$|transformer\.|ln_final\.|text_projection$",
        ((r"^", "text."),),
    ),
    TextLayout("coca", "text.cls_emb", r"text\.", ()),
    TextLayout(
        "bert",
        "text.transformer.embeddings.word_embeddings.weight",
        r"text\.",
        (*_TABLE, (r"^text\.", "")),
    ),
    TextLayout(
        "bert",
        "text.embeddings.word_embeddings.weight",
        r"text\.",
        (*_TABLE, (r"^text\.", "transformer.")),
    ),
    TextLayout(
        "beit3",
        "beit3.text_embed.weight",
        r"beit3\.text_embed\.|beit3\..*\.B\.|language_head\.",
        (
            (r"^language_head\.", "head."),
            (r"^beit3\.", ""),
            (r"^text_embed\.", "embed."),
            (r"^encoder\.embed_positions\.B\.", "positions."),
            # Both branches are of one make: what renames the one of images renames this one.
            (r"\.B\.", ".A."),
            *BEIT3,
        ),
    ),
)

#: The matrix an embedding still has to go through, and whether it stands transposed in the file.
_OF_IMAGES = {
    "coca": (re.compile(r"(^|.*\.)visual\.proj_contrast$"), False),
    "beit3": (re.compile(r"(^|.*\.)vision_head\.weight$"), True),
}


def text_state(state: Mapping[str, torch.Tensor], spec: TextSpec) -> State:
    """The tensors of a text tower, under the names of `text_networks`; none if there is none."""
    for layout in (known for known in LAYOUTS if known.kind == spec.kind):
        ending = re.compile(rf"(^|.*\.){re.escape(layout.anchor)}$")
        prefixes = [m[1] for m in map(ending.match, state) if m]
        if prefixes:
            return _renamed(state, layout, min(prefixes, key=len))
    return {}


def _renamed(state: Mapping[str, torch.Tensor], layout: TextLayout, prefix: str) -> State:
    found: State = {}
    for name, tensor in state.items():
        bare = name.removeprefix(prefix)
        if name.startswith(prefix) and re.match(layout.part, bare):
            new = apply_rules(layout.rules, bare)
            if new:
                found[new] = tensor
    found = {
        apply_rules(_QKV, k) if layout.kind == "clip" else k: v for k, v in fused(found).items()
    }
    transposed = found.pop(_TRANSPOSED, None)
    if transposed is not None:
        found["text.text_projection"] = transposed.T
    return found


def image_matrix(state: Mapping[str, torch.Tensor], spec: TextSpec) -> torch.Tensor | None:
    """The matrix (D, T) that brings embeddings into the space of texts, None if it is missing."""
    pattern, is_transposed = _OF_IMAGES[spec.kind]
    found = next((tensor for name, tensor in state.items() if pattern.match(name)), None)
    return found.T if found is not None and is_transposed else found
