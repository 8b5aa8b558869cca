"""Tokens and attention of a vision transformer, taken from the forward pass that runs anyway.

timm computes attention inside one fused kernel, so the attention matrix is never there to be
read. But every attention module of timm calls ``q_norm`` and ``k_norm`` (identities where the
architecture has no such norm) on the queries and keys after they are split into heads. A hook
there takes both, and the one row that is wanted, from CLS to all tokens, is computed again from
them: a product of 1 by N per head, which costs next to nothing, while the fused kernel stays on.
"""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..errors import EncoderError

if TYPE_CHECKING:
    import torch


#: The last block, counted as all are: from the end.
LAST = -1


class AttentionTap:
    """Catches queries and keys of one block during a forward pass. A context manager.

    Parameters
    ----------
    model : timm VisionTransformer or Eva
    block : int
        Which block, negative from the end.

    Raises
    ------
    EncoderError
        If the block has no attention that can be told apart from the rest of it.
    """

    def __init__(self, model: Any, block: int = -1) -> None:
        attention = getattr(model.blocks[block], "attn", None)
        if attention is None or not hasattr(attention, "q_norm"):
            raise EncoderError(
                f"{type(model.blocks[block]).__name__} has no separate attention to show.",
                "Use another map for this encoder.",
            )
        self._attention = attention
        self._model = model
        self._hooks: list[Any] = []
        self._caught: dict[str, Any] = {}

    def __enter__(self) -> AttentionTap:
        caught, attention = self._caught, self._attention

        def keep_rope(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            takes_rope = hasattr(attention, "rotate_half")
            caught["rope"] = kwargs.get("rope", args[1] if takes_rope and len(args) > 1 else None)

        def keep(name: str) -> Any:
            def hook(_module: Any, _args: Any, out: Any) -> None:
                caught[name] = out

            return hook

        self._hooks = [
            attention.register_forward_pre_hook(keep_rope, with_kwargs=True),
            attention.q_norm.register_forward_hook(keep("q")),
            attention.k_norm.register_forward_hook(keep("k")),
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def cls_row(self) -> torch.Tensor:
        """Softmax attention from CLS to every token: (n, heads, tokens) float32."""
        q, k = self._caught["q"], self._caught["k"]
        rope = self._caught.get("rope")
        if rope is not None:
            import torch
            from timm.layers import apply_rot_embed_cat

            # CLS and registers have no place and are not rotated.
            prefix = self._model.num_prefix_tokens
            half = getattr(self._attention, "rotate_half", False)
            rotated = apply_rot_embed_cat(k[:, :, prefix:], rope, half=half)
            k = torch.cat([k[:, :, :prefix], rotated.type_as(k)], dim=2)
        groups = getattr(self._attention, "num_kv_groups", 1)
        if groups > 1:
            k = k.repeat_interleave(groups, dim=1)
        row = q[:, :, :1].float() * self._attention.scale
        weights: torch.Tensor = (row @ k.float().transpose(-2, -1)).softmax(-1)
        return weights[:, :, 0]


def forward_tokens(
    model: Any, x: torch.Tensor, blocks: Collection[int] = ()
) -> dict[int, torch.Tensor]:
    """All tokens after the final norm, by block: (n, prefix + patches, token_dim) each.

    Models built to average their tokens keep the final norm in ``fc_norm``, where it comes after
    averaging: it is not applied here.

    Parameters
    ----------
    model : timm VisionTransformer or Eva
    x : (n, 3, px, px)
    blocks : collection of int
        Blocks whose tokens are wanted too, negative from the end. The last one's always are.
    """
    caught: dict[int, torch.Tensor] = {}

    def keep(block: int) -> Any:
        def hook(_module: Any, _args: Any, out: torch.Tensor) -> None:
            caught[block] = out

        return hook

    hooks = [model.blocks[block].register_forward_hook(keep(block)) for block in {*blocks} - {LAST}]
    try:
        last: torch.Tensor = model.forward_features(x)
    finally:
        for hook in hooks:
            hook.remove()
    return {block: model.norm(out) for block, out in caught.items()} | {LAST: last}


def forward_map(model: Any, x: torch.Tensor) -> torch.Tensor:
    """The last features of a network without a class token: (n, h, w, token_dim)."""
    out: torch.Tensor = model.forward_features(x)
    return out if getattr(model, "output_fmt", "NCHW") == "NHWC" else out.permute(0, 2, 3, 1)


def feature_norm(features: torch.Tensor) -> torch.Tensor:
    """Length of each place's features, as shares of the tile's: (n, h, w, d) to (n, 1, h, w).

    What a network without attention has to show in its place: where it found much of anything.
    """
    norm = features.float().norm(dim=-1)
    return (norm / norm.sum((1, 2), keepdim=True).clamp_min(1e-12))[:, None]
